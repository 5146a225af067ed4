package syncjob_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func TestAStandingJobTakesTasksFromEveryReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{})
		job := syncjob.Job{Name: "adhoc", Set: "tree", Open: true, Root: leaf{}}
		result, err := m.Ensure(t.Context(), job)
		require.NoError(t, err)
		require.Equal(t, syncjob.EnsureCreated, result)
		result, err = m.Ensure(t.Context(), job)
		require.NoError(t, err)
		require.Equal(t, syncjob.EnsureUnchanged, result)
		job.Weight, job.Revision = 2, 7
		result, err = m.Ensure(t.Context(), job)
		require.NoError(t, err)
		require.Equal(t, syncjob.EnsureUpdated, result)
		job.Weight, job.Revision = 1, 6
		result, err = m.Ensure(t.Context(), job)
		require.NoError(t, err)
		require.Equal(t, syncjob.EnsureKept, result)

		_, err = m.Enqueue(t.Context(), "adhoc", leaf{}, nil)
		require.NoError(t, err)
		_, err = m.EnqueueAll(t.Context(), "adhoc", leaves(10), nil)
		require.NoError(t, err)
		synctest.Wait()
		state, err := m.State(t.Context(), "adhoc")
		require.NoError(t, err)
		require.Equal(t, states.JobStanding, state.Type)
		require.EqualValues(t, 7, state.Revision)
		require.EqualValues(t, 12, state.Run.Counts.Succeeded)
		require.Equal(t, states.Running, state.Run.Status)
	})
}

func TestAStoppedDeclaredJobStaysDisabledUntilEnabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		job := syncjob.Job{Name: "adhoc", Set: "tree", Open: true}
		_, err := m.Ensure(t.Context(), job)
		require.NoError(t, err)
		receipt, err := m.Enqueue(t.Context(), "adhoc", leaf{}, nil)
		require.NoError(t, err)
		require.NoError(t, m.Stop(t.Context(), "adhoc", nil))
		require.NoError(t, m.Stop(t.Context(), "adhoc", nil), "stopping is absolute")
		_, err = m.Enqueue(t.Context(), "adhoc", leaf{}, nil)
		require.ErrorIs(t, err, syncjob.ErrJobStopped)
		_, err = m.Ensure(t.Context(), job)
		require.NoError(t, err)
		state, err := m.State(t.Context(), "adhoc")
		require.NoError(t, err)
		require.True(t, state.Disabled)
		require.Equal(t, receipt.Run.Number, state.LastRun)

		require.NoError(t, m.Enable(t.Context(), "adhoc"))
		next, err := m.Enqueue(t.Context(), "adhoc", leaf{}, nil)
		require.NoError(t, err, "the remembered run is looked up again")
		require.Greater(t, next.Run.Number, receipt.Run.Number)
	})
}
