package redisstore_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// The lanes of 40 runs are more than one round of a fetch looks at.
const manyRuns = 40

func TestFetchSeesPastStoppedRuns(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	for i := range manyRuns {
		require.NoError(t, s.StopRun(t.Context(), store.StopParams{Run: start(t, s, fmt.Sprintf("stopped-%02d", i))}))
	}
	start(t, s, "waiting")
	require.Len(t, w.fetch(10, "k"), 1)
}

func TestFetchSeesPastRunsThatWereStoppedLater(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	var stopped []store.RunID
	for i := range manyRuns {
		stopped = append(stopped, start(t, s, fmt.Sprintf("stopped-%02d", i)))
	}
	start(t, s, "waiting")
	for _, run := range stopped {
		require.NoError(t, s.StopRun(t.Context(), store.StopParams{Run: run}))
	}
	require.Len(t, w.fetch(10, "k"), 1)
}

func TestFetchSeesPastPausedRuns(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	for i := range manyRuns {
		require.NoError(t, s.SetRunPaused(t.Context(), start(t, s, fmt.Sprintf("paused-%02d", i)), true))
	}
	start(t, s, "waiting")
	require.Len(t, w.fetch(10, "k"), 1)
}

// early begins runs whose tasks came before their pre-job hook has passed.
func early(s *scene, n int, kinds ...string) {
	pre := itemOf(store.KindPreJob, "pre")
	for i := range n {
		run := s.begin(store.StartParams{Job: fmt.Sprintf("early-%02d", i), PreJob: &pre})
		for _, kind := range kinds {
			s.enqueue(run, itemOf(kind, "early"))
		}
	}
}

func TestFetchSeesPastStartingRunsToOneFarBehindInVirtualTime(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	big := s.begin(store.StartParams{Job: "big", Weight: 0.01})
	s.enqueue(big, items("k", 1000)...)
	require.Len(t, w.fetch(256, "k"), 256)
	early(s, manyRuns, "k")
	require.Len(t, w.fetch(256, "k"), 256)
}

func TestFetchReachesTheSecondQueueBehindRunsThatCannotStart(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	early(s, manyRuns, "k", "l")
	other := store.Item{Route: store.Route{Queue: "other", Set: "set", Kind: "k"}, Task: store.Task{ID: "root"}}
	s.begin(store.StartParams{Job: "waiting", Root: &other})
	ask := w.ask(10, "k", "l")
	ask.Queues = append(ask.Queues, store.FetchQueue{Queue: "other", Routes: []store.Route{other.Route}})
	require.Len(t, w.send(ask), 1)
}

func TestFetchSeesPastRecoveredThatTheSessionMayNotHave(t *testing.T) {
	s := newScene(t)
	w, dead := s.worker("w"), s.worker("dead")
	for i := range manyRuns {
		start(t, s, fmt.Sprintf("recovered-%02d", i))
	}
	for held := 0; held < manyRuns; {
		d := dead.fetch(manyRuns, "k")
		require.NotEmpty(t, d)
		held += len(d)
	}
	dead.die()
	big := s.begin(store.StartParams{Job: "big"})
	s.enqueue(big, items("k", 300)...)
	require.NotEmpty(t, w.fetch(256, "k"))
}

// With many kinds a round looks at few lanes of each.
func TestFetchOfManyKindsSeesPastRunsThatCannotStart(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	var kinds []string
	for i := range 60 {
		kinds = append(kinds, fmt.Sprintf("k%02d", i))
	}
	early(s, 10, kinds...)
	s.enqueue(s.begin(store.StartParams{Job: "waiting"}), itemOf("k59", "late"))
	require.Len(t, w.fetch(10, kinds...), 1)
}

func TestARunIsNotChargedForFetchesBeforeItsHookHasPassed(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	pre := itemOf(store.KindPreJob, "pre")
	waits := s.begin(store.StartParams{Job: "early", PreJob: &pre})
	s.enqueue(waits, items("k", 100)...)
	hook := w.fetchOne(store.KindPreJob)
	for range 300 {
		require.Empty(t, w.fetch(10, "k"))
	}
	w.settle(outcomeOf(hook, verdicts.Begin))
	s.enqueue(s.begin(store.StartParams{Job: "other"}), items("k", 256)...)
	got := map[string]int{}
	for range 10 {
		for _, d := range w.fetch(20, "k") {
			got[d.Lease.Lane.Run.Job]++
		}
	}
	require.Greater(t, got["early"], 50)
}

// Workers that contend for many small runs keep moving the rings.
func TestNoFetchIsEmptyWhilePlentyWaits(t *testing.T) {
	s := newScene(t)
	const runs, plenty = 400, 150
	for i := range runs {
		start(t, s, fmt.Sprintf("job-%03d", i))
	}
	var left, empty atomic.Int64
	left.Store(runs)
	var workers sync.WaitGroup
	for i := range 8 {
		w := sceneOn(t, s.server, s.server.URL(), s.namespace).worker(fmt.Sprint("w", i))
		workers.Go(func() {
			for left.Load() > plenty {
				reply, err := w.Fetch(t.Context(), w.ask(8, "k"))
				if err != nil {
					t.Error(err)
					return
				}
				if len(reply.Deliveries) == 0 && left.Load() > plenty {
					empty.Add(1)
				} else if len(reply.Deliveries) > 0 {
					w.fetched++
				}
				left.Add(-int64(len(reply.Deliveries)))
			}
		})
	}
	workers.Wait()
	require.Zero(t, empty.Load())
}

func TestAFetchThatHangsHoldsUpNoOtherCallOfItsSession(t *testing.T) {
	s, proxy := proxiedScene(t)
	w := s.worker("w")
	start(t, s, "job")
	d := w.fetchOne("k")
	sent := make(chan struct{})
	var once sync.Once
	proxy.Inject(redistest.Fault{Kind: redistest.BlackHole, Match: func(c redistest.Command) bool {
		struck := redistest.Work(c)
		if struck {
			once.Do(func() { close(sent) })
		}
		return struck
	}})
	hanging, giveUp := context.WithTimeout(t.Context(), 5*time.Second)
	defer giveUp()
	fetched := make(chan error, 1)
	ask := w.ask(1, "k")
	go func() {
		_, err := s.Fetch(hanging, ask)
		fetched <- err
	}()
	<-sent

	brief, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.Settle(brief, store.SettleParams{Session: w.id, Number: 1, Outcomes: []store.Outcome{outcomeOf(d, verdicts.Success)}})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = s.Heartbeat(brief, store.HeartbeatParams{Session: w.id, Lease: time.Hour})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, fetched, "the others returned while the fetch hung")

	giveUp()
	require.ErrorIs(t, <-fetched, context.Canceled)
	proxy.Clear()
	proxy.CutAll()
}

func TestQueueStatsShowARouteWhoseTasksAllBeganDelayed(t *testing.T) {
	s := newScene(t)
	delayed := itemOf("k", "task")
	delayed.At = time.UnixMilli(1)
	s.enqueue(s.begin(store.StartParams{Job: "job"}), delayed)
	promoted, err := s.Promote(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, 1, promoted.Promoted)
	stats, err := s.QueueStats(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, stats, 1)
	require.Equal(t, int64(1), stats[0].Waiting)
}

// The keys of a fetch are declared for the first marker of a lane; one that comes to the front
// meanwhile waits for the next.
func TestALaneThatIsVisitedTwiceInAFetchKeepsItsSecondMarker(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	for i := range 30 {
		root := itemOf("parent", "first")
		run := s.begin(store.StartParams{Job: fmt.Sprint("job", i), Root: &root})
		other := s.begin(store.StartParams{Job: fmt.Sprint("other", i)})
		s.enqueue(run, itemOf("parent", "second"))
		s.enqueue(other, items("child", 8+i%5)...)
		for _, parent := range w.fetch(2, "parent") {
			require.NoError(t, w.stage(parent, "child", 0, items("child", 8)...))
			o := outcomeOf(parent, verdicts.Success)
			o.Staged = []store.Staged{{Route: routeOf("child"), Count: 8}}
			w.settle(o)
		}
		left := 2*8 + 8 + i%5
		work := func(most int) (n, ofRun int) {
			for _, d := range w.fetch(most, "child") {
				w.settle(outcomeOf(d, verdicts.Success))
				if n++; d.Lease.Lane.Run == run {
					ofRun++
				}
			}
			left -= n
			return n, ofRun
		}
		for ofRun := 0; ofRun == 0; { // until its marker is known
			_, ofRun = work(1)
		}
		for n := 1; n > 0; {
			n, _ = work(3 + i/5)
		}
		require.Zero(t, left)
		require.Equal(t, statuses.Succeeded, w.record(run).Status)
	}
}

func TestAFetchSaysThatItLeftNothing(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	run := s.begin(store.StartParams{Job: "job"})
	fetch := func(n int, kinds ...string) bool {
		reply, err := s.Fetch(t.Context(), w.ask(n, kinds...))
		require.NoError(t, err)
		require.Len(t, reply.Deliveries, n)
		w.fetched++
		return reply.Drained
	}
	s.enqueue(run, itemOf("k", "first"), itemOf("k", "second"))
	require.False(t, fetch(1, "k"))
	require.True(t, fetch(1, "k"))
	s.enqueue(run, itemOf("k", "third"), itemOf("l", "fourth"))
	require.False(t, fetch(1, "k", "l"), "the other lane is not empty")
	require.True(t, fetch(1, "k", "l"))
	s.enqueue(run, itemOf("k", "fifth"), itemOf("l", "sixth"))
	require.True(t, fetch(1, "l"), "of the routes that it names")
}
