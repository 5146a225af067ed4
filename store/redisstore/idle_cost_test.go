package redisstore_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// onePerJob lets each run have one task of a kind leased.
var onePerJob = []store.RunLimit{{Scope: store.Scope{Set: "set", Kinds: []string{"k"}}, Max: 1}}

var spent = regexp.MustCompile(`cmdstat_evalsha:calls=(\d+),usec=(\d+)`)

// scripts reads how many scripts the server has run, and for how long.
func (s *scene) scripts() (calls int, took time.Duration) {
	s.Helper()
	stats, err := s.client.Do(s.Context(), s.client.B().Info().Section("commandstats").Build()).ToString()
	require.NoError(s, err)
	found := spent.FindStringSubmatch(stats)
	require.NotNil(s, found)
	calls, _ = strconv.Atoi(found[1])
	us, _ := strconv.Atoi(found[2])
	return calls, time.Duration(us) * time.Microsecond
}

// blocked begins n runs that have all that a limit lets them have, and more waiting.
func (w *sessionOf) blocked(n int) {
	for i := range n {
		run := w.begin(store.StartParams{Job: fmt.Sprint("blocked ", i)})
		w.enqueue(run, items("k", 3)...)
	}
	for n > 0 {
		n -= len(w.fetch(bounds.MaxBatch))
	}
}

// sessionOf fetches with limits.
type sessionOf struct {
	*scene
	id               store.SessionID
	fetched, settled int64
	routes           []store.Route
	others           []store.FetchQueue // beside the queue of the routes
}

func (s *scene) limitedSession(kinds ...string) *sessionOf {
	s.Helper()
	w := &sessionOf{scene: s, id: store.SessionID{ID: "limited"}}
	require.NoError(s, s.OpenSession(s.Context(), w.id, store.WorkerInfo{}, time.Hour))
	for _, kind := range kinds {
		w.routes = append(w.routes, routeOf(kind))
	}
	return w
}

func (w *sessionOf) fetch(n int) []store.Delivery {
	w.Helper()
	w.fetched++
	reply, err := w.Fetch(w.Context(), store.FetchParams{
		Session: w.id, Number: w.fetched, Max: n, PerRun: onePerJob,
		Queues: append(w.others, store.FetchQueue{Queue: "q", Routes: w.routes}),
	})
	require.NoError(w, err)
	if len(reply.Deliveries) == 0 {
		w.fetched--
	}
	return reply.Deliveries
}

func (w *sessionOf) succeed(ds ...store.Delivery) {
	w.Helper()
	w.settled++
	p := store.SettleParams{Session: w.id, Number: w.settled}
	for _, d := range ds {
		p.Outcomes = append(p.Outcomes, store.Outcome{Lease: d.Lease, Verdict: verdicts.Success, Task: d.Task})
	}
	reply, err := w.Settle(w.Context(), p)
	require.NoError(w, err)
	require.Empty(w, reply.Lost)
}

// oneTaskJobs runs n jobs of one task each, and reads after each whether there is more, as a worker
// does.
func (w *sessionOf) oneTaskJobs(n int) {
	w.Helper()
	for i := range n {
		root := itemOf("k", "t")
		w.begin(store.StartParams{Job: fmt.Sprint("job ", i, " ", w.fetched), Root: &root})
		ds := w.fetch(8)
		require.Len(w, ds, 1)
		w.succeed(ds...)
		require.Empty(w, w.fetch(8))
	}
}

func TestRoutesWithoutWorkCostNothing(t *testing.T) {
	counts := []int{10, 300}
	if os.Getenv("ROLLCALL_BLOCKED") != "" {
		counts = []int{10, 1_000, 10_000}
	}
	for _, n := range counts {
		s := ownScene(t)
		kinds := []string{"k"}
		for i := range n - 1 {
			kinds = append(kinds, fmt.Sprint("idle", i))
		}
		w := s.limitedSession(kinds...)
		ctx, stop := context.WithCancel(t.Context())
		listens, ended := make(chan struct{}, 100), make(chan error, 1)
		go func() {
			ended <- s.Subscribe(ctx, func(sig store.Signal) {
				if sig.Type == signals.Sync || sig.Type == signals.Work {
					listens <- struct{}{}
				}
			})
		}()
		<-listens
		require.Empty(t, w.fetch(8), "the first fetch asks for all")
		calls, took := s.scripts()
		const jobs = 20
		for i := range jobs {
			root := itemOf("k", "t")
			w.begin(store.StartParams{Job: fmt.Sprint("job ", i), Root: &root})
			<-listens
			ds := w.fetch(8)
			require.Len(t, ds, 1)
			w.succeed(ds...)
			require.Empty(t, w.fetch(8))
		}
		after, by := s.scripts()
		t.Logf("with %d routes: %.1f scripts, %v of Redis for a job", n, float64(after-calls)/jobs, (by-took)/jobs)
		require.LessOrEqual(t, after-calls, 5*jobs)
		stop()
		require.NoError(t, <-ended)
	}
}

func TestASessionOfManyRoutesMissesNoWork(t *testing.T) {
	s := newScene(t)
	var kinds []string
	for i := range 200 {
		kinds = append(kinds, fmt.Sprint("k", i))
	}
	w := s.limitedSession(kinds...)
	require.Empty(t, w.fetch(8))
	run := s.begin(store.StartParams{Job: "a"})
	// Nobody listens: so each fetch asks for all.
	for _, kind := range []string{"k0", "k63", "k64", "k199"} {
		s.enqueue(run, itemOf(kind, kind))
		ds := w.fetch(8)
		require.Len(t, ds, 1)
		require.Equal(t, kind, ds[0].Lease.Lane.Route.Kind)
		w.settled++
		child := itemOf("k111", "child of "+kind)
		_, err := s.Settle(t.Context(), store.SettleParams{Session: w.id, Number: w.settled, Outcomes: []store.Outcome{
			{Lease: ds[0].Lease, Verdict: verdicts.Success, Task: ds[0].Task, Children: []store.Item{child}},
		}})
		require.NoError(t, err)
		ds = w.fetch(8)
		require.Len(t, ds, 1)
		w.succeed(ds...)
	}
	for _, kind := range kinds {
		s.enqueue(run, itemOf(kind, "all "+kind))
	}
	for left := len(kinds); left > 0; {
		ds := w.fetch(8)
		require.NotEmpty(t, ds)
		left -= len(ds)
	}
}

// requireCost works off jobs of one task each, and requires that this takes no more calls of
// scripts than most. If most is 0, it returns how many it took; otherwise most.
func (w *sessionOf) requireCost(most int, beside string) int {
	const jobs = 20
	w.oneTaskJobs(1)
	calls, took := w.scripts()
	w.oneTaskJobs(jobs)
	after, by := w.scripts()
	w.Logf("%s: %.1f scripts, %v of Redis for a job", beside, float64(after-calls)/jobs, (by-took)/jobs)
	if most > 0 {
		require.LessOrEqual(w, after-calls, most, "calls for %d jobs %s", jobs, beside)
	}
	return cmp.Or(most, after-calls)
}

func TestRunsAtTheirLimitCostNothing(t *testing.T) {
	counts := []int{0, 200}
	if os.Getenv("ROLLCALL_BLOCKED") != "" {
		counts = []int{0, 1, 2_000, 10_000}
	}
	var plain int
	for _, blocked := range counts {
		s := ownScene(t)
		w := s.limitedSession("k")
		w.blocked(blocked)
		require.Empty(t, w.fetch(8))
		plain = w.requireCost(plain, fmt.Sprintf("beside %d blocked jobs", blocked))
	}
}

func TestWhatIsPausedCostsNothing(t *testing.T) {
	var plain int
	for _, paused := range []int{0, 200} {
		s := ownScene(t)
		w := s.limitedSession("k", "paused")
		require.NoError(t, s.Pause(t.Context(), 0, store.Pause{Scope: store.PauseScope{Kind: "paused"}}))
		for i := range paused {
			s.enqueue(s.begin(store.StartParams{Job: fmt.Sprint("paused ", i)}), items("paused", 3)...)
		}
		require.Empty(t, w.fetch(8))
		plain = w.requireCost(plain, fmt.Sprintf("beside %d paused jobs", paused))
	}
}
