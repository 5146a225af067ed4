package memstore

import (
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
)

// Runs take turns by start-time fair queuing. Each run has a virtual time for each queue. It
// advances by 1/weight for each task that the run gets. The least advanced run is served next. A
// run cannot save up turns: after a time without work, or without work that a worker asked for, it
// is served once and then continues from the clock of the queue, which is the virtual time of the
// run that was served last. Otherwise the other runs would wait until it has used all saved turns.

// queue is the common clock of the runs with lanes on one queue.
type queue struct {
	name     string
	clock    float64
	accounts int // runs that have an account; without any, the queue is removed
}

// account records what a run has used of a queue.
type account struct {
	queue   *queue
	virtual float64
	lanes   []*lane
}

// ring orders the lanes of one route that can be served.
type ring struct {
	lanes     int // lanes of this route; without any, the ring is removed
	waiting   heap[*lane]
	recovered heap[*lane]
}

func (p *partition) account(r *run, name string) *account {
	if a := r.accounts[name]; a != nil {
		return a
	}
	q := p.queues[name]
	if q == nil {
		q = &queue{name: name}
		p.queues[name] = q
	}
	q.accounts++
	a := &account{queue: q}
	if r.accounts == nil {
		r.accounts = map[string]*account{}
	}
	r.accounts[name] = a
	return a
}

func (p *partition) ring(route store.Route) *ring {
	g := p.rings[route]
	if g == nil {
		g = &ring{
			waiting:   heap[*lane]{less: inTurn, moved: func(l *lane, to int) { l.waitingAt = to }},
			recovered: heap[*lane]{less: inTurn, moved: func(l *lane, to int) { l.recoveredAt = to }},
		}
		p.rings[route] = g
	}
	return g
}

func inTurn(a, b *lane) bool {
	if a.account.virtual == b.account.virtual {
		return a.seq < b.seq
	}
	return a.account.virtual < b.account.virtual
}

// enterRing puts a lane into its ring if it has tasks and its run allows it.
func (p *partition) enterRing(l *lane) {
	waiting := l.waitingAt < 0 && l.waiting.n > 0
	recovered := l.recoveredAt < 0 && l.recovered.n > 0
	if !waiting && !recovered || l.aside || !l.run.delivers(l.route) {
		return
	}
	if waiting {
		l.ring.waiting.push(l)
	}
	if recovered {
		l.ring.recovered.push(l)
	}
	p.signal(store.Signal{Type: signals.Work, Queue: l.route.Queue})
}

// leaveRing takes a lane out of its ring, so that it is not served.
func (p *partition) leaveRing(l *lane) {
	if l.waitingAt >= 0 {
		l.ring.waiting.remove(l.waitingAt)
	}
	if l.recoveredAt >= 0 {
		l.ring.recovered.remove(l.recoveredAt)
	}
}

// charge advances the run of a lane that got n tasks in its turn.
func (p *partition) charge(l *lane, n int) {
	a := l.account
	a.queue.clock = max(a.queue.clock, a.virtual)
	a.virtual = a.queue.clock + float64(n)/l.run.rec.Weight
	p.served(l)
}

// chargeRecovered advances the run of a lane that got a recovered task. This was out of turn, so
// the clock of the queue does not change.
func (p *partition) chargeRecovered(l *lane) {
	l.account.virtual += 1 / l.run.rec.Weight
	p.served(l)
}

// served takes a lane out of the rings for which it has no more tasks. It moves the other lanes of
// the run, because the run's virtual time changed.
func (p *partition) served(l *lane) {
	if l.waitingAt >= 0 && l.waiting.n == 0 {
		l.ring.waiting.remove(l.waitingAt)
	}
	if l.recoveredAt >= 0 && l.recovered.n == 0 {
		l.ring.recovered.remove(l.recoveredAt)
	}
	for _, other := range l.account.lanes {
		if other.waitingAt >= 0 {
			other.ring.waiting.fix(other.waitingAt)
		}
		if other.recoveredAt >= 0 {
			other.ring.recovered.fix(other.recoveredAt)
		}
	}
}
