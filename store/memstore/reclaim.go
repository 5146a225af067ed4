package memstore

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// reclaim closes a session and gives back its tasks as recovered tasks, because any of them may
// have killed the worker (P15). Children that the tasks had staged are dropped (P4).
func (p *partition) reclaim(sess *session, now time.Time) (given int) {
	delete(p.sessions, sess.id.ID)
	p.signal(store.Signal{Type: signals.Workers})
	p.report(sess, nil)
	said := store.SessionRecord{Worker: sess.worker, Running: sess.running}
	sess.each(func(_ int64, _ int, h *holding) {
		p.untally(h)
		p.giveBack(h, h.task.Reclaimed(&said, h.lane.run.rec.ID, now), now)
		given++
	})
	return given
}

func (p *partition) giveBack(h *holding, t store.Task, now time.Time) {
	l, r := h.lane, h.lane.run
	if !l.route.Counted() {
		if r.awaits(l.route) {
			l.recovered.pushBack(t)
			p.enterRing(l)
		}
		return
	}
	r.rec.Counts.Running--
	p.ledger.of(l.route).Other++
	p.moved(r)
	if h.asked || r.rec.Status == statuses.Stopping {
		r.rec.Counts.Cancelled++
		r.claims.settle(t, now)
		p.conclude(r, now)
		return
	}
	r.rec.Counts.Pending++
	l.recovered.pushBack(t)
	p.enterRing(l)
}
