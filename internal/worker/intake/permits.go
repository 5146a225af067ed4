package intake

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
)

const (
	// turnTime is how long a worker keeps using permits for new tasks while other workers wait and
	// none is left for them.
	turnTime = time.Second
	// placeTime is how long an account remembers a worker that holds no permits.
	placeTime = 5 * time.Second
)

// permits are a worker's part of a limit on running tasks. It uses them for one task after another
// without a call. It gives them back when other workers want them, or when it has not needed them
// for a while.
type permits struct {
	all *limits
	max int // of all workers together; 0 means no limit

	used    int // leased tasks, and those that fetches in flight may lease
	held    int
	reuse   int  // how many of these to use for one task after another
	wanted  bool // other workers wait for permits
	waiting bool // it waits for more: a signal says when to ask again

	epoch   int64     // number of sessions when they were confirmed
	granted time.Time // when it got more
	needed  time.Time // when all were last in use
}

func (p *permits) limits() bool { return p.max > 0 }

func (p *permits) set(limit int) (moved bool) {
	moved = p.max != limit
	p.max = limit
	p.waiting = p.waiting && !moved
	return moved
}

// free returns how many more tasks may be leased. After a session was opened it is 0 until the
// store has confirmed the permits: this process may have been paused, and other workers may have
// taken its permits because it had no session.
func (p *permits) free(now time.Time) int {
	if p.epoch != p.all.epoch {
		return 0
	}
	return max(0, p.keepable(now)-p.used)
}

func (p *permits) reserve(n int)   { p.used += n }
func (p *permits) unreserve(n int) { p.used -= n }

// keepable returns how many permits may be used for one task after another. If there are fewer
// permits than workers, the workers take turns.
func (p *permits) keepable(now time.Time) int {
	if p.reuse == 0 && now.Sub(p.granted) < turnTime {
		return p.held
	}
	return min(p.held, p.reuse)
}

// keep returns how many permits to keep, if tasks wait for them or not.
func (p *permits) keep(short bool, now time.Time) int {
	if !short && (p.wanted || p.max == 0) {
		return p.used
	}
	return max(p.used, p.keepable(now))
}

// want returns how many permits could be used at most.
func (p *permits) want(keep, appetite int) int { return max(keep, min(p.max, appetite)) }

// due reports whether permits must be confirmed, given back or asked for.
func (p *permits) due(short bool, appetite int, now time.Time) bool {
	switch {
	case p.held > 0 && p.epoch != p.all.epoch, p.held > p.keep(short, now):
		return true
	case !short || p.max == 0:
		return false
	}
	p.needed = now
	return !p.waiting && p.held < p.want(p.used, appetite) && p.free(now) == 0
}

// ask returns how many to keep and how many to want. From now on the worker uses at most those that
// it keeps. It returns false if no call is needed.
func (p *permits) ask(q *store.DrawParams, short bool, appetite int, lease time.Duration, now time.Time) bool {
	q.TTL, q.Max, q.Keep = lease, p.max, p.keep(short, now)
	if !short && now.Sub(p.needed) >= lease/3 {
		q.Keep = p.used
	}
	q.Want = q.Keep
	if short && p.max > 0 {
		q.Want = p.want(q.Keep, appetite)
	}
	if q.Keep == 0 {
		q.TTL = min(lease, p.all.in.cfg.Place)
	}
	if q.Want == 0 && p.held == 0 && !p.waiting {
		return false
	}
	p.held = min(p.held, q.Keep)
	return true
}

// answer processes a reply. epoch is the number of sessions when the call was made.
func (p *permits) answer(q *store.DrawParams, r *store.DrawReply, epoch int64, now time.Time) {
	if r.Held > q.Keep {
		p.granted = now
	}
	p.held, p.reuse, p.wanted, p.waiting, p.epoch = r.Held, r.Reuse, r.Wanted, r.Held < q.Want, epoch
}

// wait returns after what time the next call is needed even if nothing happens; 0 means never.
func (p *permits) wait(q *store.DrawParams, now time.Time) time.Duration {
	if p.held == 0 && !p.waiting {
		return 0
	}
	wait := q.TTL / 3
	if left := turnTime - now.Sub(p.granted); p.held > 0 && p.reuse == 0 && left > 0 {
		wait = min(wait, left)
	}
	return wait
}
