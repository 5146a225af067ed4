package redisstore_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
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
		n -= len(w.fetch(store.MaxBatch))
	}
}

// sessionOf fetches with limits.
type sessionOf struct {
	*scene
	id               store.SessionID
	fetched, settled int64
	routes           []store.Route
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
		Session: w.id, Number: w.fetched, Max: n, PerRun: onePerJob, Queues: []store.FetchQueue{{Queue: "q", Routes: w.routes}},
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
		p.Outcomes = append(p.Outcomes, store.Outcome{Lease: d.Lease, Verdict: store.VerdictSuccess, Task: d.Task})
	}
	reply, err := w.Settle(w.Context(), p)
	require.NoError(w, err)
	require.Empty(w, reply.Lost)
}

// oneTaskJobs runs n jobs of one task each, and reads after each whether there is more, as a worker does.
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
		w.oneTaskJobs(1)
		calls, took := s.scripts()
		const jobs = 20
		w.oneTaskJobs(jobs)
		after, by := s.scripts()
		t.Logf("beside %d blocked jobs: %.1f scripts, %v of Redis for a job", blocked, float64(after-calls)/jobs, (by-took)/jobs)
		if plain == 0 {
			plain = after - calls
		}
		require.LessOrEqual(t, after-calls, plain, "calls for %d jobs beside %d that are blocked", jobs, blocked)
	}
}
