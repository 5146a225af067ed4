package semaphore_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/semaphore"
)

type valueKey struct{}

func TestALeaseThatIsNotRefreshedEndsItsContext(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "kept"))
		start := time.Now()
		lease, err := sems.TryAcquire(ctx, "k", one("h"))
		require.NoError(t, err)
		cancel() // ended the acquiring, not the lease
		require.Equal(t, "kept", lease.Context().Value(valueKey{}))

		<-lease.Context().Done()

		require.Equal(t, ttl-margin, time.Since(start))
		require.Equal(t, lease.Deadline(), time.Now().UTC().Add(margin))
		require.ErrorIs(t, context.Cause(lease.Context()), store.ErrLeaseLost)
		require.ErrorIs(t, lease.Refresh(t.Context()), store.ErrLeaseLost)
		require.ErrorIs(t, lease.Release(t.Context()), store.ErrLeaseLost)
	})
}

// TestAContextEndsBeforeItsLeaseHoweverLateAnswersAre goes by the store's clock, which tells when
// somebody else may have the place.
func TestAContextEndsBeforeItsLeaseHoweverLateAnswersAre(t *testing.T) {
	for _, lag := range []time.Duration{0, time.Millisecond, margin, ttl / 2, ttl - margin - time.Millisecond} {
		for _, refreshed := range []bool{false, true} {
			inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
				s.lag.Store(int64(lag))
				lease := acquired(t, sems, "k", one("h"))
				if refreshed && lag < ttl/2 { // it is over before a later answer
					time.Sleep(ttl / 3)
					require.NoError(t, lease.Refresh(t.Context()))
				}
				<-lease.Context().Done()
				require.Equal(t, margin, time.Until(lease.Deadline()), "%v before the answer", lag)
			})
		}
	}
}

func TestARefreshedLeaseGoesOn(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		lease := acquired(t, sems, "k", one("h"))
		for range 10 {
			time.Sleep(ttl - time.Second)
			require.NoError(t, lease.Refresh(t.Context()))
			require.Equal(t, time.Now().UTC().Add(ttl), lease.Deadline())
		}
		time.Sleep(ttl - margin - time.Millisecond)
		require.NoError(t, lease.Context().Err())
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.Error(t, lease.Context().Err())
	})
}

func TestReleaseEndsTheContextAndGivesThePlaceToOthers(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		lease := acquired(t, sems, "k", one("h"))
		require.NoError(t, lease.Release(t.Context()))
		require.ErrorIs(t, context.Cause(lease.Context()), context.Canceled)
		next := acquired(t, sems, "k", one("i"))
		require.Greater(t, next.Fence, lease.Fence)
		require.ErrorIs(t, lease.Release(t.Context()), store.ErrLeaseLost)
		require.Error(t, lease.Refresh(t.Context()))
		require.NoError(t, next.Refresh(t.Context()), "nobody else's lease is touched")
		require.NoError(t, next.Release(t.Context()))
	})
}

func TestAStoreThatDoesNotAnswerCostsTheLeaseOnlyAtItsEnd(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		lease := acquired(t, sems, "k", one("h"))
		start := time.Now()
		s.down.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, lease.Refresh(ctx), context.DeadlineExceeded)
		require.NoError(t, lease.Context().Err())
		require.ErrorIs(t, lease.Refresh(t.Context()), store.ErrLeaseLost, "it tries until the lease ends")
		require.Equal(t, ttl-margin, time.Since(start))
	})
}

func TestARefreshWhoseReplyIsLostIsMadeAgain(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		lease := acquired(t, sems, "k", one("h"))
		s.swallows.Store(true)
		for range 5 {
			time.Sleep(ttl / 2)
			require.NoError(t, lease.Refresh(t.Context()))
		}
		require.NoError(t, lease.Release(t.Context()), "a repeat that finds nothing has released it")
		require.Zero(t, count(t, sems, "k"))
	})
}

func TestTheEndOfAnotherLeasesContextIsNotTheEndOfThisOne(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		outer := acquired(t, sems, "outer", &semaphore.Options{TTL: time.Second, Holder: "h"})
		inner := acquired(t, sems, "inner", one("h"))
		<-outer.Context().Done()
		require.ErrorIs(t, inner.Refresh(outer.Context()), store.ErrLeaseLost, "says why it was not done")
		require.NoError(t, inner.Context().Err())
		require.NoError(t, inner.Refresh(t.Context()))
	})
}
