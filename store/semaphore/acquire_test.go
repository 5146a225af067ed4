package semaphore_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/semaphore"
)

// waiter is a call of Acquire under way.
type waiter struct {
	lease *semaphore.Lease
	err   error
	done  chan struct{}
}

// acquire begins to wait, and returns once it does.
func acquire(ctx context.Context, group *lifecycle.Group, sems *semaphore.Semaphores, key string, o *semaphore.Options) *waiter {
	w := &waiter{done: make(chan struct{})}
	group.Go(func(context.Context) {
		defer close(w.done)
		w.lease, w.err = sems.Acquire(ctx, key, o)
	})
	synctest.Wait()
	return w
}

func (w *waiter) waits() bool {
	synctest.Wait()
	select {
	case <-w.done:
		return false
	default:
		return true
	}
}

func TestAcquireTakesAFreePlaceAtOnce(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		lease, err := sems.Acquire(t.Context(), "k", one("h"))
		require.NoError(t, err)
		require.EqualValues(t, 1, s.calls.Load())
		require.NoError(t, lease.Release(t.Context()))
	})
}

func TestWaitersAreServedInOrderAsSoonAsAPlaceIsFree(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		group := lifecycle.New(t.Context())
		defer group.Wait()
		held := acquired(t, sems, "k", &semaphore.Options{Holder: "first", TTL: time.Hour})
		start := time.Now()
		var line []*waiter
		for i := range 5 {
			line = append(line, acquire(t.Context(), group, sems, "k", &semaphore.Options{Holder: fmt.Sprint(i), TTL: time.Hour}))
		}
		waiters, err := sems.Waiters(t.Context(), "k")
		require.NoError(t, err)
		require.Len(t, waiters, 5)
		for i, w := range line {
			require.True(t, w.waits())
			_, err := sems.TryAcquire(t.Context(), "k", one("in a hurry"))
			require.ErrorIs(t, err, semaphore.ErrNotAcquired)
			require.NoError(t, held.Release(t.Context()))
			require.False(t, w.waits(), "waiter %d", i)
			require.NoError(t, w.err)
			held = w.lease
		}
		require.NoError(t, held.Release(t.Context()))
		require.Zero(t, time.Since(start), "each was woken by the release before")
		require.Zero(t, count(t, sems, "k"))
	})
}

func TestTryAcquireYieldsToWaiters(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		group := lifecycle.New(t.Context())
		defer group.Wait()
		held := acquired(t, sems, "k", one("h"))
		s.deaf.Store(true) // the waiter learns of the release only when it looks by itself
		w := acquire(t.Context(), group, sems, "k", one("patient"))
		require.NoError(t, held.Release(t.Context()))
		require.True(t, w.waits())
		_, err := sems.TryAcquire(t.Context(), "k", one("in a hurry"))
		var taken *semaphore.NotAcquiredError
		require.ErrorAs(t, err, &taken)
		require.Empty(t, taken.Holders)
		require.Equal(t, 1, taken.Ahead)
		<-w.done
		require.NoError(t, w.err, "lost signals cost time, nothing else")
	})
}

func TestAWaiterWakesWhenTheEarliestLeaseEnds(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		group := lifecycle.New(t.Context())
		defer group.Wait()
		dead := acquired(t, sems, "k", &semaphore.Options{TTL: 3 * time.Second, Holder: "dies"})
		before := s.acquires.Load()
		w := acquire(t.Context(), group, sems, "k", one("h"))
		start := time.Now()
		<-w.done
		require.NoError(t, w.err)
		require.Equal(t, 3*time.Second, time.Since(start))
		require.LessOrEqual(t, s.acquires.Load()-before, int64(3), "it asks, listens and asks again, and then sleeps")
		require.ErrorIs(t, dead.Release(t.Context()), store.ErrLeaseLost)
	})
}

func TestWaitingCostsNoPolling(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		group := lifecycle.New(t.Context())
		acquired(t, sems, "k", &semaphore.Options{TTL: 2 * time.Hour, Holder: "h"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		w := acquire(ctx, group, sems, "k", one("h"))
		<-w.done
		group.Wait()
		require.LessOrEqual(t, s.acquires.Load(), int64(3+time.Hour/(5*time.Second)), "only to say that it lives")
	})
}

func TestAWaitEndsWithItsContextAndLeavesTheLine(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		group := lifecycle.New(t.Context())
		defer group.Wait()
		held := acquired(t, sems, "k", one("h"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w := acquire(ctx, group, sems, "k", one("impatient"))
		behind := acquire(t.Context(), group, sems, "k", one("patient"))
		<-w.done
		require.ErrorIs(t, w.err, context.DeadlineExceeded)
		var taken *semaphore.NotAcquiredError
		require.ErrorAs(t, w.err, &taken)
		require.Equal(t, "h", taken.Holders[0].Holder)
		waiters, err := sems.Waiters(t.Context(), "k")
		require.NoError(t, err)
		require.Len(t, waiters, 1)
		require.NoError(t, held.Release(t.Context()))
		require.False(t, behind.waits())
		require.NoError(t, behind.err)
	})
}

func TestADeadWaiterDoesNotBlockTheLine(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		group := lifecycle.New(t.Context())
		defer group.Wait()
		held := acquired(t, sems, "k", &semaphore.Options{TTL: time.Hour, Holder: "h"})
		_, err := s.Store.AcquireSemaphore(t.Context(), store.SemaphoreClaim{
			Key: "k", Token: "of a process that died", Holder: "dead", Max: 1, TTL: ttl, Wait: 15 * time.Second,
		})
		require.NoError(t, err)
		w := acquire(t.Context(), group, sems, "k", one("alive"))
		require.NoError(t, held.Release(t.Context()))
		start := time.Now()
		<-w.done
		require.NoError(t, w.err)
		require.Equal(t, 15*time.Second, time.Since(start))
	})
}

func TestAWaiterOutlivesAnOutage(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		group := lifecycle.New(t.Context())
		defer group.Wait()
		held := acquired(t, sems, "k", &semaphore.Options{TTL: time.Hour, Holder: "h"})
		w := acquire(t.Context(), group, sems, "k", one("patient"))
		s.down.Store(true)
		time.Sleep(10 * time.Minute)
		require.True(t, w.waits())
		s.down.Store(false)
		require.NoError(t, held.Release(t.Context()))
		<-w.done
		require.NoError(t, w.err)
	})
}

func TestAWriterWaitsForReadersSeesThemAndKeepsNewOnesOut(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		group := lifecycle.New(t.Context())
		defer group.Wait()
		reader := func(name string) *semaphore.Options {
			return &semaphore.Options{Max: 100, TTL: time.Hour, Holder: name}
		}
		a, b := acquired(t, sems, "tree", reader("a")), acquired(t, sems, "tree", reader("b"))
		var saw []string
		writer := acquire(t.Context(), group, sems, "tree", &semaphore.Options{Max: 100, TTL: time.Hour, Holder: "w", Exclusive: true,
			OnBlocked: func(taken *semaphore.NotAcquiredError) {
				saw = saw[:0]
				for _, h := range taken.Holders {
					saw = append(saw, h.Holder)
				}
			}})
		require.Equal(t, []string{"a", "b"}, saw)
		_, err := sems.TryAcquire(t.Context(), "tree", reader("late"))
		require.ErrorIs(t, err, semaphore.ErrNotAcquired)
		late := acquire(t.Context(), group, sems, "tree", reader("late"))
		require.NoError(t, a.Release(t.Context()))
		require.True(t, writer.waits())
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"b"}, saw, "who still reads")
		require.True(t, late.waits())
		require.NoError(t, b.Release(t.Context()))
		require.False(t, writer.waits())
		require.NoError(t, writer.err)
		require.True(t, late.waits())
		require.NoError(t, writer.lease.Release(t.Context()))
		require.False(t, late.waits())
		require.NoError(t, late.err)
	})
}
