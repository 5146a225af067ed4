package syncjob_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func cancelTask(t *testing.T, run *syncjob.Run, id string) syncjob.CancelResult {
	t.Helper()
	result, err := run.Task(id).Cancel(t.Context())
	require.NoError(t, err)
	return result
}

func TestACancelledHandlerHearsOfItAndIsNotTriedAgain(t *testing.T) {
	for name, ends := range map[string]struct {
		err  error // of the handler, once its context has ended
		want states.Counts
	}{
		"as its context":    {context.Canceled, states.Counts{Total: 1, Cancelled: 1}},
		"to be tried again": {handlers.RetryAfter(time.Second, errors.New("later")), states.Counts{Total: 1, Cancelled: 1}},
		"snoozing":          {handlers.Snooze(time.Second), states.Counts{Total: 1, Cancelled: 1}},
		"for good":          {handlers.Permanent(errors.New("broken")), states.Counts{Total: 1, Cancelled: 1}},
		"well":              {nil, states.Counts{Total: 1, Succeeded: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var attempts atomic.Int64
				var cause error
				m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
					attempts.Add(1)
					<-ctx.Done()
					cause = context.Cause(ctx)
					return ends.err
				}))
				work(t, m, syncjob.WorkerConfig{})
				run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
				require.NoError(t, err)
				add(t, run, 1, enqueue.Options{ID: "runs"})
				time.Sleep(5 * time.Second)
				asked := time.Now()
				require.Equal(t, syncjob.CancelRequested, cancelTask(t, run, "runs"))
				require.NoError(t, run.Seal(t.Context()))
				final, err := run.Wait(t.Context())
				require.NoError(t, err)
				require.Equal(t, ends.want, final.Counts)
				require.Equal(t, states.Succeeded, final.Status, "nothing failed")
				require.ErrorIs(t, cause, syncjob.ErrTaskCancelled)
				require.Less(t, time.Since(asked), time.Second)
				require.EqualValues(t, 1, attempts.Load())
				require.Equal(t, syncjob.CancelRequested, cancelTask(t, run, "runs"), "a repeat")
			})
		})
	}
}

func TestACancelledTaskThatWaitsNeverBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int64
		m := manager(t, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			ran.Add(1)
			return nil
		}))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		for i, id := range []string{"first", "second", "third"} {
			add(t, run, i, enqueue.Options{ID: id})
		}
		add(t, run, 4, enqueue.Options{ID: "later", Delay: time.Hour})
		require.Equal(t, syncjob.CancelDone, cancelTask(t, run, "second"))
		require.Equal(t, syncjob.CancelDone, cancelTask(t, run, "later"))
		require.Equal(t, syncjob.CancelDone, cancelTask(t, run, "later"), "a repeat")
		require.Equal(t, syncjob.CancelNotFound, cancelTask(t, run, "unknown"))
		_, err = run.Task("second").State(t.Context())
		require.ErrorIs(t, err, syncjob.ErrTaskNotFound)
		require.NotContains(t, tasksOf(t, run, nil), "second")
		explained, err := run.Explain(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Counts{Total: 4, Pending: 2, Cancelled: 2}, explained.Run.Counts)

		work(t, m, syncjob.WorkerConfig{})
		require.NoError(t, run.Seal(t.Context()))
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Counts{Total: 4, Succeeded: 2, Cancelled: 2}, final.Counts)
		require.EqualValues(t, 2, ran.Load())
		require.Equal(t, syncjob.CancelNotFound, cancelTask(t, run, "first"), "it has succeeded")
	})
}

func TestDelayedTasksRunNowOrAtAnotherTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := make(map[string]time.Duration)
		start := time.Now()
		m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[leaf]) error {
			began[task.ID] = time.Since(start)
			if task.ID == "retries" && task.Retry == 0 {
				return handlers.RetryAfter(24*time.Hour, errors.New("not yet"))
			}
			return nil
		}))
		work(t, m, syncjob.WorkerConfig{Concurrency: 1})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		add(t, run, 1, enqueue.Options{ID: "retries"})
		add(t, run, 2, enqueue.Options{ID: "later", Delay: time.Hour})
		add(t, run, 3, enqueue.Options{ID: "sooner", Delay: time.Hour})
		time.Sleep(time.Minute)
		require.NoError(t, run.Task("retries").RunNow(t.Context()))
		require.NoError(t, run.Task("later").Reschedule(t.Context(), start.Add(3*time.Hour)))
		require.NoError(t, run.Task("sooner").Reschedule(t.Context(), start.Add(2*time.Minute)))
		state, err := run.Task("later").State(t.Context())
		require.NoError(t, err)
		require.True(t, start.Add(3*time.Hour).Equal(state.NextAttempt))
		require.NoError(t, run.Seal(t.Context()))
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		for id, at := range map[string]time.Duration{"retries": time.Minute, "sooner": 2 * time.Minute, "later": 3 * time.Hour} {
			require.InDelta(t, at, began[id], float64(2*time.Second), id)
		}
	})
}

func TestWhatCannotBeChangedSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		add(t, run, 1, enqueue.Options{ID: "waits"})
		require.ErrorIs(t, run.Task("waits").RunNow(t.Context()), syncjob.ErrTaskNotDelayed)
		require.ErrorIs(t, run.Task("waits").Reschedule(t.Context(), time.Now()), syncjob.ErrTaskNotDelayed)
		require.ErrorIs(t, run.Task("unknown").RunNow(t.Context()), syncjob.ErrTaskNotFound)
		var field *syncjob.FieldError
		require.ErrorAs(t, run.Task("waits").Reschedule(t.Context(), time.Time{}), &field)
		require.Equal(t, "At", field.Field)
		require.ErrorAs(t, run.Task("").RunNow(t.Context()), &field)
		require.Equal(t, "ID", field.Field)
		_, err = run.Task("").Cancel(t.Context())
		require.ErrorAs(t, err, &field)
		_, err = m.Run("a", run.Number()+1).Task("waits").Cancel(t.Context())
		require.ErrorIs(t, err, syncjob.ErrRunNotFound)
	})
}

// missesOnce does not find the task in the first search, as if it moved on meanwhile.
type missesOnce struct {
	store.Store
	missed atomic.Bool
}

func (s *missesOnce) ChangeTask(ctx context.Context, p store.ChangeTaskParams) (store.ChangeTaskReply, error) {
	if s.missed.CompareAndSwap(false, true) {
		return store.ChangeTaskReply{}, nil
	}
	return s.Store.ChangeTask(ctx, p)
}

func TestATaskThatMovesWhileItIsSoughtIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managerOn(t, &missesOnce{Store: memstore.New(nil)}, set(t, handlers.SetConfig{}, noop))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		add(t, run, 1, enqueue.Options{ID: "moves", Delay: time.Hour})
		require.Equal(t, syncjob.CancelDone, cancelTask(t, run, "moves"))
	})
}
