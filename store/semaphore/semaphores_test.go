package semaphore_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/semaphore"
)

func TestWhoeverIsRefusedReadsWhoHolds(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		lease := acquired(t, sems, "nightly", one("report on host-1"))

		_, err := sems.TryAcquire(t.Context(), "nightly", one("report on host-2"))

		require.ErrorIs(t, err, semaphore.ErrNotAcquired)
		require.NotErrorIs(t, err, store.ErrUnavailable)
		var taken *semaphore.NotAcquiredError
		require.ErrorAs(t, err, &taken)
		require.Equal(t, "nightly", taken.Key)
		require.Len(t, taken.Holders, 1)
		require.Equal(t, semaphore.Holder{
			Slot: lease.Slot, Fence: lease.Fence, Holder: "report on host-1", Acquired: lease.Deadline().Add(-ttl), Expires: lease.Deadline(),
		}, taken.Holders[0])
		require.Equal(t, `semaphore "nightly" is taken, slot 0 by "report on host-1" until 2000-01-01T00:00:30Z`, err.Error())
		require.NotContains(t, err.Error(), lease.Token)
	})
}

func TestTheTextOfARefusalIsShortHoweverManyHold(t *testing.T) {
	taken := &semaphore.NotAcquiredError{Key: "k", Holders: make([]semaphore.Holder, 50), Ahead: 2}
	require.True(t, strings.HasSuffix(taken.Error(), ", and 47 more, 2 wait"), taken.Error())
}

func TestTokensAreNeverTheSame(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		tokens := map[string]bool{}
		for range 100 {
			lease := acquired(t, sems, "k", one("h"))
			tokens[lease.Token] = true
			require.NoError(t, lease.Release(t.Context()))
		}
		require.Len(t, tokens, 100)
	})
}

func TestNilOptionsMeanOnePlaceForThisProcess(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		held := acquired(t, sems, "k", nil)
		_, err := sems.TryAcquire(t.Context(), "k", nil)
		var taken *semaphore.NotAcquiredError
		require.ErrorAs(t, err, &taken)
		host, err := os.Hostname()
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%s/%d", host, os.Getpid()), taken.Holders[0].Holder)
		require.Equal(t, semaphore.DefaultTTL, taken.Holders[0].Expires.Sub(taken.Holders[0].Acquired))
		require.NoError(t, held.Release(t.Context()))
	})
}

func TestBadInputNamesTheField(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		_, err := sems.TryAcquire(t.Context(), "", &semaphore.Options{Max: -1, TTL: -1})
		for _, field := range []string{"Key is empty", "Max is not within", "TTL is shorter"} {
			require.ErrorContains(t, err, field)
		}
		require.ErrorIs(t, err, store.ErrInvalid)
		_, err = sems.Acquire(t.Context(), "k", &semaphore.Options{Holder: strings.Repeat("h", bounds.MaxHolderLen+1)})
		require.ErrorIs(t, err, store.ErrInvalid)
		_, err = sems.Holders(t.Context(), "")
		require.ErrorIs(t, err, store.ErrInvalid)
		_, err = sems.ForceReleaseAll(t.Context(), "a\x00b")
		require.ErrorIs(t, err, store.ErrInvalid)
		_, err = sems.ForceRelease(t.Context(), "k", 0)
		require.ErrorIs(t, err, store.ErrInvalid, "0 must not end all")
		_, err = sems.ForceRelease(t.Context(), "", -1)
		require.ErrorContains(t, err, "Key is empty")
		require.ErrorContains(t, err, "Fence is not positive")
		_, err = sems.TryAcquireAll(t.Context(), []string{"a", "b", "a"}, one("h"))
		require.ErrorContains(t, err, `Keys holds "a" twice`)
		_, err = sems.AcquireAll(t.Context(), nil, one("h"))
		require.ErrorContains(t, err, "Keys is empty")
		require.Zero(t, s.calls.Load(), "nothing was asked of the store")
	})
}

func TestOperatorsEndLeasesAndHoldersLearnIt(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		o := &semaphore.Options{Max: 3, Holder: "h"}
		a, b := acquired(t, sems, "k", o), acquired(t, sems, "k", o)
		acquired(t, sems, "k", o)
		ended, err := sems.ForceRelease(t.Context(), "k", a.Fence)
		require.NoError(t, err)
		require.True(t, ended)
		ended, err = sems.ForceRelease(t.Context(), "k", a.Fence)
		require.NoError(t, err)
		require.False(t, ended)
		require.NoError(t, a.Context().Err(), "nobody told it yet")
		require.ErrorIs(t, a.Refresh(t.Context()), store.ErrLeaseLost)
		require.ErrorIs(t, context.Cause(a.Context()), store.ErrLeaseLost)
		n, err := sems.ForceReleaseAll(t.Context(), "k")
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.ErrorIs(t, b.Release(t.Context()), store.ErrLeaseLost)
		require.Zero(t, count(t, sems, "k"))
	})
}

func TestAnOutageEndsAnAcquisitionWhenItsLeaseWouldHaveEnded(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		s.down.Store(true)
		start := time.Now()
		_, err := sems.TryAcquire(t.Context(), "k", &semaphore.Options{TTL: 2 * time.Second, Holder: "h"})
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.NotErrorIs(t, err, semaphore.ErrNotAcquired)
		require.LessOrEqual(t, time.Since(start), 10*time.Second)
	})
}

func TestLostRepliesTakeNoSecondPlace(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		s.swallows.Store(true)
		o := &semaphore.Options{Max: 3, Holder: "h"}
		for i := range 3 {
			acquired(t, sems, "k", o)
			require.Equal(t, i+1, count(t, sems, "k"))
		}
		_, err := sems.TryAcquire(t.Context(), "k", o)
		require.ErrorIs(t, err, semaphore.ErrNotAcquired)
	})
}
