package syncjob_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func TestARunIsDoneWhenItsLastTaskIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 1000}}, nil)
		require.NoError(t, err)
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		require.EqualValues(t, 1001, final.Counts.Succeeded)
		require.True(t, final.Counts.Balanced())
	})
}
