package intake

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
)

const (
	// turnTime is how long a worker uses permits for task after task though others wait for whom
	// none is left.
	turnTime = time.Second
	// placeTime is how long an account remembers a worker that holds nothing of it.
	placeTime = 5 * time.Second
)

// permits are what a worker holds of a limit on running tasks. They are used for task after task
// without a call, and given back when others want them or nothing has needed them for a while.
type permits struct {
	all *limits
	max int // in all workers; 0 for no limit

	used    int // tasks leased, and those that fetches in flight may lease
	held    int
	reuse   int  // of these, how many to use for task after task
	wanted  bool // by others
	waiting bool // for more: a signal tells when to ask again

	epoch   int64     // of the sessions when they were confirmed
	granted time.Time // when more came
	needed  time.Time // when they were last used up
}

func (p *permits) limits() bool { return p.max > 0 }

func (p *permits) set(limit int) (moved bool) {
	moved = p.max != limit
	p.max = limit
	p.waiting = p.waiting && !moved
	return moved
}

// free is how many more tasks may be leased. Since a session was opened it is none until the store
// has confirmed that the permits are still ours: while we stood still, others may have found that
// no session of ours was left.
func (p *permits) free(now time.Time) int {
	if p.epoch != p.all.epoch {
		return 0
	}
	return max(0, p.keepable(now)-p.used)
}

func (p *permits) reserve(n int)   { p.used += n }
func (p *permits) unreserve(n int) { p.used -= n }

// keepable is how many permits may be used for task after task. Where there are fewer permits than
// workers, each has its turn.
func (p *permits) keepable(now time.Time) int {
	if p.reuse == 0 && now.Sub(p.granted) < turnTime {
		return p.held
	}
	return min(p.held, p.reuse)
}

// keep is how many to keep when there is, or is not, something that waits for them.
func (p *permits) keep(short bool, now time.Time) int {
	if !short && (p.wanted || p.max == 0) {
		return p.used
	}
	return max(p.used, p.keepable(now))
}

// want is how many could be used at most.
func (p *permits) want(keep, appetite int) int { return max(keep, min(p.max, appetite)) }

// due reports whether some are to be confirmed, given back or asked for.
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

// ask says what to keep and to want. From here on the worker counts with no more than it keeps. It
// reports false if there is nothing to say.
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

// answer takes in a reply; epoch is that of the sessions when it was asked for.
func (p *permits) answer(q *store.DrawParams, r *store.DrawReply, epoch int64, now time.Time) {
	if r.Held > q.Keep {
		p.granted = now
	}
	p.held, p.reuse, p.wanted, p.waiting, p.epoch = r.Held, r.Reuse, r.Wanted, r.Held < q.Want, epoch
}

// wait is after what time the next call is needed though nothing happens; 0 for never.
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
