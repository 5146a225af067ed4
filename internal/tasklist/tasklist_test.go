package tasklist

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
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
	all, none, now := &store.TasksParams{}, &store.PauseSet{}, time.Now()
	route, other := store.Route{Queue: "q", Set: "s", Kind: "k"}, store.Route{Queue: "other", Set: "s", Kind: "k"}
	running, paused := NewFilter(all, now, statuses.Running, false, none), NewFilter(all, now, statuses.Running, true, none)
	starting, stopping := NewFilter(all, now, statuses.Starting, false, none), NewFilter(all, now, statuses.Stopping, false, none)
	task := &store.Task{}
	require.Equal(t, statuses.TaskWaiting, running.StatusOf(Waiting, route, task))
	require.Equal(t, statuses.TaskHeld, paused.StatusOf(Staged, route, task))
	require.Equal(t, statuses.TaskHeld, starting.StatusOf(Root, route, task))
	require.Equal(t, statuses.TaskDelayed, paused.StatusOf(Delayed, route, task))
	require.Equal(t, statuses.TaskRetrying, running.StatusOf(Delayed, route, &store.Task{Retry: 1}))
	late := &store.Task{Expires: now, Retry: 1}
	for _, source := range []Source{Root, Delayed, Recovered, Waiting, Staged} {
		require.Equal(t, statuses.TaskExpired, paused.StatusOf(source, route, late))
	}
	require.Equal(t, statuses.TaskRunning, running.StatusOf(Held, route, late), "it has begun")
	require.Equal(t, statuses.TaskFailed, running.StatusOf(Failed, route, late))
	require.Equal(t, statuses.TaskWaiting, running.StatusOf(Waiting, route, &store.Task{Expires: now.Add(1)}))
	expired := NewFilter(&store.TasksParams{Status: statuses.TaskExpired}, now, statuses.Running, true, none)
	for _, source := range []Source{Root, Delayed, Recovered, Waiting, Staged} {
		require.True(t, expired.Source(source) && expired.Route(source, route) && expired.Task(source, route, late))
	}
	require.False(t, expired.Source(Held) || expired.Source(Failed))
	require.False(t, stopping.Source(Waiting), "what waited is cancelled")
	require.True(t, stopping.Source(Held))
	require.True(t, stopping.Source(Failed))
	queue := &store.PauseSet{Pauses: []store.Pause{{Scope: store.PauseScope{Queue: "q"}}}}
	held := NewFilter(&store.TasksParams{Status: statuses.TaskHeld}, now, statuses.Running, false, queue)
	require.True(t, held.Route(Waiting, route))
	require.False(t, held.Route(Waiting, other), "nothing of it is held: no page needs to look")
	require.True(t, held.Route(Delayed, other))
}
