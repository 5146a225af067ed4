package semaphore_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/semaphore"
)

func TestSeveralKeysAreTakenAllOrNone(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		held := acquired(t, sems, "c", one("somebody"))
		_, err := sems.TryAcquireAll(t.Context(), []string{"d", "c", "a"}, one("h"))
		var taken *semaphore.NotAcquiredError
		require.ErrorAs(t, err, &taken)
		require.Equal(t, "c", taken.Key)
		for _, key := range []string{"a", "d"} {
			require.Zero(t, count(t, sems, key), key)
		}
		require.NoError(t, held.Release(t.Context()))

		ls, err := sems.TryAcquireAll(t.Context(), []string{"d", "c", "a"}, one("h"))
		require.NoError(t, err)
		require.Len(t, ls.All, 3)
		require.NoError(t, ls.Refresh(t.Context()))
		require.NoError(t, ls.Context().Err())
		require.NoError(t, ls.Release(t.Context()))
		require.Error(t, ls.Context().Err())
		for _, key := range []string{"a", "c", "d"} {
			require.Zero(t, count(t, sems, key), key)
		}
	})
}

func TestThoseHeldAreKeptWhileOthersAreWaitedFor(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		group := lifecycle.New(t.Context())
		defer group.Wait()
		held := acquired(t, sems, "b", &semaphore.Options{TTL: time.Hour, Holder: "slow"})
		var ls *semaphore.Leases
		var err error
		done := make(chan struct{})
		group.Go(func(ctx context.Context) {
			defer close(done)
			ls, err = sems.AcquireAll(ctx, []string{"b", "a"}, one("h"))
		})
		time.Sleep(10 * ttl)
		require.Equal(t, 1, count(t, sems, "a"))
		require.NoError(t, held.Release(t.Context()))
		<-done
		require.NoError(t, err)
		require.NoError(t, ls.Release(t.Context()))
	})
}

func TestWaitingForSeveralGivesUpWhenOneIsLost(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		group := lifecycle.New(t.Context())
		defer group.Wait()
		acquired(t, sems, "b", &semaphore.Options{TTL: time.Hour, Holder: "slow"})
		var err error
		done := make(chan struct{})
		group.Go(func(ctx context.Context) {
			defer close(done)
			_, err = sems.AcquireAll(ctx, []string{"b", "a"}, one("h"))
		})
		synctest.Wait()
		_, forced := sems.ForceReleaseAll(t.Context(), "a")
		require.NoError(t, forced)
		<-done
		require.ErrorIs(t, err, store.ErrLeaseLost)
		waiters, err := sems.Waiters(t.Context(), "b")
		require.NoError(t, err)
		require.Empty(t, waiters)
	})
}

func TestCallersThatWantTheSameKeysNeverWaitInACircle(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		group := lifecycle.New(t.Context())
		errs := make(chan error, 8)
		for i := range 8 {
			keys := []string{"a", "b", "c"}
			if i%2 == 1 {
				keys = []string{"c", "b", "a"}
			}
			group.Go(func(ctx context.Context) {
				ls, err := sems.AcquireAll(ctx, keys, one("h"))
				if err == nil {
					time.Sleep(time.Second)
					err = ls.Release(ctx)
				}
				errs <- err
			})
		}
		group.Wait()
		for range 8 {
			require.NoError(t, <-errs)
		}
	})
}

func TestTheLossOfOneEndsTheContextOfAll(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		ls, err := sems.TryAcquireAll(t.Context(), []string{"a", "b"}, one("h"))
		require.NoError(t, err)
		_, err = sems.ForceReleaseAll(t.Context(), "b")
		require.NoError(t, err)
		require.ErrorIs(t, ls.Refresh(t.Context()), store.ErrLeaseLost)
		synctest.Wait()
		require.ErrorIs(t, context.Cause(ls.Context()), store.ErrLeaseLost)
		require.ErrorIs(t, ls.Release(t.Context()), store.ErrLeaseLost)
		require.Zero(t, count(t, sems, "a"))
	})
}
