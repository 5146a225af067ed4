package memstore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var (
	path    = store.Route{Queue: "path", Set: "ingest", Kind: "scan"}
	file    = store.Route{Queue: "file", Set: "ingest", Kind: "copy"}
	preJob  = store.Route{Queue: "path", Set: "ingest", Kind: store.KindPreJob}
	postJob = store.Route{Queue: "path", Set: "ingest", Kind: store.KindPostJob}
)

// everything asks for all routes above.
var everything = []store.FetchQueue{
	{Queue: "path", Routes: []store.Route{preJob, postJob, path}},
	{Queue: "file", Routes: []store.Route{file}},
}

// kit is a store with a producer stream, and the number of its last batch.
type kit struct {
	store.Store
	inside   *memstore.Backend // of the store
	tb       reporter
	ctx      context.Context
	sent     int64
	sessions int
}

// reporter is what a kit needs of a test; rapid.T has it too.
type reporter interface {
	require.TestingT
	Helper()
}

func newKit(tb testing.TB, opts *memstore.Options) *kit {
	tb.Helper()
	inside := memstore.NewBackend(opts)
	k := &kit{Store: store.Checked(inside), inside: inside, tb: tb, ctx: tb.Context()}
	tb.Cleanup(func() { require.NoError(tb, k.Close()) })
	require.NoError(tb, k.OpenProducer(k.ctx, 0, "stream"))
	return k
}

// start starts a run; what p leaves out gets a value that does not matter.
func (k *kit) start(p store.StartParams) store.RunID {
	k.tb.Helper()
	reply, err := k.StartRun(k.ctx, complete(p))
	require.NoError(k.tb, err)
	return reply.Run
}

func complete(p store.StartParams) store.StartParams {
	if p.Job == "" {
		p.Job = "import"
	}
	if p.Token == "" {
		p.Token = rand.Text()
	}
	if p.Set == "" {
		p.Set = path.Set
	}
	if p.Weight == 0 {
		p.Weight = 1
	}
	if p.Retention == 0 {
		p.Retention = time.Hour
	}
	if p.FailureCap == 0 {
		p.FailureCap = 10
	}
	return p
}

func task(id string) store.Item {
	return store.Item{Route: path, Task: store.Task{ID: id, Payload: []byte("payload of " + id)}}
}

func tasks(n int) []store.Item {
	items := make([]store.Item, n)
	for i := range items {
		items[i] = task(fmt.Sprintf("t%d", i))
	}
	return items
}

func onRoute(route store.Route, it store.Item) store.Item {
	it.Route = route
	return it
}

func hook(route store.Route) *store.Item {
	return &store.Item{Route: route, Task: store.Task{ID: route.Kind}}
}

func claimed(id string, keep time.Duration) store.Item {
	it := task(id)
	it.Task.Claimed, it.Task.Keep = true, keep
	return it
}

func delayed(id string, d time.Duration) store.Item {
	it := task(id)
	it.Delay = d
	return it
}

// enqueue sends one batch.
func (k *kit) enqueue(entries ...store.Entry) store.EnqueueReply {
	k.tb.Helper()
	return k.send(store.EnqueueParams{Entries: entries})
}

func (k *kit) send(p store.EnqueueParams) store.EnqueueReply {
	k.tb.Helper()
	k.sent++
	p.Stream, p.Number = "stream", k.sent
	require.NoError(k.tb, k.OpenProducer(k.ctx, p.Partition, p.Stream), "it may have been quiet for long")
	reply, err := k.Enqueue(k.ctx, p)
	require.NoError(k.tb, err)
	return reply
}

// add enqueues items into a run and requires that they are accepted.
func (k *kit) add(run store.RunID, items ...store.Item) {
	k.tb.Helper()
	for len(items) > 0 {
		n := min(len(items), bounds.MaxBatch)
		entries := make([]store.Entry, n)
		for i, it := range items[:n] {
			entries[i] = store.Entry{Run: run, Item: it}
		}
		for _, res := range k.enqueue(entries...).Entries {
			require.Equal(k.tb, store.EnqueueResult{}, res)
		}
		items = items[n:]
	}
}

// hold opens or closes a hold and returns what the store says to it.
func (k *kit) hold(run store.RunID, name string, closing bool) error {
	k.tb.Helper()
	return k.send(store.EnqueueParams{Holds: []store.HoldChange{{Run: run, Name: name, Close: closing}}}).Holds[0]
}

func (k *kit) seal(run store.RunID) {
	k.tb.Helper()
	require.NoError(k.tb, k.hold(run, store.HoldOpen, true))
}

// record reads a run and requires that its counts balance and agree with its sets.
func (k *kit) record(run store.RunID) store.RunRecord {
	k.tb.Helper()
	in, err := k.Inspect(k.ctx, run)
	require.NoError(k.tb, err)
	require.True(k.tb, in.Run.Counts.Balanced(), "%+v", in.Run.Counts)
	var pending, delayed, held int64
	for _, l := range in.Lanes {
		if l.Route.Counted() {
			pending += l.Waiting + l.Recovered + l.Staged
			delayed += l.Delayed
		}
	}
	for _, h := range in.Held {
		if h.Route.Counted() {
			held += h.Held
		}
	}
	require.Equal(k.tb, in.Run.Counts.Pending, pending, "waiting")
	require.Equal(k.tb, in.Run.Counts.Delayed, delayed, "delayed")
	require.Equal(k.tb, in.Run.Counts.Running, held, "held")
	require.Equal(k.tb, in.Run.Holds, int64(len(in.Holds)))
	return in.Run
}

// requireCounts compares the counts of a run; Total is summed up here.
func (k *kit) requireCounts(run store.RunID, want store.Counts) {
	k.tb.Helper()
	want.Total = want.Remaining() + want.Done()
	require.Equal(k.tb, want, k.record(run).Counts)
}

func (k *kit) requireStatus(run store.RunID, want statuses.Status) {
	k.tb.Helper()
	require.Equal(k.tb, want, k.record(run).Status)
}

func (k *kit) stop(run store.RunID) {
	k.tb.Helper()
	require.NoError(k.tb, k.StopRun(k.ctx, store.StopParams{Run: run, Reason: "enough"}))
}

func (k *kit) sweep() store.SweepReply {
	k.tb.Helper()
	reply, err := k.Sweep(k.ctx, 0)
	require.NoError(k.tb, err)
	return reply
}

func (k *kit) promote() store.PromoteReply {
	k.tb.Helper()
	reply, err := k.Promote(k.ctx, 0)
	require.NoError(k.tb, err)
	return reply
}

// worker is one session with its numbers.
type worker struct {
	*kit
	session       store.SessionID
	fetched, done int64
}

func (k *kit) worker() *worker {
	k.tb.Helper()
	return k.workerFor(time.Hour)
}

func (k *kit) workerFor(lease time.Duration) *worker {
	k.tb.Helper()
	k.sessions++
	w := &worker{kit: k, session: store.SessionID{ID: fmt.Sprintf("session-%d", k.sessions)}}
	require.NoError(k.tb, k.OpenSession(k.ctx, w.session, store.WorkerInfo{Name: "w"}, lease))
	return w
}

// fetch asks for anything, recovered tasks included.
func (w *worker) fetch(n int) []store.Delivery {
	w.tb.Helper()
	return w.ask(store.FetchParams{Max: n, Recovered: true, Queues: everything})
}

func (w *worker) ask(p store.FetchParams) []store.Delivery {
	w.tb.Helper()
	w.fetched++
	p.Session, p.Number = w.session, w.fetched
	reply, err := w.Fetch(w.ctx, p)
	require.NoError(w.tb, err)
	return reply.Deliveries
}

// one fetches exactly one task.
func (w *worker) one() store.Delivery {
	w.tb.Helper()
	ds := w.fetch(1)
	require.Len(w.tb, ds, 1)
	return ds[0]
}

func (w *worker) settle(outcomes ...store.Outcome) store.SettleReply {
	w.tb.Helper()
	w.done++
	reply, err := w.Settle(w.ctx, store.SettleParams{Session: w.session, Number: w.done, Worker: "w", Outcomes: outcomes})
	require.NoError(w.tb, err)
	return reply
}

func (w *worker) settleAll(ds []store.Delivery, v verdicts.Verdict) {
	w.tb.Helper()
	outcomes := make([]store.Outcome, len(ds))
	for i, d := range ds {
		outcomes[i] = with(d, v)
	}
	require.Empty(w.tb, w.settle(outcomes...).Lost)
}

func with(d store.Delivery, v verdicts.Verdict) store.Outcome {
	return store.Outcome{Lease: d.Lease, Verdict: v, Task: d.Task}
}

func idsOf(ds []store.Delivery) []string {
	ids := make([]string, len(ds))
	for i, d := range ds {
		ids[i] = d.Task.ID
	}
	return ids
}
