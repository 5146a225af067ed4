package memstore

import (
	"context"
	"maps"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// defaultFetchBytes limits the payloads of a fetch that sets no limit.
const defaultFetchBytes = 1 << 20

// Fetch leases up to p.Max waiting tasks, fairly between runs (P11). If a fetch delivers nothing,
// number of its place can be used again.
func (s *backend) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	part, err := s.at(ctx, p.Session.Partition)
	if err != nil {
		return store.FetchReply{}, err
	}
	defer part.unlock()

	sess := part.sessions[p.Session.ID]
	switch {
	case sess.behind(p.Answered):
		return store.FetchReply{}, store.ErrLeaseLost
	case p.Number < sess.fetched:
		return store.FetchReply{}, store.ErrStale
	}
	now := part.now()
	reply := store.FetchReply{Now: now, NextDue: part.nextDue(), Pauses: part.pauses.Version}
	if p.Number > sess.fetched && sess.worker.Status == statuses.WorkerActive {
		reply.Short = part.fetch(sess, p, now)
	}
	reply.Deliveries = sess.deliveries(p.Number)
	return reply, nil
}

// deliveries copies the tasks of one fetch that are still held.
func (s *session) deliveries(fetch int64) []store.Delivery {
	b := s.batches[fetch]
	if b == nil {
		return nil
	}
	size := 0
	b.each(func(_ int, h *holding) { size += len(h.task.Payload) + len(h.task.Attributes) })
	bytes := newArena(size)
	out := make([]store.Delivery, 0, b.live)
	b.each(func(i int, h *holding) {
		t := h.task
		t.Payload, t.Attributes, t.Headers = bytes.copy(t.Payload), bytes.copy(t.Attributes), maps.Clone(t.Headers)
		out = append(
			out, store.Delivery{Lease: s.leaseOf(h, fetch, i), Task: t, Configured: h.lane.run.configuration.version},
		)
	})
	return out
}

// picking is the state of one fetch.
type picking struct {
	*partition
	now        time.Time
	batch      batch
	want       int // how many more deliveries are wanted
	bytes      int // how many more bytes of payload are wanted
	full       bool
	*allowance // nil if nothing limits the fetch
}

// fetch leases tasks, and returns the budgets that are used up while more tasks wait.
func (p *partition) fetch(sess *session, params store.FetchParams, now time.Time) (short []int) {
	pick := picking{
		partition: p,
		now:       now,
		want:      params.Max,
		bytes:     params.MaxBytes,
		allowance: newAllowance(&params, now),
	}
	if pick.bytes <= 0 {
		pick.bytes = defaultFetchBytes
	}
	recovered := params.Recovered
	for _, q := range params.Queues {
		rings := make([]*ring, 0, len(q.Routes))
		for _, route := range q.Routes {
			if g := p.rings[route]; g != nil && route.Queue == q.Queue && p.serves(route, params.InReadOnly) {
				rings = append(rings, g)
			}
		}
		if recovered && !pick.done() {
			recovered = !pick.recovered(rings)
		}
		pick.waiting(rings)
		pick.endTurn(rings)
	}
	if n := len(pick.batch.holdings); n > 0 {
		pick.batch.live = n
		sess.fetched = params.Number
		sess.batches[params.Number] = &pick.batch
		sess.held += n
	}
	return pick.short()
}

func (k *picking) done() bool { return k.want == 0 || k.full }

// recovered takes one recovered task, before other tasks of the queue, so that these do not starve
// it. It reports whether there was one.
func (k *picking) recovered(rings []*ring) bool {
	l, _ := k.pick(rings, func(g *ring) *heap[*lane] { return &g.recovered })
	if l == nil || !k.take(l, &l.recovered) {
		return false
	}
	k.chargeRecovered(l)
	k.spent(l)
	return true
}

// waiting serves the runs of a queue in turns. Each visit takes an equal share of the wanted tasks,
// so that one fetch serves many runs.
func (k *picking) waiting(rings []*ring) {
	lanes := 0
	for _, g := range rings {
		lanes += g.waiting.len()
	}
	if lanes == 0 || k.done() {
		return
	}
	share := (k.want + lanes - 1) / lanes
	for !k.done() {
		l, room := k.pick(rings, func(g *ring) *heap[*lane] { return &g.waiting })
		if l == nil {
			return
		}
		n := 0
		for n < min(share, room) && l.waiting.n > 0 && k.take(l, &l.waiting) {
			n++
		}
		if n > 0 {
			k.charge(l, n)
			k.spent(l)
		}
	}
}

// next finds the lane with the least advanced run; nil if there is none.
func next(rings []*ring, side func(*ring) *heap[*lane]) *lane {
	var best *lane
	for _, g := range rings {
		if h := side(g); h.len() > 0 && (best == nil || inTurn(h.top(), best)) {
			best = h.top()
		}
	}
	return best
}

// take leases the first task of a list, unless the batch is full.
func (k *picking) take(l *lane, list *fifo) bool {
	size := len(list.front().Payload)
	if k.want == 0 || size > k.bytes && len(k.batch.holdings) > 0 {
		k.full = true
		return false
	}
	k.want--
	k.bytes -= size
	k.batch.holdings = append(k.batch.holdings, holding{lane: l, task: list.popFront(), tallied: k.spend(l)})
	if l.route.Counted() {
		r := l.run
		r.rec.Counts.Pending--
		r.rec.Counts.Running++
		if r.rec.Started.IsZero() {
			r.rec.Started = k.now
		}
		k.moved(r)
	}
	return true
}
