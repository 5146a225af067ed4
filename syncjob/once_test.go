package syncjob_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

func TestRunOnceWorksOffWhatIsThereAndReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		w, err := m.NewWorker(syncjob.WorkerConfig{})
		require.NoError(t, err)
		n, err := w.RunOnce(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)

		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 1000}, Open: true}, nil)
		require.NoError(t, err)
		_, err = run.Enqueue(t.Context(), leaf{}, &enqueue.Options{Delay: time.Hour})
		require.NoError(t, err)
		n, err = w.RunOnce(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1001, n, "children too, but nothing that is not due")

		time.Sleep(time.Hour)
		n, err = w.RunOnce(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, n)
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.Zero(t, state.Counts.Remaining())
	})
}
