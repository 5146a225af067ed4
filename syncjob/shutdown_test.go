package syncjob_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

type ctxKey struct{}

func TestShutdownGivesUnstartedTasksBackAndLetsHandlersFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Int64
		m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[leaf]) error {
			if task.Args.I >= 100 {
				time.Sleep(10 * time.Second)
				require.NoError(t, ctx.Err(), "handlers do not inherit the end of the worker")
			}
			ended.Add(1)
			return nil
		}))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 300}}, nil)
		require.NoError(t, err)
		stop := work(t, m, syncjob.WorkerConfig{Concurrency: 2})
		time.Sleep(100 * time.Millisecond) // before they are given back to be run elsewhere
		before, err := run.State(t.Context())
		require.NoError(t, err)
		require.Greater(t, before.Counts.Running, int64(2), "some are prefetched")
		require.NoError(t, stop())
		after, err := run.State(t.Context())
		require.NoError(t, err)
		require.Zero(t, after.Counts.Running)
		require.Equal(t, 1+ended.Load(), after.Counts.Succeeded)
		require.EqualValues(t, 102, ended.Load())
		require.Zero(t, after.Retried)
		workers, err := m.Workers(t.Context())
		require.NoError(t, err)
		require.Empty(t, workers, "the sessions are closed")

		work(t, m, syncjob.WorkerConfig{Concurrency: 100})
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 301, final.Counts.Succeeded)
		for f, err := range run.Failures(t.Context(), nil) {
			require.NoError(t, err)
			require.Zero(t, f)
		}
	})
}

func TestHandlersAreCancelledAfterGraceAndTheirTasksReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var causes []error
		m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[leaf]) error {
			if task.Retry > 0 || len(causes) > 0 {
				return nil
			}
			<-ctx.Done()
			causes = append(causes, context.Cause(ctx))
			return ctx.Err()
		}))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		stop := work(t, m, syncjob.WorkerConfig{Grace: 7 * time.Second})
		time.Sleep(time.Minute)
		begun := time.Now()
		require.NoError(t, stop())
		require.Equal(t, 7*time.Second, time.Since(begun))
		require.ErrorIs(t, causes[0], handlers.ErrShutdown)
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, state.Counts.Pending)
		require.Zero(t, state.Retried)
	})
}

func TestAHandlerThatIgnoresItsContextDoesNotHoldUpShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		m := manager(t, set(t, handlers.SetConfig{}, func(_ context.Context, task *handlers.Task[leaf]) error {
			if task.Args.I == 0 {
				<-release
			}
			return nil
		}))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 50}}, nil)
		require.NoError(t, err)
		stop := work(t, m, syncjob.WorkerConfig{Concurrency: 2})
		time.Sleep(time.Second)
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 50, state.Counts.Succeeded, "the other slot goes on")
		var stuck *syncjob.StuckError
		require.ErrorAs(t, stop(), &stuck)
		require.Equal(t, 1, stuck.Handlers)
		close(release)
		synctest.Wait()
		state, err = run.State(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, state.Counts.Pending, "its task went back as after a crash, and its late outcome is dropped")
	})
}

func TestAbortDoesNotWaitForGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
			<-ctx.Done()
			return ctx.Err()
		}))
		w, err := m.NewWorker(syncjob.WorkerConfig{Grace: time.Hour})
		require.NoError(t, err)
		require.Error(t, w.Healthy())
		_, err = m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- w.Run(t.Context()) }()
		time.Sleep(time.Minute)
		require.NoError(t, w.Healthy())
		require.ErrorIs(t, w.Run(t.Context()), syncjob.ErrWorkerRunning)
		begun := time.Now()
		w.Abort()
		require.NoError(t, <-done)
		require.Zero(t, time.Since(begun))
	})
}

func TestCloseAbortsWorkersAndEndsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
			<-ctx.Done()
			return ctx.Err()
		}))
		w, err := m.NewWorker(syncjob.WorkerConfig{Grace: time.Hour})
		require.NoError(t, err)
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		worked, waited := make(chan error, 1), make(chan error, 1)
		go func() { worked <- w.Run(t.Context()) }()
		go func() { _, err := run.Wait(t.Context()); waited <- err }()
		time.Sleep(time.Second)
		require.NoError(t, m.Close())
		require.ErrorIs(t, <-worked, syncjob.ErrClosed)
		require.ErrorIs(t, <-waited, syncjob.ErrClosed)
		require.ErrorIs(t, w.Run(t.Context()), syncjob.ErrClosed)
	})
}

func TestHandlersInheritTheValuesOfRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen any
		m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
			seen = ctx.Value(ctxKey{})
			_, ok := syncjob.FromContext(ctx)
			require.True(t, ok)
			return nil
		}))
		_, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		w, err := m.NewWorker(syncjob.WorkerConfig{})
		require.NoError(t, err)
		n, err := w.RunOnce(context.WithValue(t.Context(), ctxKey{}, "value"))
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, "value", seen)
	})
}
