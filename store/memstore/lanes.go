package memstore

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
)

// lane holds the waiting tasks of one run and one route.
type lane struct {
	run       *run
	route     store.Route
	account   *account
	ring      *ring
	seq       int64 // order of creation, if two lanes are equal otherwise
	waiting   fifo
	recovered fifo // to be delivered one at a time, see fetch.go
	delayed   heap[*parked]
	retrying  int64 // of the delayed tasks: those that were tried before

	aside bool // it is out of its ring until its run may go on

	// Positions in ring.waiting, ring.recovered and partition.due; -1 when absent.
	waitingAt, recoveredAt, dueAt int
}

// parked is a delayed task.
type parked struct {
	due  time.Time
	seq  int64 // of tasks with the same due time, the one that was delayed first is first
	task store.Task
}

func (a *parked) before(b *parked) bool {
	if a.due.Equal(b.due) {
		return a.seq < b.seq
	}
	return a.due.Before(b.due)
}

// lane finds the lane of the run for the route, or makes it.
func (p *partition) lane(r *run, route store.Route) *lane {
	if l := r.lanes[route]; l != nil {
		return l
	}
	p.laneSeq++
	l := &lane{
		run: r, route: route, account: p.account(r, route.Queue), ring: p.ring(route), seq: p.laneSeq,
		delayed:   heap[*parked]{less: (*parked).before},
		waitingAt: -1, recoveredAt: -1, dueAt: -1,
	}
	l.ring.lanes++
	l.account.lanes = append(l.account.lanes, l)
	if r.lanes == nil {
		r.lanes = map[store.Route]*lane{}
	}
	r.lanes[route] = l
	return l
}

// dropLanes forgets all waiting tasks of the run. The time does not depend on their number.
func (p *partition) dropLanes(r *run) {
	for _, l := range r.lanes {
		p.leaveRing(l)
		if l.dueAt >= 0 {
			p.due.remove(l.dueAt)
		}
		if l.ring.lanes--; l.ring.lanes == 0 {
			delete(p.rings, l.route)
		}
	}
	for _, a := range r.accounts {
		if a.queue.accounts--; a.queue.accounts == 0 {
			delete(p.queues, a.queue.name)
		}
	}
	r.lanes, r.accounts, r.aside = nil, nil, nil
}

// place puts a task into a lane and counts it: as delayed if it is not due yet, otherwise as
// waiting.
func (p *partition) place(l *lane, t store.Task, due, now time.Time) {
	if due.After(now) {
		p.count(l, 0, 1)
		p.park(l, t, due)
		return
	}
	p.count(l, 1, 0)
	l.waiting.pushBack(t)
	p.enterRing(l)
}

// count changes the counters of waiting tasks of a lane. Hooks are not counted.
func (p *partition) count(l *lane, pending, delayed int64) {
	if l.route.Counted() {
		l.run.rec.Counts.Pending += pending
		l.run.rec.Counts.Delayed += delayed
	}
}

// park delays a task.
func (p *partition) park(l *lane, t store.Task, due time.Time) {
	before := p.nextDue()
	p.parkSeq++
	l.delayed.push(&parked{due: due, seq: p.parkSeq, task: t})
	if t.Retry > 0 {
		l.retrying++
	}
	if l.dueAt < 0 {
		p.due.push(l)
	} else {
		p.due.fix(l.dueAt)
	}
	if before.IsZero() || due.Before(before) {
		p.signal(store.Signal{Type: signals.Due})
	}
}

// unpark takes the earliest delayed task of the partition.
func (p *partition) unpark() (*lane, store.Task) {
	l := p.due.top()
	t := l.delayed.top().task
	// The lane's position in p.due depends on its earliest task. So the lane is removed before that
	// task, and added again with the next one.
	p.due.pop()
	l.delayed.pop()
	if t.Retry > 0 {
		l.retrying--
	}
	if l.delayed.len() > 0 {
		p.due.push(l)
	}
	return l, t
}

// add puts an item into a lane. An item with At waits for Promote, even if At is in the past.
func (p *partition) add(l *lane, it store.Item, now time.Time) {
	it.Task.Ready = it.ReadyAt(now)
	if it.At.IsZero() {
		p.place(l, it.Task, now.Add(it.Delay), now)
		return
	}
	p.count(l, 0, 1)
	p.park(l, it.Task, it.At.UTC().Round(0)) // in the form in which a server would return it
}
