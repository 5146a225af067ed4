package faults

import (
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// reclaimBound is how long after a worker's last sign of life its tasks may take to
// start elsewhere: the lease, a heartbeat of another worker, by which it learns that a
// sweep is due, and as much again for a busy machine.
const reclaimBound = 4*shortLease + 4*time.Second

func workerKilledMidTask(t *testing.T) {
	w := newWorld(t, shortLease, nil)
	desk := w.atDesk()
	victim := w.worker(4)
	s := w.grow(node{Path: "root", Fan: []int{4}, Leaf: waits})
	w.await("four tasks in hand", seen(started, 5))
	other := w.worker(4)
	victim.kill()
	killed := time.Now()
	w.await("the tasks elsewhere", func(events []event) bool {
		again := 0
		for _, e := range about(events, started, "") {
			if e.Worker == other.name {
				again++
			}
		}
		return again > 0
	})
	reclaimed := time.Since(killed)
	victim.requireLost(w, 4, killed)
	t.Logf(
		"reclaimed %v after the kill, with a lease of %v and a sweep every %v", reclaimed.Round(time.Millisecond),
		shortLease, sweepInterval,
	)
	require.Less(t, reclaimed, reclaimBound)
	w.open()
	s.requireGrown(0) // no retry is charged among it
	for _, e := range about(s.events(), started, "") {
		require.Zero(t, e.Retry)
	}
	desk.close()
	other.drain()
	s.requireNothingLeft()
}

// requireLost requires that the store says of a process that was killed, and of no other, how it was
// lost.
func (p *process) requireLost(w *world, atLeast int, killed time.Time) {
	w.t.Helper()
	var lost []states.LostWorker
	for asked := time.Now(); len(lost) == 0 || lost[0].Held < atLeast; time.Sleep(pollGap) {
		require.Less(w.t, time.Since(asked), patience, "not every partition has lost it: %v", lost)
		var err error
		lost, err = w.oracle.LostWorkers(w.t.Context())
		require.NoError(w.t, err)
		lost = slices.DeleteFunc(lost, func(l states.LostWorker) bool { return strings.HasSuffix(l.Name, deskSuffix) })
	}
	require.Len(w.t, lost, 1)
	got := lost[0]
	require.Equal(w.t, p.name, got.Name)
	require.Equal(w.t, p.cmd.Process.Pid, got.PID)
	require.Equal(w.t, version, got.Version)
	require.False(w.t, got.Heard.After(killed.Add(time.Second)), "it was heard from at %v, and killed at %v", got.Heard, killed)
	require.GreaterOrEqual(w.t, got.Ended.Sub(got.Heard), shortLease)
	require.False(w.t, got.Back)
	w.t.Logf("%s %s; it held %d tasks", got.Name, got.Reason, got.Held)
}

func workerPausedPastItsLease(t *testing.T) {
	w := newWorld(t, shortLease, nil)
	zombie := w.worker(2)
	standing := syncjob.Job{Name: jobName, Set: "tree", Open: true}
	sleeper, lingerer := node{Path: "sleeper", Leaf: sleeps}, node{Path: "lingerer", Leaf: lingers}
	s := w.begin(standing, growth{paths: map[string]bool{"sleeper": true, "lingerer": true}})
	for _, n := range []node{sleeper, lingerer} {
		_, err := s.Enqueue(t.Context(), n, nil)
		require.NoError(t, err)
	}
	w.await("both in hand", seen(started, 2))
	zombie.pause()
	other := w.worker(2)
	w.await("both elsewhere", seen(started, 4))
	w.open() // the zombie finds it open when it awakes
	zombie.resume()
	// The run is active all the while: what the zombie sends would count.
	events := w.await("both attempts of the zombie to enqueue", seen(staged, 2))
	causes := about(events, cancelled, "lingerer")
	require.Len(t, causes, 1)
	require.Equal(t, store.ErrLeaseLost.Error(), causes[0].Text)
	for _, e := range about(events, staged, "") {
		require.Equal(t, zombie.name, e.Worker)
		require.NotEmpty(t, e.Text, "an attempt without a lease has staged children")
	}
	require.NoError(t, s.Seal(t.Context()))
	s.requireGrown(0)
	zombie.drain()
	other.drain()
	s.requireNothingLeft()
}

func poisonTaskKillsTheProcess(t *testing.T) {
	w := newWorld(t, shortLease, nil)
	beside := node{Path: "beside", Fan: []int{40}}
	want := beside.childrenGrown()
	want.paths["poison"] = true
	s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Open: true}, want)
	_, err := s.EnqueueAll(t.Context(), amid(beside, node{Path: "poison", Leaf: kills}, 7), nil)
	require.NoError(t, err)
	require.NoError(t, s.Seal(t.Context()))

	// Settlements come late, so that others have ended, and are held still, when the
	// process dies: they are not to be charged either.
	w.proxy.Inject(redistest.Fault{Kind: redistest.Cut, Match: w.script("settle"), Every: 2})
	// The first death only makes a recovered task of it; two more are charged.
	for range 3 {
		w.worker(8).requireGone(killedItself)
	}
	w.proxy.Clear()
	last := w.worker(8)
	s.requireGrown(1)
	require.Len(t, about(s.events(), started, "poison"), 3)
	for f, err := range s.Failures(t.Context(), nil) {
		require.NoError(t, err)
		require.Equal(t, 2, f.Crashes)
		require.Zero(t, f.Retry)
	}
	last.drain()
	s.requireNothingLeft()
}

// amid are the children of a node with another task between them.
func amid(parent, other node, at int) iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		n := 0
		for item, err := range parent.children() {
			if n == at && !yield(enqueue.Task(other, nil), nil) || !yield(item, err) {
				return
			}
			n++
		}
	}
}

func workerDiesInThePostJobHook(t *testing.T) {
	w := newWorld(t, shortLease, nil)
	victim := w.worker(2)
	root := node{Path: "root", Fan: []int{50}}
	s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Root: root, Headers: map[string]string{"hook": waits}}, root.grown())
	w.await("the hook", seen(hookBegan, 1))
	state, err := s.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, states.Finishing, state.Status)
	victim.kill()
	other := w.worker(2)
	s.requireGrown(0)
	began := about(s.events(), hookBegan, "")
	require.Len(t, began, 2)
	require.Equal(t, other.name, began[1].Worker)
	require.Zero(t, began[1].Retry)
	other.drain()
	s.requireNothingLeft()
}
