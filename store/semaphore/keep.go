package semaphore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// Keep calls fn on the caller's goroutine and keeps the lease meanwhile: see [Leases.Keep].
func (l *Lease) Keep(ctx context.Context, fn func(ctx context.Context) error) error {
	return Join(l).Keep(ctx, fn)
}

// Keep calls fn on the caller's goroutine, and refreshes each lease after a third of its TTL while
// fn runs, also after ctx has ended. The context of fn ends with ctx. It also ends, with the cause
// [store.ErrLeaseLost], when one of the leases is lost; Keep still waits for fn to return. If one
// was lost before, fn is not called. fn can read the leases with [FromContext] and
// [AllFromContext].
//
// Then Keep releases all leases, whatever became of one of them, also when fn panics or ends its
// goroutine; a panic goes on to the caller. If the store does not answer, it stops trying after 2 s
// for each lease; then that lease lasts until its time has passed. Keep returns the error of fn,
// joined with those of the releases: [store.ErrLeaseLost] means that another holder may have been
// active meanwhile. For a nil fn it returns a [*store.FieldError] for the field "Fn", and releases
// nothing.
func (l *Leases) Keep(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	if fn == nil {
		return fmt.Errorf("keep: %w", &store.FieldError{Field: "Fn", Reason: "is nil"})
	}
	defer func() {
		if failed := l.leave(ctx); failed != nil {
			err = errors.Join(err, failed)
		}
	}()
	return l.hold(ctx, fn, nil, nil)
}

// hold calls fn, and refreshes the leases meanwhile. It reports to the two functions; both may be
// nil.
func (l *Leases) hold(
	ctx context.Context, fn func(ctx context.Context) error, beat func(deadline time.Time), failed func(error),
) error {
	running, done := context.WithCancelCause(context.WithValue(ctx, leaseKey{}, l))
	defer done(context.Canceled)
	// Heartbeats go on after ctx has ended: fn keeps its places until it returns.
	group := lifecycle.New(context.WithoutCancel(ctx))
	defer group.Stop(context.Canceled)
	for _, lease := range l.All {
		lease.follow(done)
		group.Go(func(ctx context.Context) { lease.keep(ctx, beat, failed) })
	}
	for _, lease := range l.All {
		if !lease.alive() { // this process was paused after the lease was granted
			return context.Cause(lease.ctx)
		}
	}
	return fn(running)
}

type leaseKey struct{}

// FromContext returns the lease of the [Gate], or of the Keep, that called the function: of several
// the first of All. It returns false in any other context.
func FromContext(ctx context.Context) (*Lease, bool) {
	if all, ok := AllFromContext(ctx); ok && len(all.All) > 0 {
		return all.All[0], true
	}
	return nil, false
}

// AllFromContext returns all leases of the [Gate], or of the Keep, that called the function. It
// returns false in any other context.
func AllFromContext(ctx context.Context) (*Leases, bool) {
	all, ok := ctx.Value(leaseKey{}).(*Leases)
	return all, ok
}
