package worker

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/worker/intake"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

// drawLoop draws on one limit whenever there is reason to, and often enough to be taken for alive, until ctx ends.
func (e *Engine) drawLoop(ctx context.Context, l *intake.Limit) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.Due():
		case <-timer.C:
		}
		timer.Stop()
		if wait := e.draw(ctx, l); wait > 0 {
			timer.Reset(wait)
		}
	}
}

// draw makes one call if there is reason to, and returns after what time the next is needed though nothing happens; 0 for never.
func (e *Engine) draw(ctx context.Context, l *intake.Limit) time.Duration {
	q, wait := l.Ask(e.cfg.Lease)
	if q == nil {
		return wait
	}
	reply, err := e.store.Draw(ctx, *q)
	if err != nil {
		l.Failed()
		if ctx.Err() == nil {
			e.log.WarnContext(ctx, "cannot draw on a limit; it is repeated", "limit", q.Limit, "error", err)
		}
		return lifecycle.Jitter(retryWait)
	}
	wait = l.Answered(q, &reply)
	for _, h := range reply.Silent {
		if e.forfeit(ctx, q.Limit, h) {
			l.Again()
		}
	}
	return wait
}

// forfeit takes the permits of a silent worker, once nothing can be leased under them any more: none of its sessions is
// left in any partition, and one that it opens later waits for its permits to be confirmed. It reports whether it did.
func (e *Engine) forfeit(ctx context.Context, limit string, h store.Holding) bool {
	for i := range e.partitions {
		if n, err := e.store.SessionsLeft(ctx, i, sessionPrefix(h.Holder)); n > 0 || err != nil {
			return false
		}
	}
	err := e.store.Forfeit(ctx, limit, h)
	if err == nil {
		e.log.InfoContext(ctx, events.PermitsTaken, "limit", limit, "holder", h.Holder)
	}
	return err == nil
}

// sessionPrefix begins the IDs of all sessions of a worker.
func sessionPrefix(worker string) string { return worker + "-" }

// redeem takes what a lost session had leased out of the count, once the store has given all of it back: until then
// it counts as running. It runs until ctx ends.
func (e *Engine) redeem(ctx context.Context, s *session) {
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
	e.intake.Redeemed(&s.debt, s.leased)
}

// resign gives back everything that was drawn, when all sessions are closed.
func (e *Engine) resign(ctx context.Context) error {
	var errs []error
	for _, q := range e.intake.Resign() {
		_, err := e.store.Draw(ctx, q)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
