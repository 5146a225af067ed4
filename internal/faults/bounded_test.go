package faults

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// crowd is so many failures, and so many runs.
const crowd = 100_000

func memoryIsBounded(t *testing.T) {
	t.Run("failures", manyFailures)
	t.Run("finished runs", manyRuns)
}

// manyFailures has one run fail that often. It keeps a sample.
func manyFailures(t *testing.T) {
	w := newWorld(t, longLease, nil)
	first, second := w.worker(16), w.worker(16)
	s := w.begin(
		syncjob.Job{Name: jobName, Set: "tree", Root: node{Path: "root", Fan: []int{crowd}, Leaf: fails, Once: true, Quiet: true}},
		growth{quiet: true},
	)
	final := s.finish()
	require.Equal(t, states.Counts{Total: crowd + 1, Succeeded: 1, Failed: crowd}, final.Counts)
	kept := 0
	for _, err := range s.Failures(t.Context(), nil) {
		require.NoError(t, err)
		kept++
	}
	require.Equal(t, syncjob.DefaultFailureCap, kept)
	w.awaitSwept()
	keys := w.keys()
	t.Logf("%d failures, %d kept, %d keys: %v", crowd, kept, len(keys), keys)
	require.Less(t, len(keys), 40)
	first.drain()
	second.drain()
	s.requireNothingLeft()
}

// manyRuns has that many runs start and end, by the store's own calls, as fast as it can. Their
// summaries expire at once, and take everything along.
func manyRuns(t *testing.T) {
	const width = 250 // jobs, each of which has one run at a time
	w := newWorld(t, shortLease, nil)
	sweeper := w.worker(1)
	s := w.oracle.Store()
	session := store.SessionID{ID: "many"}
	require.NoError(t, s.OpenSession(t.Context(), session, store.WorkerInfo{Name: "many"}, time.Hour))
	route := store.Route{Queue: "many", Set: "many", Kind: "many"}
	before, peak := w.memory(), int64(0)
	fetches := int64(0)
	for round := range crowd / width {
		var group errgroup
		for i := range width {
			group.start(func() error {
				_, err := s.StartRun(t.Context(), store.StartParams{
					Job: fmt.Sprintf(
						"many-%d", i,
					), Token: fmt.Sprint(round), Set: "many", Weight: 1, Retention: time.Millisecond, FailureCap: 1,
					Root: &store.Item{Route: route, Task: store.Task{ID: "root"}},
				})
				return err
			})
		}
		require.NoError(t, group.wait())
		for settled := 0; settled < width; {
			fetches++
			reply, err := s.Fetch(
				t.Context(),
				store.FetchParams{
					Session: session,
					Number:  fetches,
					Max:     bounds.MaxBatch,
					Queues:  []store.FetchQueue{{Queue: "many", Routes: []store.Route{route}}},
				},
			)
			require.NoError(t, err)
			outcomes := make([]store.Outcome, 0, len(reply.Deliveries))
			for _, d := range reply.Deliveries {
				outcomes = append(outcomes, store.Outcome{Lease: d.Lease, Verdict: verdicts.Success, Task: d.Task})
			}
			ended, err := s.Settle(t.Context(), store.SettleParams{Session: session, Number: fetches, Outcomes: outcomes})
			require.NoError(t, err)
			require.Len(t, ended.Ended, len(outcomes))
			settled += len(outcomes)
		}
		peak = max(peak, w.memory())
	}
	require.NoError(t, s.CloseSession(t.Context(), session))
	w.awaitSwept()
	after := w.memory()
	t.Logf("%d runs: %d bytes before, %d at most, %d after", crowd, before, peak, after)
	require.Less(t, peak-before, int64(64<<20))
	require.Less(t, after-before, int64(1<<20))
	for _, key := range w.keys() {
		require.NotContains(t, key, "many-", "a job is left behind")
		require.False(t, namesARun(key), "a run is left behind: %s", key)
	}
	w.carry("many-0", settled{Enqueued: crowd, Succeeded: crowd})
	w.requireBalanced()
	sweeper.drain()
}

// errgroup starts calls and waits for all of them.
type errgroup struct {
	wg   sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

func (g *errgroup) start(call func() error) {
	g.wg.Go(func() {
		err := call()
		g.mu.Lock()
		defer g.mu.Unlock()
		g.errs = append(g.errs, err)
	})
}

func (g *errgroup) wait() error {
	g.wg.Wait()
	return errors.Join(g.errs...)
}

// awaitSwept returns when nothing is left to be purged or to expire.
func (w *world) awaitSwept() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	for {
		n, err := w.server.Client.Do(ctx, w.server.Client.B().Zcard().Key(w.key("trash")).Build()).AsInt64()
		require.NoError(w.t, err)
		expired, err := w.server.Client.Do(ctx, w.server.Client.B().Zcount().Key(w.key("hist")).Min("-inf").Max(fmt.Sprint(time.Now().Add(time.Minute).UnixMilli())).Build()).
			AsInt64()
		require.NoError(w.t, err)
		if n == 0 && expired == 0 {
			return
		}
	}
}

// namesARun reports whether a key has the number of a run in its name: no other number there is
// that long.
func namesARun(key string) bool {
	digits := 0
	for _, c := range key {
		if digits++; c < '0' || c > '9' {
			digits = 0
		}
		if digits == 16 {
			return true
		}
	}
	return false
}

// memory is what the server uses for data.
func (w *world) memory() int64 {
	w.t.Helper()
	bystander, err := openLedger(w.server.Addr, "", "")
	require.NoError(w.t, err)
	defer bystander.close()
	reply, err := bystander.do("EVAL", "return tonumber(string.match(redis.call('INFO', 'memory'), 'used_memory_dataset:(%d+)'))", "0")
	require.NoError(w.t, err)
	var n int64
	_, err = fmt.Sscanf(reply, ":%d", &n)
	require.NoError(w.t, err)
	return n
}
