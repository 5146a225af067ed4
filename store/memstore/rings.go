package memstore

import "github.com/rollcall-go/rollcall/store"

// Turns between runs are start-time fair queuing. Each run has, per queue, a
// virtual time that advances by 1/weight for each task it is given; whoever is
// least advanced is served next. Nobody saves up turns: who had nothing to do,
// or only work of a kind that no worker asked for, is served once and then
// continues from the clock of the queue, the virtual time of whoever was served
// last. Otherwise the others would wait until all those turns are used up.

// queue is the clock that the runs with lanes on one queue share.
type queue struct {
	name     string
	clock    float64
	accounts int // runs that have one; the queue is forgotten with the last
}

// account is what a run has consumed of a queue.
type account struct {
	queue   *queue
	virtual float64
	lanes   []*lane
}

// ring orders the lanes of one route that can be served.
type ring struct {
	lanes     int // that have this route; the ring is forgotten with the last
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

// enterRing lets a lane be served, if it holds something and its run allows it.
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
	p.signal(store.Signal{Type: store.SignalWork, Queue: l.route.Queue})
}

// leaveRing keeps a lane from being served.
func (p *partition) leaveRing(l *lane) {
	if l.waitingAt >= 0 {
		l.ring.waiting.remove(l.waitingAt)
	}
	if l.recoveredAt >= 0 {
		l.ring.recovered.remove(l.recoveredAt)
	}
}

// charge advances the run of a lane that was just served n tasks in its turn.
func (p *partition) charge(l *lane, n int) {
	a := l.account
	a.queue.clock = max(a.queue.clock, a.virtual)
	a.virtual = a.queue.clock + float64(n)/l.run.rec.Weight
	p.served(l)
}

// chargeRecovered advances the run of a lane that was served a recovered task. That was
// out of turn, and so it says nothing about the queue's clock.
func (p *partition) chargeRecovered(l *lane) {
	l.account.virtual += 1 / l.run.rec.Weight
	p.served(l)
}

// served lets a lane leave the places where it has nothing more to give, and
// moves the others of its run, whose virtual time has changed.
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
