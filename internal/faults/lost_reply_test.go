package faults

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/syncjob"
)

// moody is a tree of 661 tasks with retries, snoozes, claimed IDs and doubles.
func moody(seed uint64) node { return node{Path: "root", Fan: []int{60, 10}, Moods: seed} }

// throughFault grows a tree while the fault strikes calls of the given scripts, and
// requires that it did.
func throughFault(t *testing.T, f redistest.Fault, names ...string) {
	t.Helper()
	moods, _ := seed(t)
	w := newWorld(t, longLease, nil)
	desk := w.atDesk()
	first, second := w.worker(8), w.worker(8)
	w.warm()
	f.Match = w.script(names...)
	w.proxy.Inject(f)
	s := w.grow(moody(moods))
	s.requireGrown(0)
	w.proxy.Clear()
	require.Positive(t, w.proxy.Injected())
	s.requireOneAttemptEach()
	desk.close()
	first.drain()
	second.drain()
	s.requireNothingLeft()
}

// requireOneAttemptEach requires that nothing was delivered twice: no worker died, so
// each path began once, and once more for each mood.
func (s *subject) requireOneAttemptEach() {
	s.w.t.Helper()
	s.w.calm = !s.w.lost
	type attempt struct {
		path  string
		retry int
	}
	begun := make(map[attempt]int)
	for _, e := range about(s.events(), started, "") {
		begun[attempt{e.Path, e.Retry}]++
	}
	for a, n := range begun {
		most := 1
		if s.want.snoozes[a.path] {
			most = 2
		}
		require.LessOrEqual(s.w.t, n, most, "path %s began %d times at retry %d", a.path, n, a.retry)
	}
}

func replyLostAfterSettle(t *testing.T) {
	throughFault(t, redistest.Fault{Kind: redistest.Swallow, Every: 2}, "settle")
}

func replyLostAfterFetch(t *testing.T) {
	throughFault(t, redistest.Fault{Kind: redistest.Swallow, Every: 3}, "fetch")
}

func cutBeforeTheRequest(t *testing.T) {
	throughFault(t, redistest.Fault{Kind: redistest.Cut, Every: 3}, "start_run", "enqueue", "fetch", "settle", "stage")
}

func replyLostAfterEnqueue(t *testing.T) {
	moods, _ := seed(t)
	w := newWorld(t, longLease, nil)
	worker := w.worker(8)
	w.warm()
	outside := node{Path: "outside", Fan: []int{3000}, Moods: moods}
	single := node{Path: "single", Fan: []int{20}}
	want := outside.childrenGrown()
	for path := range single.childrenGrown().paths {
		want.paths[path] = true
	}
	s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Open: true}, want)
	_, err := s.Enqueue(t.Context(), single.child(0), nil) // the producer's stream is open, its script is loaded
	require.NoError(t, err)

	w.proxy.Inject(redistest.Fault{Kind: redistest.Swallow, Match: w.script("enqueue"), Every: 2})
	for i := 1; i < 20; i++ {
		receipt, err := s.Enqueue(t.Context(), single.child(i), nil)
		require.NoError(t, err)
		require.False(t, receipt.Duplicate)
	}
	summary, err := s.EnqueueAll(t.Context(), outside.children(), nil)
	require.NoError(t, err)
	require.EqualValues(t, want.duplicates, summary.Duplicates)
	require.Equal(t, 3000, summary.Enqueued)
	twin := &enqueue.Options{ID: "twin", IDFor: time.Hour}
	receipt, err := s.Enqueue(t.Context(), node{Path: "twin"}, twin)
	require.NoError(t, err)
	require.False(t, receipt.Duplicate, "a repeat of a call is no second call")
	receipt, err = s.Enqueue(t.Context(), node{Path: "twin"}, twin)
	require.NoError(t, err)
	require.True(t, receipt.Duplicate)
	want.paths["twin"] = true
	s.want.duplicates++
	require.NoError(t, s.Seal(t.Context()))
	require.GreaterOrEqual(t, w.proxy.Injected(), 10)
	w.proxy.Clear()

	s.requireGrown(0)
	s.requireOneAttemptEach()
	worker.drain()
	s.requireNothingLeft()
}
