package redisstore_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// scene is a partition of a store on real servers, with one producer stream.
type scene struct {
	testing.TB
	store.Store
	server    *redistest.Server // nil on a cluster
	client    rueidis.Client    // goes past the store
	namespace string
	partition int
	enqueued  int64
}

// newScene uses the shared server.
func newScene(tb testing.TB) *scene {
	server, namespace := redistest.Shared(tb)
	return sceneOn(tb, server, server.URL(), namespace)
}

// ownScene has a server of its own, which the test may reconfigure.
func ownScene(tb testing.TB) *scene {
	server := redistest.Start(tb, nil)
	return sceneOn(tb, server, server.URL(), redistest.Namespace())
}

// proxiedScene reaches its server through a proxy that loses what it is told to.
func proxiedScene(tb testing.TB) (*scene, *redistest.Proxy) {
	server, namespace := redistest.Shared(tb)
	proxy := redistest.NewProxy(tb, server.Addr)
	return sceneOn(tb, server, proxy.URL(), namespace), proxy
}

func sceneOn(tb testing.TB, server *redistest.Server, url, namespace string) *scene {
	tb.Helper()
	s := &scene{TB: tb, server: server, client: server.Client, namespace: namespace}
	s.Store = open(tb, url, redisstore.Config{Namespace: namespace})
	require.NoError(tb, s.OpenProducer(tb.Context(), 0, "producer"))
	return s
}

func routeOf(kind string) store.Route { return store.Route{Queue: "q", Set: "set", Kind: kind} }

func itemOf(kind, id string) store.Item {
	return store.Item{Route: routeOf(kind), Task: store.Task{ID: id, Payload: []byte("x")}}
}

// items are n tasks with IDs of their own.
func items(kind string, n int) []store.Item {
	out := make([]store.Item, n)
	for i := range out {
		out[i] = itemOf(kind, strconv.Itoa(i))
	}
	return out
}

// begin starts a run that is open unless it has a root.
func (s *scene) begin(p store.StartParams) store.RunID {
	s.Helper()
	p.Token, p.Set, p.Retention, p.FailureCap = p.Job, "set", time.Hour, 10
	p.Open = p.Root == nil
	if p.Weight == 0 {
		p.Weight = 1
	}
	reply, err := s.StartRun(s.Context(), p)
	require.NoError(s, err)
	return reply.Run
}

// tryEnqueue adds at most one batch.
func (s *scene) tryEnqueue(run store.RunID, items ...store.Item) (store.EnqueueReply, error) {
	s.enqueued++
	p := store.EnqueueParams{Partition: s.partition, Stream: "producer", Number: s.enqueued}
	for _, item := range items {
		p.Entries = append(p.Entries, store.Entry{Run: run, Item: item})
	}
	return s.Enqueue(s.Context(), p)
}

// enqueue adds any number of tasks and checks that each was accepted.
func (s *scene) enqueue(run store.RunID, items ...store.Item) {
	s.Helper()
	for len(items) > 0 {
		n := min(bounds.MaxBatch, len(items))
		reply, err := s.tryEnqueue(run, items[:n]...)
		require.NoError(s, err)
		for _, entry := range reply.Entries {
			require.NoError(s, entry.Err)
		}
		items = items[n:]
	}
}

func (s *scene) record(run store.RunID) store.RunRecord {
	s.Helper()
	record, err := s.Run(s.Context(), run)
	require.NoError(s, err)
	return record
}

func (s *scene) sweep() {
	s.Helper()
	for more := true; more; {
		reply, err := s.Sweep(s.Context(), s.partition)
		require.NoError(s, err)
		more = reply.More
	}
}

// prefix begins every key of the partition.
func (s *scene) prefix() string { return fmt.Sprintf("{%s:%d}:", s.namespace, s.partition) }

// command runs one command on a key of the partition.
func (s *scene) command(name, key string, args ...string) {
	s.Helper()
	cmd := s.client.B().Arbitrary(name).Keys(s.prefix() + key).Args(args...).Build()
	require.NoError(s, s.client.Do(s.Context(), cmd).Error())
}

// expire lets the lease of a session run out now.
func (s *scene) expire(session string) {
	s.Helper()
	s.command("ZADD", "leases", strconv.FormatInt(s.millis(), 10), session)
}

// millis is the clock of the server.
func (s *scene) millis() int64 {
	s.Helper()
	clock, err := s.client.Do(s.Context(), s.client.B().Time().Build()).AsStrSlice()
	require.NoError(s, err)
	seconds, err := strconv.ParseInt(clock[0], 10, 64)
	require.NoError(s, err)
	micros, err := strconv.ParseInt(clock[1], 10, 64)
	require.NoError(s, err)
	return seconds*1000 + micros/1000
}

func (s *scene) lost() []store.LostSession {
	s.Helper()
	lost, err := s.LostSessions(s.Context(), s.partition)
	require.NoError(s, err)
	return lost
}

// left lists what is stored in the partition under names that begin so.
func (s *scene) left(prefixes ...string) []string {
	s.Helper()
	var out []string
	for _, name := range leftUnder(s, s.client, s.prefix()) {
		for _, prefix := range prefixes {
			if strings.HasPrefix(name, prefix) {
				out = append(out, name)
			}
		}
	}
	return out
}

// worker is a session with its two streams.
type worker struct {
	*scene
	id               store.SessionID
	fetched, settled int64
	times            []store.RouteTimes // what each settlement brings
}

func (s *scene) worker(name string) *worker {
	s.Helper()
	w := &worker{scene: s, id: store.SessionID{Partition: s.partition, ID: name}}
	require.NoError(s, s.OpenSession(s.Context(), w.id, store.WorkerInfo{Name: name}, time.Hour))
	return w
}

// ask is a fetch of one queue, by a session that takes no recovered task.
func (w *worker) ask(limit int, kinds ...string) store.FetchParams {
	q := store.FetchQueue{Queue: "q"}
	for _, kind := range kinds {
		q.Routes = append(q.Routes, routeOf(kind))
	}
	return store.FetchParams{Session: w.id, Number: w.fetched + 1, Max: limit, Queues: []store.FetchQueue{q}}
}

// send makes a fetch.
func (w *worker) send(p store.FetchParams) []store.Delivery {
	w.Helper()
	reply, err := w.Fetch(w.Context(), p)
	require.NoError(w, err)
	if len(reply.Deliveries) > 0 {
		w.fetched++
	}
	return reply.Deliveries
}

func (w *worker) fetch(limit int, kinds ...string) []store.Delivery {
	w.Helper()
	return w.send(w.ask(limit, kinds...))
}

// fetchRecovered may be given a recovered task, too.
func (w *worker) fetchRecovered(limit int, kinds ...string) []store.Delivery {
	w.Helper()
	p := w.ask(limit, kinds...)
	p.Recovered = true
	return w.send(p)
}

// fetchOne expects one delivery.
func (w *worker) fetchOne(kind string) store.Delivery {
	w.Helper()
	d := w.fetch(1, kind)
	require.Len(w, d, 1)
	return d[0]
}

// trySettle repeats an outcome that was refused under the same number.
func (w *worker) trySettle(outcomes ...store.Outcome) error {
	p := store.SettleParams{Session: w.id, Number: w.settled + 1, Worker: w.id.ID, Outcomes: outcomes, Times: w.times}
	reply, err := w.Settle(w.Context(), p)
	if err == nil {
		require.Empty(w, reply.Lost)
		w.settled++
	}
	return err
}

func (w *worker) settle(outcomes ...store.Outcome) {
	w.Helper()
	require.NoError(w, w.trySettle(outcomes...))
}

func (w *worker) stage(d store.Delivery, kind string, offset int, items ...store.Item) error {
	return w.Stage(w.Context(), store.StageParams{Session: w.id, Lease: d.Lease, Route: routeOf(kind), Offset: offset, Items: items})
}

// die ends the session while it holds tasks.
func (w *worker) die() {
	w.Helper()
	require.NoError(w, w.CloseSession(w.Context(), w.id))
}

func outcomeOf(d store.Delivery, v verdicts.Verdict) store.Outcome {
	return store.Outcome{Lease: d.Lease, Verdict: v, Task: d.Task}
}
