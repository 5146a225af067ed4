package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// The sizes of a history: small enough to be judged, and many of them.
const (
	histories      = 40
	historyClients = 4
	historyCalls   = 14 // of each client
)

// deed is one call about a run and its answer.
type deed struct {
	verb  string // enqueue, fetch, settle, stop, read
	task  string // enqueue
	takes []grip // fetch: its answer; settle: what is settled
	marks []verdicts.Verdict

	unknown bool // its reply was lost, and nobody asked again
	refused bool // enqueue: the run was stopped
	lost    []int
	status  statuses.Status
	counts  store.Counts
}

// grip is a task and the lease on it.
type grip struct {
	task  string
	lease store.Lease
}

// account is the model's state: where each task is.
type account struct {
	status statuses.Status
	places map[string]place
}

type place struct {
	lease store.Lease // zero unless it is held
	what  string      // waiting, held, succeeded, failed, cancelled
}

func (a account) counts() (c store.Counts) {
	for _, p := range a.places {
		c.Total++
		switch p.what {
		case "waiting":
			c.Pending++
		case "held":
			c.Running++
		case "succeeded":
			c.Succeeded++
		case "failed":
			c.Failed++
		default:
			c.Cancelled++
		}
	}
	return c
}

// rest ends the stop of a run once nothing runs.
func (a account) rest() account {
	if a.status == statuses.Stopping && a.counts().Running == 0 {
		a.status = statuses.Stopped
	}
	return a
}

// runModel is a run in which each call takes effect at one instant.
var runModel = porcupine.Model{
	Init:  func() any { return account{statuses.Running, map[string]place{}} },
	Step:  func(state, _, output any) (bool, any) { return state.(account).step(output.(deed)) },
	Equal: func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) },
	DescribeOperation: func(_, output any) string {
		return fmt.Sprintf("%+v", output.(deed))
	},
}

// step makes a deed, and reports whether a run may answer so.
func (a account) step(d deed) (bool, account) {
	a.places = maps.Clone(a.places)
	running := a.status == statuses.Running
	switch d.verb {
	case "enqueue":
		if running {
			a.places[d.task] = place{what: "waiting"}
		}
		return d.unknown || d.refused == !running, a
	case "fetch":
		for _, g := range d.takes {
			if !running || a.places[g.task].what != "waiting" {
				return false, a
			}
			a.places[g.task] = place{g.lease, "held"}
		}
		return true, a
	case "settle":
		var lost []int
		for i, g := range d.takes {
			if a.places[g.task] != (place{g.lease, "held"}) {
				lost = append(lost, i)
				continue
			}
			a.places[g.task] = place{what: becomes(d.marks[i], running)}
		}
		return d.unknown || slices.Equal(lost, d.lost), a.rest()
	case "stop":
		if running {
			a.status = statuses.Stopping
			for id, p := range a.places {
				if p.what == "waiting" {
					a.places[id] = place{what: "cancelled"}
				}
			}
		}
		return true, a.rest()
	default: // read
		return a.status == d.status && a.counts() == d.counts, a
	}
}

func becomes(v verdicts.Verdict, running bool) string {
	switch {
	case v == verdicts.Success:
		return "succeeded"
	case v == verdicts.Fail:
		return "failed"
	case running:
		return "waiting"
	}
	return "cancelled"
}

// annals record what the clients of one run did.
type annals struct {
	clock atomic.Int64
	mu    sync.Mutex
	ops   []porcupine.Operation
}

func (h *annals) add(client int, call int64, d deed) {
	back := h.clock.Add(1)
	if d.unknown {
		back = math.MaxInt64 // it may take effect whenever
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Output: d, Call: call, Return: back})
}

// losesReplies makes the calls of a store and loses the answer to some.
type losesReplies struct {
	store.Store
	random atomic.Uint64
}

var errReplyLost = store.Transient(errors.New("reply lost"))

func loses[R any](s *losesReplies, v R, err error) (R, error) {
	if n := s.random.Add(0x9e3779b97f4a7c15); (n^n>>29)%5 == 0 {
		var none R
		return none, errReplyLost
	}
	return v, err
}

func (s *losesReplies) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	v, err := s.Store.Enqueue(ctx, p)
	return loses(s, v, err)
}

func (s *losesReplies) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	v, err := s.Store.Fetch(ctx, p)
	return loses(s, v, err)
}

func (s *losesReplies) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	v, err := s.Store.Settle(ctx, p)
	return loses(s, v, err)
}

func (s *losesReplies) StopRun(ctx context.Context, p store.StopParams) error {
	_, err := loses(s, struct{}{}, s.Store.StopRun(ctx, p))
	return err
}

func TestFetchSettleAndStopAreLinearizable(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		linearizable(t, func(_ *testing.T, seed uint64) store.Store {
			s := &losesReplies{Store: memstore.New(nil)}
			s.random.Store(seed)
			return s
		})
	})
	t.Run("redis", func(t *testing.T) {
		server, _ := redistest.Shared(t)
		proxy := redistest.NewProxy(t, server.Addr)
		work := func(c redistest.Command) bool { return c.Name == "EVALSHA" }
		linearizable(t, func(t *testing.T, seed uint64) store.Store {
			proxy.Clear()
			s, err := redisstore.Open(t.Context(), proxy.URL(), redisstore.Config{Namespace: redistest.Namespace()})
			require.NoError(t, err)
			proxy.Inject(redistest.Fault{Kind: redistest.Swallow, Match: work, Every: 5 + int(seed%7)})
			return s
		})
		require.Positive(t, proxy.Injected())
		t.Logf("%d replies were lost", proxy.Injected())
	})
}

func linearizable(t *testing.T, open func(*testing.T, uint64) store.Store) {
	first, _ := seed(t)
	for n := range uint64(histories) {
		s := open(t, first+n)
		h := writeHistory(t, s, first+n)
		require.NoError(t, s.Close())
		require.Equal(t, porcupine.Ok, porcupine.CheckOperationsTimeout(runModel, h.ops, 20*time.Second),
			"the history of seed %d has no order in which a run could answer so:\n%v", first+n, h.ops)
	}
}

var route = store.Route{Queue: "q", Set: "set", Kind: "k"}

// writeHistory has clients work on one run at once.
func writeHistory(t *testing.T, s store.Store, seed uint64) *annals {
	ctx := t.Context()
	retrying := store.WithRetry(s, nil)
	reply, err := retrying.StartRun(ctx, store.StartParams{
		Job: "job", Token: "t", Set: "set", Open: true, Weight: 1, Retention: time.Hour, FailureCap: 10,
	})
	require.NoError(t, err)
	h := &annals{}
	var clients sync.WaitGroup
	for i := range historyClients {
		c := &chronicler{
			t: t, store: s, sure: retrying, h: h, id: i, run: reply.Run,
			session: store.SessionID{ID: fmt.Sprint("session-", i)}, stream: fmt.Sprint("stream-", i),
			random: rand.New(rand.NewPCG(seed, uint64(i))),
		}
		require.NoError(t, retrying.OpenProducer(ctx, 0, c.stream))
		require.NoError(t, retrying.OpenSession(ctx, c.session, store.WorkerInfo{}, time.Hour))
		clients.Go(func() { c.live(ctx) })
	}
	clients.Wait()
	return h
}

// chronicler is one client: a producer, a session, and somebody who stops and looks.
type chronicler struct {
	t      *testing.T
	store  store.Store // loses replies
	sure   store.Store // repeats until it has one
	h      *annals
	id     int
	run    store.RunID
	random *rand.Rand

	session                store.SessionID
	stream                 string
	sent, fetched, settled int64
	held, late             []store.Delivery
}

func (c *chronicler) live(ctx context.Context) {
	for n := range historyCalls {
		switch call := c.h.clock.Add(1); c.random.IntN(11) {
		case 0, 1, 2:
			c.enqueue(ctx, call, fmt.Sprintf("%d-%d", c.id, n))
		case 3, 4, 5:
			c.fetch(ctx, call)
		case 6, 7, 8:
			c.settle(ctx, call)
		case 9:
			c.read(ctx, call)
		default:
			if n > historyCalls/2 {
				err := c.store.StopRun(ctx, store.StopParams{Run: c.run})
				c.h.add(c.id, call, deed{verb: "stop", unknown: c.unknown(err)})
			}
		}
	}
}

// unknown reports whether the reply was lost; no other error may come.
func (c *chronicler) unknown(err error) bool {
	if err != nil && !errors.Is(err, store.ErrUnavailable) {
		c.t.Errorf("client %d: %v", c.id, err)
	}
	return err != nil
}

// patient repeats a call whose reply was lost, or leaves it open.
func patient[R any](c *chronicler, ask func(store.Store) (R, error)) (R, bool) {
	v, err := ask(c.store)
	if c.unknown(err) {
		if c.random.IntN(2) == 0 {
			return v, true
		}
		v, err = ask(c.sure)
		return v, c.unknown(err)
	}
	return v, false
}

func (c *chronicler) enqueue(ctx context.Context, call int64, id string) {
	c.sent++
	p := store.EnqueueParams{
		Stream:  c.stream,
		Number:  c.sent,
		Entries: []store.Entry{{Run: c.run, Item: store.Item{Route: route, Task: store.Task{ID: id, Payload: []byte("x")}}}},
	}
	reply, unknown := patient(c, func(s store.Store) (store.EnqueueReply, error) { return s.Enqueue(ctx, p) })
	d := deed{verb: "enqueue", task: id, unknown: unknown}
	if !unknown && reply.Entries[0].Err != nil {
		d.refused = true
		if !errors.Is(reply.Entries[0].Err, store.ErrJobStopped) {
			c.t.Errorf("enqueue: %v", reply.Entries[0].Err)
		}
	}
	c.h.add(c.id, call, d)
}

// fetch insists on its reply: which tasks it got cannot be guessed.
func (c *chronicler) fetch(ctx context.Context, call int64) {
	p := store.FetchParams{
		Session: c.session,
		Number:  c.fetched + 1,
		Max:     1 + c.random.IntN(2),
		Queues:  []store.FetchQueue{{Queue: "q", Routes: []store.Route{route}}},
	}
	reply, err := c.store.Fetch(ctx, p)
	if c.unknown(err) {
		reply, err = c.sure.Fetch(ctx, p)
		c.unknown(err)
	}
	d := deed{verb: "fetch"}
	for _, delivery := range reply.Deliveries {
		d.takes = append(d.takes, grip{delivery.Task.ID, delivery.Lease})
	}
	if len(reply.Deliveries) > 0 {
		c.fetched++
	}
	c.held = append(c.held, reply.Deliveries...)
	c.h.add(c.id, call, d)
}

// settle reports what it holds, and perhaps something that it has settled before.
func (c *chronicler) settle(ctx context.Context, call int64) {
	var outcomes []store.Outcome
	d := deed{verb: "settle"}
	for _, delivery := range c.held {
		verdict := []verdicts.Verdict{verdicts.Success, verdicts.Fail, verdicts.Release}[c.random.IntN(3)]
		outcomes = append(outcomes, store.Outcome{Lease: delivery.Lease, Task: delivery.Task, Verdict: verdict})
	}
	if len(c.late) > 0 && c.random.IntN(2) == 0 {
		delivery := c.late[c.random.IntN(len(c.late))]
		outcomes = append(outcomes, store.Outcome{Lease: delivery.Lease, Task: delivery.Task, Verdict: verdicts.Fail})
	}
	if len(outcomes) == 0 {
		return
	}
	for _, o := range outcomes {
		d.takes = append(d.takes, grip{o.Task.ID, o.Lease})
		d.marks = append(d.marks, o.Verdict)
	}
	c.settled++
	p := store.SettleParams{Session: c.session, Number: c.settled, Outcomes: outcomes}
	reply, unknown := patient(c, func(s store.Store) (store.SettleReply, error) { return s.Settle(ctx, p) })
	d.unknown, d.lost = unknown, reply.Lost
	c.late, c.held = append(c.late, c.held...), nil
	c.h.add(c.id, call, d)
}

func (c *chronicler) read(ctx context.Context, call int64) {
	record, err := c.sure.Run(ctx, c.run)
	if err != nil {
		c.t.Errorf("read: %v", err)
		return
	}
	c.h.add(c.id, call, deed{verb: "read", status: record.Status, counts: record.Counts})
}

func TestAHistoryThatNoRunCanHaveIsRefused(t *testing.T) {
	lease := func(n int64) store.Lease { return store.Lease{Session: "s", Fetch: n} }
	first, second := deed{verb: "fetch", takes: []grip{{"a", lease(1)}}}, deed{verb: "fetch", takes: []grip{{"a", lease(2)}}}
	done := deed{verb: "settle", takes: first.takes, marks: []verdicts.Verdict{verdicts.Success}}
	for name, deeds := range map[string][]deed{
		"a task has two holders":          {first, second},
		"a task is settled twice":         {first, done, done},
		"a task starts after the stop":    {{verb: "stop"}, first},
		"the counts miss one":             {first, {verb: "read", status: statuses.Running, counts: store.Counts{Total: 1, Pending: 1}}},
		"the stop is over before the end": {first, {verb: "stop"}, {verb: "read", status: statuses.Stopped, counts: store.Counts{Total: 1, Running: 1}}},
	} {
		h := &annals{}
		for _, d := range append([]deed{{verb: "enqueue", task: "a"}}, deeds...) {
			h.add(0, h.clock.Add(1), d)
		}
		require.Equal(t, porcupine.Illegal, porcupine.CheckOperationsTimeout(runModel, h.ops, time.Minute), name)
	}
}
