package faults

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// lane is a key of the lane in which nodes of the run wait.
func (s *subject) lane(list string) string {
	return s.w.key(fmt.Sprintf("%s:%d/default/tree/node", list, s.Number()))
}

// do runs a command by hand.
func (w *world) do(words ...string) {
	w.t.Helper()
	require.NoError(w.t, w.server.Do(w.t.Context(), words...))
}

// list reads an array by hand.
func (w *world) list(words ...string) []string {
	w.t.Helper()
	client := w.server.Client
	got, err := client.Do(w.t.Context(), client.B().Arbitrary(words...).Build()).AsStrSlice()
	require.NoError(w.t, err)
	return got
}

// garbled are messages that are none.
var garbled = []string{"garbage", "", "\x01", "\x01\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "\x02\x00\x00\x00 of a later version"}

func corruptOrMissingRecords(t *testing.T) {
	t.Run("tasks", corruptTasks)
	t.Run("a missing task", missingTask)
	t.Run("runs", damagedRuns)
	t.Run("on a cluster", repairedOnACluster)
}

// corruptTasks overwrites tasks where they wait, where they are delayed, and where they are
// held.
func corruptTasks(t *testing.T) {
	w := newWorld(t, shortLease, nil)
	outside := node{Path: "outside", Fan: []int{40}, Leaf: waits}
	s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Open: true}, outside.childrenGrown())
	_, err := s.EnqueueAll(t.Context(), outside.children(), nil)
	require.NoError(t, err)
	corrupt := 0
	for i, message := range garbled {
		w.do("LSET", s.lane("W"), fmt.Sprint(3+7*i), message)
		s.want.paths[outside.child(3+7*i).Path] = false
		corrupt++
	}
	later := node{Path: "later", Fan: []int{3}}
	for i := range 3 {
		_, err := s.Enqueue(t.Context(), later.child(i), &enqueue.Options{Delay: 300 * time.Millisecond})
		require.NoError(t, err)
		s.want.paths[later.child(i).Path] = true
	}
	w.do("ZREM", s.lane("D"), w.list("ZRANGE", s.lane("D"), "1", "1")[0])
	w.do("ZADD", s.lane("D"), "1", "garbage")
	s.want.paths[later.child(1).Path] = false
	corrupt++

	victim := w.worker(4)
	held := w.await("four in hand", seen(started, 4))
	victim.pause()
	var session string
	for _, key := range w.keys() {
		if strings.Contains(key, "}:L:") {
			session = key
		}
	}
	overwritten := 0
	for _, field := range w.list("HKEYS", session) {
		message := w.list("HMGET", session, field)[0]
		for _, e := range about(held, started, "") {
			if strings.Contains(message, `"`+e.Path+`"`) && overwritten < 2 {
				w.do("HSET", session, field, "garbage")
				overwritten++
				corrupt++
			}
		}
	}
	require.Equal(t, 2, overwritten)
	victim.kill()
	other := w.worker(8)
	w.open()
	require.NoError(t, s.Seal(t.Context()))
	final := s.finish()
	require.Equal(t, states.Failed, final.Status)
	total := int64(43)
	require.Equal(t, states.Counts{Total: total, Succeeded: total - int64(corrupt), Failed: int64(corrupt)}, final.Counts)
	s.requireHookOnce(string(states.Failed))
	told := 0
	for f, err := range s.Failures(t.Context(), nil) {
		require.NoError(t, err, "what is corrupt is listed all the same")
		require.Empty(t, f.TaskID)
		require.Contains(t, f.Error, store.ErrCorrupt.Error())
		told++
	}
	require.Equal(t, corrupt, told)
	other.awaitLog("a stored task cannot be decoded")
	other.drain()
	s.requireNothingLeft()
}

// missingTask removes a task that was counted. The run cannot end, and says why.
func missingTask(t *testing.T) {
	w := newWorld(t, longLease, nil)
	outside := node{Path: "outside", Fan: []int{10}}
	s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Open: true}, growth{quiet: true})
	_, err := s.EnqueueAll(t.Context(), outside.children(), nil)
	require.NoError(t, err)
	w.do("LPOP", s.lane("W"))
	require.NoError(t, s.Seal(t.Context()))
	worker := w.worker(2)
	beside, err := w.m.Start(
		t.Context(), syncjob.Job{Name: "beside", Set: "tree", Root: node{Path: "beside", Fan: []int{100}, Quiet: true}},
		nil,
	)
	require.NoError(t, err)
	_, err = beside.Wait(t.Context())
	require.NoError(t, err)
	for state, err := range s.Watch(t.Context()) {
		require.NoError(t, err)
		if state.Counts.Succeeded == 9 {
			break
		}
	}
	why, err := s.Explain(t.Context())
	require.NoError(t, err)
	require.Equal(t, states.Running, why.Run.Status, "it is never done though a task is missing")
	require.Equal(t, []string{"pending: the counter says 1, the sets hold 0"}, why.Disagreements)
	require.NoError(t, s.Stop(t.Context(), nil))
	require.Equal(t, store.Counts{Total: 10, Succeeded: 9, Cancelled: 1}, s.finish().Counts)
	worker.drain()
	s.requireNothingLeft()
}

// damagedRuns overwrites and removes what is stored of runs, while workers hold tasks of
// them. Others go on.
func damagedRuns(t *testing.T) {
	for name, damage := range map[string]func(w *world, key string){
		"gone":           func(w *world, key string) { w.do("DEL", key) },
		"overwritten":    func(w *world, key string) { w.do("SET", key, "garbage") },
		"without counts": func(w *world, key string) { w.do("HSET", key, "pending", "many", "running", "few") },
		"of no state":    func(w *world, key string) { w.do("HSET", key, "state", "garbage") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, shortLease, nil)
			first := w.worker(4)
			bad, err := w.m.Start(
				t.Context(), syncjob.Job{Name: "bad", Set: "tree", Root: node{Path: "bad", Fan: []int{20}, Leaf: waits}}, nil,
			)
			require.NoError(t, err)
			s := w.grow(node{Path: "root", Fan: []int{20}, Leaf: waits})
			w.await("all hands full", seen(started, 6))
			damage(w, w.key(fmt.Sprintf("run:%d", bad.Number())))
			_, err = bad.State(t.Context())
			require.True(t, isDamage(err), "%v", err)
			second := w.worker(4)
			first.kill() // and what it held of both is reclaimed
			w.open()
			s.requireGrown(0)
			_, err = bad.State(t.Context())
			require.True(t, isDamage(err), "%v", err)
			for page, err := range w.m.Jobs(t.Context(), nil) {
				require.NoError(t, err, "the listing goes on")
				_ = page
			}
			second.drain()
		})
	}
}

// isDamage reports whether an error says that a run's state is not what it was.
func isDamage(err error) bool {
	return errors.Is(err, syncjob.ErrStateLost) || errors.Is(err, store.ErrCorrupt)
}
