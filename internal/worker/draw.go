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

// loop draws on one limit whenever there is reason to, and often enough to be taken for alive,
// until ctx ends.
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

// draw makes one call if there is reason to, and returns after what time the next is needed though
// nothing happens; 0 for never.
func (d *drawer) draw(ctx context.Context, l *intake.Limit) time.Duration {
	q, wait := l.Ask(d.lease)
	if q == nil {
		return wait
	}
	reply, err := d.store.Draw(ctx, *q)
	if err != nil {
		l.Failed()
		if ctx.Err() == nil {
			d.log.WarnContext(ctx, "cannot draw on a limit; it is repeated", "limit", q.Limit, "error", err)
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

// forfeit takes the permits of a silent worker, once nothing can be leased under them any more:
// none of its sessions is left in any partition, and one that it opens later waits for its permits
// to be confirmed. It reports whether it did.
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

// resign gives back everything that was drawn, when all sessions are closed.
func (d *drawer) resign(ctx context.Context) error {
	var errs []error
	for _, q := range d.intake.Resign() {
		_, err := d.store.Draw(ctx, q)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
