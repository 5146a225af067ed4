package syncjob_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func TestStopCancelsRunningHandlersSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cause error
		m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return ctx.Err()
		}))
		work(t, m, syncjob.WorkerConfig{})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		synctest.Wait()
		time.Sleep(3 * time.Second)
		stopped := time.Now()
		require.NoError(t, m.Stop(t.Context(), "a", &syncjob.StopOptions{Reason: "by hand"}))
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Stopped, final.Status)
		require.Equal(t, "by hand", final.Reason)
		require.EqualValues(t, 1, final.Counts.Cancelled)
		require.ErrorIs(t, cause, syncjob.ErrJobStopped)
		require.Less(t, time.Since(stopped), time.Second)
		_, err = run.Enqueue(t.Context(), leaf{}, nil)
		require.ErrorIs(t, err, syncjob.ErrJobStopped)
	})
}

func TestAGracefulStopLetsHandlersFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var finished, started atomic.Int64
		m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
			started.Add(1)
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
				finished.Add(1)
			}
			return nil
		}))
		work(t, m, syncjob.WorkerConfig{Concurrency: 2})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 10}}, nil)
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.NoError(t, run.Stop(t.Context(), &syncjob.StopOptions{Graceful: true}))
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Stopped, final.Status)
		require.EqualValues(t, 2, started.Load())
		require.EqualValues(t, 2, finished.Load())
		require.EqualValues(t, 8, final.Counts.Cancelled)
	})
}

func TestPrefetchedTasksOfAStoppedRunDoNotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow, late atomic.Int64
		stopped := make(chan struct{})
		m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[leaf]) error {
			if task.Args.I < 100 {
				return nil // teaches the worker that tasks are short
			}
			select {
			case <-stopped:
				late.Add(1)
			default:
			}
			slow.Add(1)
			<-ctx.Done()
			return ctx.Err()
		}))
		work(t, m, syncjob.WorkerConfig{Concurrency: 1})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 400}}, nil)
		require.NoError(t, err)
		time.Sleep(100 * time.Millisecond) // before they are given back to be run elsewhere
		require.EqualValues(t, 1, slow.Load())
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.Greater(t, state.Counts.Running, int64(1), "some are prefetched")
		require.NoError(t, run.Stop(t.Context(), nil))
		close(stopped)
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Stopped, final.Status)
		require.True(t, final.Counts.Balanced())
		require.Zero(t, late.Load())
	})
}

func TestPausedRunsWaitUntilResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		require.NoError(t, m.PauseJob(t.Context(), "a"))
		work(t, m, syncjob.WorkerConfig{})
		time.Sleep(time.Hour)
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.True(t, state.Paused)
		require.EqualValues(t, 1, state.Counts.Pending)
		resumed := time.Now()
		require.NoError(t, m.ResumeJob(t.Context(), "a"))
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		require.Less(t, time.Since(resumed), time.Second, "a resumed run is signalled, not polled for")
	})
}

func TestBetweenTheRunsOfAPeriodicJobThereIsNoneToPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Every: time.Hour}))
		require.NoError(t, err)
		require.ErrorIs(t, m.PauseJob(t.Context(), "nightly"), syncjob.ErrRunNotFound, "before the first")
		work(t, m, syncjob.WorkerConfig{})
		time.Sleep(90 * time.Minute)
		require.ErrorIs(t, m.PauseJob(t.Context(), "nightly"), syncjob.ErrRunFinished)
		require.ErrorIs(t, m.ResumeJob(t.Context(), "nightly"), syncjob.ErrRunFinished)
		last, err := m.Latest(t.Context(), "nightly")
		require.NoError(t, err)
		require.NoError(t, last.Delete(t.Context()))
		require.ErrorIs(t, m.PauseJob(t.Context(), "nightly"), syncjob.ErrRunNotFound, "the last is forgotten")
	})
}

func TestABadReasonStopsNothing(t *testing.T) {
	m := manager(t, set(t, handlers.SetConfig{}, noop))
	_, err := m.Ensure(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true})
	require.NoError(t, err)
	for _, reason := range []string{strings.Repeat("r", bounds.MaxNoteLen+1), "\xff"} {
		opts := &syncjob.StopOptions{Reason: reason}
		require.Equal(t, []string{"Reason"}, fields(m.Stop(t.Context(), "a", opts)))
		run, err := m.Latest(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, []string{"Reason"}, fields(run.Stop(t.Context(), opts)))
		state, err := m.State(t.Context(), "a")
		require.NoError(t, err)
		require.False(t, state.Disabled)
		require.Equal(t, states.Running, state.Run.Status)
	}
}
