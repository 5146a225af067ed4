package intake

import (
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// What a worker sends to the store about a limit, and what it does with the answers. One call of a
// limit is in flight at a time: it begins with Ask, and ends with Answered or Failed.

// Due receives when there may be a reason to ask.
func (l *Limit) Due() <-chan struct{} { return l.wake }

// Again makes the worker ask again.
func (l *Limit) Again() { lifecycle.Wake(l.wake) }

// Ask returns the parameters of a call; nil if no call is needed. Then it also returns after what
// time the next call is needed even if nothing happens; 0 means never.
func (l *Limit) Ask(lease time.Duration) (q *store.DrawParams, wait time.Duration) {
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	all, now := l.in.limits, time.Now()
	short := all.shortLocked(l)
	q = &store.DrawParams{Limit: l.name, Holder: l.in.cfg.Holder, Number: l.number + 1}
	if l.permits != nil {
		l.drawing = l.permits.ask(q, short, l.in.appetiteLocked(), lease, now)
	} else {
		l.drawing = l.tokens.ask(q, short, l.in.appetiteLocked(), now)
	}
	if !l.drawing {
		return nil, l.waitLocked(q, now)
	}
	l.number, l.epoch = q.Number, all.epoch
	return q, 0
}

// Answered processes the reply to a call. It returns after what time the next call is needed even
// if nothing happens; 0 means never.
func (l *Limit) Answered(q *store.DrawParams, r *store.DrawReply) time.Duration {
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	now := time.Now()
	l.drawing = false
	if l.permits != nil {
		l.permits.answer(q, r, l.epoch, now)
	} else {
		l.tokens.answer(q, r, now)
	}
	l.in.decideLocked()
	return l.waitLocked(q, now)
}

// Failed says that there is no answer. The next call sends the same again, with another number.
func (l *Limit) Failed() {
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	l.drawing = false
}

func (l *Limit) waitLocked(q *store.DrawParams, now time.Time) time.Duration {
	if l.permits != nil {
		return l.permits.wait(q, now)
	}
	return l.tokens.wait(now)
}

// Signalled is called after a signal about a limit: there is more for this worker, or others want
// what it holds.
func (in *Intake) Signalled(name string) {
	for _, l := range in.limits.all {
		if l.name == name {
			in.mu.Lock()
			if l.permits != nil {
				l.permits.waiting = true // so that a call is made in any case
			}
			in.mu.Unlock()
			lifecycle.Wake(l.wake)
		}
	}
}

// Resign returns the parameters of the call that gives everything back. It is called when nothing
// is leased.
func (in *Intake) Resign() []store.DrawParams {
	in.mu.Lock()
	defer in.mu.Unlock()
	var all []store.DrawParams
	for _, l := range in.limits.all {
		if l.number == 0 {
			continue
		}
		q := store.DrawParams{Limit: l.name, Holder: in.cfg.Holder, Number: l.number + 1, TTL: placeTime}
		if l.permits != nil {
			q.Max = l.max
		} else {
			q.Rate, q.Unused, q.Used = l.rate, max(0, l.left), l.spent
		}
		all = append(all, q)
	}
	return all
}
