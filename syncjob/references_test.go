package syncjob_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

func TestReferencesToTasksAndWorkersReadWhatIsKnownOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		reg := set(t, handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries}},
			func(context.Context, *handlers.Task[leaf]) error {
				<-release
				return errors.New("broken")
			})
		m := manager(t, reg)
		work(t, m, syncjob.WorkerConfig{Name: "one"})
		run, err := m.Start(t.Context(), syncjob.Job{
			Name: "j", Set: "tree", Root: leaf{}, RootOptions: &enqueue.Options{ID: "first"},
		}, nil)
		require.NoError(t, err)
		require.Equal(t, store.RunID{Job: "j", Number: run.Number()}, run.ID())
		task := run.Task("first")
		require.Equal(t, "first", task.ID())
		require.Same(t, run, task.Run())
		synctest.Wait()
		running, ok, err := task.Running(t.Context())
		for err == nil && !ok { // it is told with a heartbeat
			time.Sleep(time.Second)
			running, ok, err = task.Running(t.Context())
		}
		require.NoError(t, err)
		require.Equal(t, "one", running.Worker)
		_, ok, err = task.Failure(t.Context())
		require.NoError(t, err)
		require.False(t, ok)

		states, err := m.Worker("one").States(t.Context())
		require.NoError(t, err)
		require.Len(t, states, 1)
		require.Equal(t, 1, states[0].Held)
		states, err = m.Worker("two").States(t.Context())
		require.NoError(t, err)
		require.Empty(t, states)

		close(release)
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		failure, ok, err := task.Failure(t.Context())
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, "broken", failure.Error)
		_, ok, err = run.Task("another").Failure(t.Context())
		require.NoError(t, err)
		require.False(t, ok)
		var bad *syncjob.FieldError
		_, _, err = run.Task("").Running(t.Context())
		require.ErrorAs(t, err, &bad)
		_, _, err = run.Task("").Failure(t.Context())
		require.ErrorAs(t, err, &bad)
		_, _, err = m.Run("j", 1).Task("first").Failure(t.Context())
		require.ErrorIs(t, err, syncjob.ErrRunNotFound)
	})
}

func TestTheManagerShowsWhatItIsComposedOf(t *testing.T) {
	reg := set(t, handlers.SetConfig{}, noop)
	m := manager(t, reg)
	require.Same(t, reg, m.Registry())
	run, err := m.Start(t.Context(), syncjob.Job{Name: "j", Set: "tree", Open: true}, nil)
	require.NoError(t, err)
	_, err = m.Enqueuer().Enqueue(t.Context(), run.ID(), "tree", enqueue.Task(leaf{}, nil))
	require.NoError(t, err)
	rec, err := m.Store().Run(t.Context(), run.ID())
	require.NoError(t, err)
	require.EqualValues(t, 1, rec.Counts.Pending)

	without, err := syncjob.New(memstore.New(nil), syncjob.Config{})
	require.NoError(t, err)
	require.Nil(t, without.Registry())
	require.NoError(t, without.Close())
}
