package faults

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/events"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

func longTask(t *testing.T) {
	const lease, leases = 2 * time.Second, 10
	w := newWorld(t, lease, nil)
	first, second := w.worker(4), w.worker(4)
	began := time.Now()
	s := w.grow(node{Path: "root", Fan: []int{6}, Leaf: lasts, For: leases * lease})
	s.requireGrown(0)
	require.GreaterOrEqual(t, time.Since(began), leases*lease)
	s.requireOneAttemptEach()
	require.Zero(t, times(s.events(), cancelled))
	first.drain()
	second.drain()
	s.requireNothingLeft()
}

func handlerIgnoresCancellation(t *testing.T) {
	w := newWorld(t, 3*time.Second, nil)
	worker := w.worker(3)
	stalled := w.begin(syncjob.Job{Name: "stalled", Set: "tree", Root: node{Path: "stalled", Leaf: stalls}}, growth{quiet: true})
	w.await("it in hand", seen(started, 1))
	require.NoError(t, stalled.Stop(t.Context(), nil))

	// The other slots go on.
	beside := w.grow(node{Path: "root", Fan: []int{100}})
	beside.requireGrown(0)
	worker.awaitLog(events.HandlerStuck)
	state, err := stalled.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, states.Stopping, state.Status, "a handler of it runs")

	// The shutdown ends without it, and says so; then the run can end.
	require.NoError(t, worker.input.Close())
	worker.requireGone(1)
	worker.awaitLog("1 handler did not return")
	other := w.worker(1)
	final := stalled.finish()
	require.Equal(t, states.Stopped, final.Status)
	require.Equal(t, store.Counts{Total: 1, Cancelled: 1}, final.Counts)
	require.Equal(t, 1, stalled.starts())
	other.drain()
	beside.requireNothingLeft()
	stalled.requireNothingLeft()
}

func rootEnqueuesNothing(t *testing.T) {
	w := newWorld(t, longLease, nil)
	worker := w.worker(2)
	for _, root := range []node{{Path: "leaf"}, {Path: "empty", Fan: []int{0}}} {
		s := w.grow(root)
		final := s.requireGrown(0)
		require.Equal(t, store.Counts{Total: 1, Succeeded: 1}, final.Counts)
		s.requireNothingLeft()
	}
	// Nor does one run that is sealed before anything came.
	s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Open: true}, growth{})
	require.NoError(t, s.Seal(t.Context()))
	require.Zero(t, s.requireGrown(0).Counts.Total)
	worker.drain()
	s.requireNothingLeft()
}

func everyTaskFails(t *testing.T) {
	w := newWorld(t, longLease, nil)
	first, second := w.worker(8), w.worker(8)
	for _, root := range []node{
		{Path: "root", Leaf: fails},
		{Path: "root", Fan: []int{300}, Leaf: fails},
	} {
		failing := len(root.grown().paths)
		if len(root.Fan) > 0 {
			failing-- // the root itself succeeds, or its children were never there
		}
		want := root.grown()
		want.retried = int64(failing) * handlers.DefaultMaxRetries
		s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Root: root}, want)
		s.requireGrown(failing)
		told := 0
		for f, err := range s.Failures(t.Context(), nil) {
			require.NoError(t, err)
			require.Equal(t, errFails.Error(), f.Error)
			require.Equal(t, handlers.DefaultMaxRetries, f.Retry)
			told++
		}
		require.Equal(t, failing, told)
		s.requireNothingLeft()
	}
	first.drain()
	second.drain()
}
