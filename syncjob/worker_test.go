package syncjob_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

func TestAnIdleWorkerHardlyCallsTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{Store: memstore.New(nil)}
		m := managerOn(t, l, set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{Concurrency: 64})
		time.Sleep(time.Minute)
		before := l.calls.Load()
		time.Sleep(time.Hour)
		// A fetch, a heartbeat and a sweep every five to ten seconds.
		require.InDelta(t, 1900, l.calls.Load()-before, 300)
	})
}

func TestLongTasksCostHeartbeatsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{Store: memstore.New(nil)}
		m := managerOn(t, l, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			time.Sleep(time.Hour)
			return nil
		}))
		work(t, m, syncjob.WorkerConfig{Concurrency: 2})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 4}}, nil)
		require.NoError(t, err)
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 5, final.Counts.Succeeded, "a lease is kept for as long as a task takes")
		require.Zero(t, final.Retried)
		require.Less(t, l.calls.Load(), int64(3*2*720+500))
	})
}

func TestWorkIsFetchedWhenItIsSignalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{})
		_, err := m.Ensure(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true})
		require.NoError(t, err)
		run, err := m.Latest(t.Context(), "a")
		require.NoError(t, err)
		for i := range 20 {
			time.Sleep(1700 * time.Millisecond)
			_, err = m.Enqueue(t.Context(), "a", leaf{}, nil)
			require.NoError(t, err)
			synctest.Wait()
			state, err := run.State(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, i+1, state.Counts.Succeeded, "at the same instant")
		}
	})
}

func TestDelayedTasksStartWhenTheyAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var started []time.Duration
		begun := time.Now()
		m := manager(t, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			started = append(started, time.Since(begun))
			return nil
		}))
		work(t, m, syncjob.WorkerConfig{})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		delays := []time.Duration{90 * time.Second, 2 * time.Second, 45 * time.Second}
		for _, d := range delays {
			_, err = run.Enqueue(t.Context(), leaf{}, &enqueue.Options{Delay: d})
			require.NoError(t, err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Len(t, started, 3)
		for i, want := range []time.Duration{delays[1], delays[2], delays[0]} {
			require.InDelta(t, want, started[i], float64(5*time.Millisecond))
		}
	})
}

// handled runs a worker of two queues, each with plenty of work, for a while and
// returns how many tasks of each it has run.
func handled(t *testing.T, cfg syncjob.WorkerConfig) (a, b int64) {
	t.Helper()
	var counts [2]atomic.Int64
	m := manager(t, set(t, handlers.SetConfig{}, func(_ context.Context, task *handlers.Task[leaf]) error {
		time.Sleep(10 * time.Millisecond)
		counts[task.Args.I].Add(1)
		return nil
	}))
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
	require.NoError(t, err)
	_, err = run.EnqueueAll(t.Context(), func(yield func(enqueue.Item, error) bool) {
		for i := range 10_000 {
			if !yield(enqueue.Task(leaf{i % 2}, &enqueue.Options{Queue: []string{"a", "b"}[i%2]}), nil) {
				return
			}
		}
	}, nil)
	require.NoError(t, err)
	stop := work(t, m, cfg)
	time.Sleep(10 * time.Second)
	a, b = counts[0].Load(), counts[1].Load()
	require.NoError(t, stop())
	return a, b
}

func TestQueuesShareAWorkerByWeight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := handled(t, syncjob.WorkerConfig{Concurrency: 4, Queues: []syncjob.Queue{{Name: "a", Weight: 3}, {Name: "b"}}})
		require.InDelta(t, 3, float64(a)/float64(b), 0.3)
		require.InDelta(t, 4000, a+b, 100, "the slots are never idle")
	})
}

func TestStrictOrderLetsAQueueWaitForThoseBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := handled(t, syncjob.WorkerConfig{Concurrency: 4, StrictOrder: true, Queues: []syncjob.Queue{{Name: "a"}, {Name: "b"}}})
		require.InDelta(t, 4000, a, 100)
		require.Zero(t, b)
	})
}

func TestASmallJobDoesNotWaitForABigOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			time.Sleep(time.Millisecond)
			return nil
		}))
		large, err := m.Start(t.Context(), syncjob.Job{Name: "big", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		_, err = large.EnqueueAll(t.Context(), leaves(50_000), nil)
		require.NoError(t, err)
		work(t, m, syncjob.WorkerConfig{Concurrency: 8})
		time.Sleep(100 * time.Millisecond)
		small, err := m.Start(t.Context(), syncjob.Job{Name: "small", Set: "tree", Root: node{N: 100}}, nil)
		require.NoError(t, err)
		_, err = small.Wait(t.Context())
		require.NoError(t, err)
		state, err := large.State(t.Context())
		require.NoError(t, err)
		require.Less(t, state.Counts.Succeeded, int64(5_000))
	})
}

func TestJobsOfAllPartitionsAreWorkedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managerOn(t, memstore.New(&memstore.Options{Partitions: 7}), set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{Concurrency: 3})
		var runs []*syncjob.Run
		for i := range 40 {
			run, err := m.Start(t.Context(), syncjob.Job{Name: string(rune('A' + i)), Set: "tree", Root: node{N: 30}}, nil)
			require.NoError(t, err)
			runs = append(runs, run)
		}
		for _, run := range runs {
			final, err := run.Wait(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 31, final.Counts.Succeeded)
		}
		require.NoError(t, m.Ping(t.Context()))
	})
}

func TestPrefetchedTasksAreGivenBackWhenHandlersTurnSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[leaf]) error {
			if slow.Load() || task.Args.I > 300 {
				slow.Store(true)
				time.Sleep(time.Hour)
			}
			return nil
		}))
		work(t, m, syncjob.WorkerConfig{Concurrency: 1, Grace: 2 * time.Hour})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 1000}}, nil)
		require.NoError(t, err)
		time.Sleep(time.Second) // long before the safety poll
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, state.Counts.Running, "another worker could run the rest")
		require.NoError(t, run.Stop(t.Context(), nil))
	})
}

func TestAHandlerThatEndsItsGoroutineFailsItsTaskOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, func(_ context.Context, task *handlers.Task[leaf]) error {
			if task.Args.I%2 == 0 {
				runtime.Goexit()
			}
			return nil
		}))
		work(t, m, syncjob.WorkerConfig{Concurrency: 2})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 20}}, nil)
		require.NoError(t, err)
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 10, final.Counts.Failed)
		require.EqualValues(t, 11, final.Counts.Succeeded)
		require.Contains(t, final.LastError, "Goexit")
	})
}
