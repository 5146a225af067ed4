package tasklist

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
)

func TestCursorsAreReadAsTheyWereWritten(t *testing.T) {
	for _, c := range []Cursor{
		{Source: Held}, {Source: Held, Place: "session", At: 7, Within: 3}, {Source: Waiting, Place: "q/s.x/k", At: 1 << 40},
	} {
		read, err := Parse(c.String())
		require.NoError(t, err)
		require.Equal(t, c, read)
	}
	first, err := Parse("")
	require.NoError(t, err)
	require.Equal(t, Cursor{Source: Held}, first)
	require.Empty(t, Cursor{Source: End}.String())
}

func FuzzACursorThatNoPageGaveIsRefused(f *testing.F) {
	for _, s := range []string{"x", "a.1.2", "h.0.0.", "a.-1.0.", "a.01.0.", "a.1.x.", "aa.1.1.", "a.99999999999999999999.0."} {
		f.Add(s)
		_, err := Parse(s)
		require.ErrorIs(f, err, store.ErrInvalid, s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := Parse(s); err != nil {
			require.ErrorIs(t, err, store.ErrInvalid)
		} else if s != "" {
			require.Equal(t, s, c.String())
		}
	})
}

func TestTheStateOfARunAndPausesSayWhereItsTasksAre(t *testing.T) {
	all, none := &store.TasksParams{}, &store.PauseSet{}
	route, other := store.Route{Queue: "q", Set: "s", Kind: "k"}, store.Route{Queue: "other", Set: "s", Kind: "k"}
	running, paused := NewFilter(all, store.StatusRunning, false, none), NewFilter(all, store.StatusRunning, true, none)
	starting, stopping := NewFilter(all, store.StatusStarting, false, none), NewFilter(all, store.StatusStopping, false, none)
	task := &store.Task{}
	require.Equal(t, store.TaskWaiting, running.StatusOf(Waiting, route, task))
	require.Equal(t, store.TaskHeld, paused.StatusOf(Staged, route, task))
	require.Equal(t, store.TaskHeld, starting.StatusOf(Root, route, task))
	require.Equal(t, store.TaskDelayed, paused.StatusOf(Delayed, route, task))
	require.Equal(t, store.TaskRetrying, running.StatusOf(Delayed, route, &store.Task{Retry: 1}))
	require.False(t, stopping.Source(Waiting), "what waited is cancelled")
	require.True(t, stopping.Source(Held))
	require.True(t, stopping.Source(Failed))
	queue := &store.PauseSet{Pauses: []store.Pause{{Scope: store.PauseScope{Queue: "q"}}}}
	held := NewFilter(&store.TasksParams{Status: store.TaskHeld}, store.StatusRunning, false, queue)
	require.True(t, held.Route(Waiting, route))
	require.False(t, held.Route(Waiting, other), "nothing of it is held: no page needs to look")
	require.True(t, held.Route(Delayed, other))
}
