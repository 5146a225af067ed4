package memstore

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// reclaim closes a session and gives back its tasks as recovered tasks, because any of them may
// have killed the worker. A crash is counted only for a task that was delivered as a recovered
// task: it ran as the only recovered task of its session (P15). Children that the tasks had staged
// are dropped (P4).
func (p *partition) reclaim(sess *session, now time.Time) (given int) {
	delete(p.sessions, sess.id.ID)
	p.report(sess, nil)
	sess.each(func(_ int64, _ int, h *holding) {
		p.untally(h)
		p.giveBack(h.lane, h.task, now)
		given++
	})
	return given
}

func (p *partition) giveBack(l *lane, t store.Task, now time.Time) {
	r := l.run
	if t.Recovered {
		t.Crashes++
	}
	t.Recovered = true
	if !l.route.Counted() {
		if r.awaits(l.route) {
			l.recovered.pushBack(t)
			p.enterRing(l)
		}
		return
	}
	r.rec.Counts.Running--
	p.moved(r)
	if r.rec.Status == store.StatusStopping {
		r.rec.Counts.Cancelled++
		p.conclude(r, now)
		return
	}
	r.rec.Counts.Pending++
	l.recovered.pushBack(t)
	p.enterRing(l)
}
