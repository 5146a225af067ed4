package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/worker/intake"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

// drawer draws permits and tokens of limits from the store.
type drawer struct {
	store  store.Store
	intake *intake.Intake
	lease  time.Duration
	log    *slog.Logger
}

// loop draws on one limit until ctx ends: whenever there is a reason, and often enough that the
// store does not take the worker for dead.
func (d *drawer) loop(ctx context.Context, l *intake.Limit) {
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
		if wait := d.draw(ctx, l); wait > 0 {
			timer.Reset(wait)
		}
	}
}

// draw makes one call if there is a reason. It returns after what time the next call is needed even
// if nothing happens; 0 means never.
func (d *drawer) draw(ctx context.Context, l *intake.Limit) time.Duration {
	q, wait := l.Ask(d.lease)
	if q == nil {
		return wait
	}
	reply, err := d.store.Draw(ctx, *q)
	if err != nil {
		l.Failed()
		if ctx.Err() == nil {
			d.log.WarnContext(ctx, "call about a limit failed; it is repeated", "limit", q.Limit, "error", err)
		}
		return lifecycle.Jitter(retryWait)
	}
	wait = l.Answered(q, &reply)
	for _, h := range reply.Silent {
		if d.forfeit(ctx, q.Limit, h) {
			l.Again()
		}
	}
	return wait
}

// forfeit takes back the permits of a silent worker, and reports whether it did. It does so only if
// none of the worker's sessions is left in any partition. Then nothing is leased with these
// permits, and nothing will be: a session that the worker opens later waits until its permits are
// confirmed.
func (d *drawer) forfeit(ctx context.Context, limit string, h store.Holding) bool {
	for i := range d.store.Partitions() {
		if n, err := d.store.SessionsLeft(ctx, i, sessionPrefix(h.Holder)); n > 0 || err != nil {
			return false
		}
	}
	err := d.store.Forfeit(ctx, limit, h)
	if err == nil {
		d.log.InfoContext(ctx, events.PermitsTaken, "limit", limit, "holder", h.Holder)
	}
	return err == nil
}

// resign gives back all permits and tokens, after all sessions are closed.
func (d *drawer) resign(ctx context.Context) error {
	var errs []error
	for _, q := range d.intake.Resign() {
		_, err := d.store.Draw(ctx, q)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
