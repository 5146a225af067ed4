package semaphore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// Gate lets at most Max processes run a function at a time. Semaphores and Key are required. A Gate
// may be copied, and its Run may be called concurrently.
type Gate struct {
	Semaphores *Semaphores

	Key    string        // of the semaphore
	Max    int           // places; see [Options]
	TTL    time.Duration // how long a place is kept after its process died; see [Options]
	Holder string        // who runs, for processes that are refused; see [Options]

	// CanRun is called before each run. If it returns false, the run is skipped. It does not affect a
	// run that has begun. A gate obeys the read-only mode of a namespace only if CanRun is syncjob's
	// Manager.Writable, or calls it. Defaults to a function that returns true.
	CanRun func(ctx context.Context) bool

	// OnError is called for every error: of acquiring, of the function, of heartbeats (which are
	// repeated while the lease lasts), of releasing, and of callbacks that panicked. A skipped run is
	// not an error. A panic of the function goes only to the caller of Run. One Run makes one call at
	// a time; several Runs may call it concurrently. Run waits for a call for a tenth of the TTL, at
	// most a second. While a call blocks, no other is made. Defaults to none.
	OnError func(error)

	// OnHeartbeat is called after each successful heartbeat, with the end of the lease by the store's
	// clock. Several Runs may call it concurrently, as OnError. Defaults to none.
	OnHeartbeat func(deadline time.Time)
}

// Run calls fn on the caller's goroutine if CanRun allows it and a place is free. It never calls fn
// without a lease. If it does not call fn, it returns at once with an error that matches
// [ErrSkipped].
//
// While fn runs, the lease is refreshed after each third of its TTL, even if fn makes no progress.
// fn can read the lease and its deadline with [FromContext]. The context of fn ends with ctx. It
// also ends, with cause [store.ErrLeaseLost], when the lease is lost; Run still waits for fn to
// return. Then Run releases the lease, also when fn panics or ends its goroutine. A panic goes on
// to the caller. If the store does not answer, Run stops trying after 2 s; then the lease lasts
// until its time has passed.
//
// Run returns the error of fn. If the release failed, it joins that error: [store.ErrLeaseLost]
// means that another process may have run fn meanwhile. If CanRun panics, fn is not called, and the
// panic is returned as an error. The first panic of OnHeartbeat or OnError is joined to the result.
// Bad input gives a [*store.FieldError]; for a nil fn it has the field "Fn".
func (g Gate) Run(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	if err := g.check(fn); err != nil {
		return fmt.Errorf("gate: %w", err)
	}
	p := &pass{Gate: g}
	p.errors.Limit, p.beats.Limit = g.patience(), g.patience()
	defer func() {
		if broken := p.broken.Load(); broken != nil {
			err = errors.Join(err, *broken)
		}
	}()
	if allowed, err := p.allowed(ctx); err != nil {
		return p.report(err)
	} else if !allowed {
		return fmt.Errorf("%w: the predicate does not allow it", ErrSkipped)
	}
	lease, err := g.Semaphores.TryAcquire(ctx, g.Key, &Options{Max: g.Max, TTL: g.TTL, Holder: g.Holder})
	switch {
	case errors.Is(err, ErrNotAcquired):
		return fmt.Errorf("%w: %w", ErrSkipped, err)
	case err != nil:
		return p.report(err)
	}
	defer func() {
		if failed := p.report(lease.leave(ctx)); failed != nil {
			err = errors.Join(err, failed)
		}
	}()
	return p.report(p.hold(ctx, lease, fn))
}

func (g *Gate) check(fn func(ctx context.Context) error) error {
	var errs []error
	if g.Semaphores == nil {
		errs = append(errs, &store.FieldError{Field: "Semaphores", Reason: "is nil"})
	}
	if fn == nil {
		errs = append(errs, &store.FieldError{Field: "Fn", Reason: "is nil"})
	}
	return errors.Join(errs...)
}

// patience is how long a callback may delay heartbeats. The lease is longer.
func (g *Gate) patience() time.Duration {
	if g.TTL == 0 {
		return guard.Patience
	}
	return min(guard.Patience, g.TTL/10)
}

// pass is one Run of a gate.
type pass struct {
	Gate
	broken atomic.Pointer[error] // why the first callback that did not return ended
	errors guard.Patient         // calls OnError
	beats  guard.Patient         // calls OnHeartbeat
}

// hold calls fn, and refreshes the lease meanwhile.
func (p *pass) hold(ctx context.Context, lease *Lease, fn func(ctx context.Context) error) error {
	running, done := context.WithCancelCause(context.WithValue(ctx, leaseKey{}, lease))
	defer done(context.Canceled)
	lease.follow(done)
	// Heartbeats go on after ctx has ended: fn keeps its place until it returns.
	group := lifecycle.New(context.WithoutCancel(ctx))
	group.Go(func(ctx context.Context) { lease.keep(ctx, p.beat, func(err error) { _ = p.report(err) }) })
	defer group.Stop(context.Canceled)

	if !lease.alive() { // this process was paused after the lease was granted
		return context.Cause(lease.ctx)
	}
	return fn(running)
}

// allowed calls CanRun.
func (p *pass) allowed(ctx context.Context) (allowed bool, err error) {
	if p.CanRun == nil {
		return true, nil
	}
	err = guard.Apart(func() error {
		allowed = p.CanRun(ctx)
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("ask whether the gate may run: %w", err)
	}
	return allowed, nil
}

// beat reports a heartbeat.
func (p *pass) beat(deadline time.Time) {
	if p.OnHeartbeat != nil {
		if err := p.note(guard.Tell(&p.beats, p.OnHeartbeat, deadline)); err != nil {
			_ = p.report(err)
		}
	}
}

// report passes an error on to OnError, and returns it.
func (p *pass) report(err error) error {
	if err != nil && p.OnError != nil {
		_ = p.note(guard.Tell(&p.errors, p.OnError, err))
	}
	return err
}

// note records why a callback ended, if it did not return.
func (p *pass) note(err error) error {
	if err != nil {
		err = fmt.Errorf("callback of the gate: %w", err)
		p.broken.CompareAndSwap(nil, &err)
	}
	return err
}

// leave releases the lease, even if ctx has ended.
func (l *Lease) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	return l.Release(ctx)
}

type leaseKey struct{}

// FromContext returns the lease of the [Gate] that called the function. It returns false in any
// other context.
func FromContext(ctx context.Context) (*Lease, bool) {
	lease, ok := ctx.Value(leaseKey{}).(*Lease)
	return lease, ok
}
