package syncjob

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// drawLoop draws on one limit whenever there is reason to, and often enough to be taken for alive, until ctx ends.
func (e *engine) drawLoop(ctx context.Context, l *limit) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-timer.C:
		}
		timer.Stop()
		if wait := e.draw(ctx, l); wait > 0 {
			timer.Reset(wait)
		}
	}
}

// draw makes one call if there is reason to, and returns after what time the next is needed though nothing happens; 0 for never.
func (e *engine) draw(ctx context.Context, l *limit) time.Duration {
	q, epoch, ok := e.limits.ask(l, e.cfg.Lease)
	if !ok {
		return e.limits.wait(l, &q)
	}
	l.number++
	q.Limit, q.Holder, q.Number = l.name, e.id, l.number
	reply, err := e.store.Draw(ctx, q)
	if err != nil {
		e.limits.unanswered(l)
		if ctx.Err() == nil {
			e.log.WarnContext(ctx, "cannot draw on a limit; it is repeated", "limit", l.name, "error", err)
		}
		return lifecycle.Jitter(retryWait)
	}
	e.limits.answer(l, &q, &reply, epoch)
	for _, h := range reply.Silent {
		if e.forfeit(ctx, l.name, h) {
			lifecycle.Wake(l.wake)
		}
	}
	return e.limits.wait(l, &q)
}

func (ls *limits) ask(l *limit, lease time.Duration) (q store.DrawParams, epoch int64, ok bool) {
	ls.in.mu.Lock()
	defer ls.in.mu.Unlock()
	short, now := ls.shortLocked(l), time.Now()
	if l.permits != nil {
		ok = l.permits.ask(&q, short, ls.in.appetiteLocked(), lease, now)
	} else {
		ok = l.tokens.ask(&q, short, ls.in.appetiteLocked(), now)
	}
	l.drawing = ok
	return q, ls.epoch, ok
}

func (ls *limits) answer(l *limit, q *store.DrawParams, r *store.DrawReply, epoch int64) {
	ls.in.mu.Lock()
	defer ls.in.mu.Unlock()
	l.drawing = false
	if l.permits != nil {
		l.permits.answer(q, r, epoch, time.Now())
	} else {
		l.tokens.answer(q, r, time.Now())
	}
	ls.in.decideLocked()
}

func (ls *limits) unanswered(l *limit) {
	ls.in.mu.Lock()
	defer ls.in.mu.Unlock()
	l.drawing = false
}

func (ls *limits) wait(l *limit, q *store.DrawParams) time.Duration {
	ls.in.mu.Lock()
	defer ls.in.mu.Unlock()
	if l.permits != nil {
		return l.permits.wait(q, time.Now())
	}
	return l.tokens.wait(time.Now())
}

// signalled has the limit looked at: there is more for this worker, or others want what it holds.
func (ls *limits) signalled(name string) {
	for _, l := range ls.all {
		if l.name == name {
			ls.in.mu.Lock()
			if l.permits != nil {
				l.permits.waiting = true // so that something is said, whatever is held
			}
			ls.in.mu.Unlock()
			lifecycle.Wake(l.wake)
		}
	}
}

// forfeit takes the permits of a silent worker, once nothing can be leased under them any more: none of its sessions is
// left in any partition, and one that it opens later waits for its permits to be confirmed. It reports whether it did.
func (e *engine) forfeit(ctx context.Context, limit string, h store.Holding) bool {
	for i := range e.partitions {
		if n, err := e.store.SessionsLeft(ctx, i, sessionPrefix(h.Holder)); n > 0 || err != nil {
			return false
		}
	}
	err := e.store.Forfeit(ctx, limit, h)
	if err == nil {
		e.log.InfoContext(ctx, EventPermitsTaken, "limit", limit, "holder", h.Holder)
	}
	return err == nil
}

// sessionPrefix begins the IDs of all sessions of a worker.
func sessionPrefix(worker string) string { return worker + "-" }

// redeem takes what a lost session had leased out of the count, once the store has given all of it back: until then
// it counts as running. It runs until ctx ends.
func (e *engine) redeem(ctx context.Context, s *session) {
	e.redeeming.Add(1)
	for ctx.Err() == nil {
		if n, err := e.store.SessionsLeft(ctx, s.id.Partition, s.id.ID); err == nil && n == 0 {
			break
		}
		lifecycle.Pause(ctx, lifecycle.Jitter(reopenWait))
	}
	if ctx.Err() != nil {
		return
	}
	e.redeeming.Add(-1)
	e.intake.mu.Lock()
	defer e.intake.mu.Unlock()
	returnLocked(s.owed)
	s.owed = nil
	s.each(e.limits.dischargeLocked)
	e.intake.decideLocked()
}

// resign gives back everything that was drawn, when all sessions are closed.
func (e *engine) resign(ctx context.Context) error {
	var errs []error
	for _, l := range e.limits.all {
		if l.number == 0 {
			continue
		}
		q := store.DrawParams{Limit: l.name, Holder: e.id, Number: l.number + 1, TTL: placeTime}
		if l.permits != nil {
			q.Max = l.max
		} else {
			q.Rate, q.Unused, q.Used = l.rate, max(0, l.left), l.spent
		}
		_, err := e.store.Draw(ctx, q)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
