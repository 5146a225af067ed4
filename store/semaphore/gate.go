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

// Gate lets a runner run in at most Max places of the cluster at a time. Semaphores and Key
// are required. A Gate is a value: it may be copied, and its Run called concurrently.
type Gate struct {
	Semaphores *Semaphores

	Key    string        // of the semaphore
	Max    int           // places; see [Options]
	TTL    time.Duration // how long a dead runner keeps its place; see [Options]
	Holder string        // who runs, for whoever is locked out to read; see [Options]

	// CanRun is asked before each run. It does not affect a run that has begun. A gate obeys the
	// read-only mode of a namespace only if this is syncjob's Manager.Writable, or asks it.
	// Defaults to yes.
	CanRun func(ctx context.Context) bool

	// OnError is told of every error when it happens: of acquiring, of the function, of heartbeats
	// (which are repeated while the lease lasts), of releasing, and of callbacks that panicked. A
	// skipped run is no error. A panic of the function goes only to the caller of Run. One Run
	// calls it once at a time; several Runs call it at the same time. Run waits for a call for a
	// tenth of the TTL, at most a second. While a call blocks, no other is made. Defaults to no
	// function.
	OnError func(error)

	// OnHeartbeat is told of each successful heartbeat, and until when the lease lasts by the
	// store's clock, by several Runs at once as OnError is. Defaults to nobody.
	OnHeartbeat func(deadline time.Time)
}

// Run calls fn, on the caller's goroutine, if the predicate allows and a place is free, and never
// without a lease. Otherwise it returns at once an error that matches [ErrSkipped].
//
// While fn runs the lease is refreshed at a third of its TTL, whether or not fn makes progress; fn
// finds it, with its deadline, by [FromContext]. fn's context ends with ctx, and with cause
// [store.ErrLeaseLost] when the lease is lost; Run waits for fn to return all the same. Then the
// lease is released, also when fn panics or ends its goroutine; the panic goes on to the caller. If
// the store does not answer, Run stops trying after 2 s, and the lease ends with its time.
//
// Run returns fn's error, joined with that of the release if that failed: [store.ErrLeaseLost]
// there means that somebody else may have run meanwhile. A panic of CanRun keeps fn from running
// and is returned as an error; the first of OnHeartbeat or OnError is joined to what Run returns.
// Bad input is a [*store.FieldError], also a nil fn for the field "Fn".
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

// patience is how long a callback may hold up heartbeats: the lease outlasts it.
func (g *Gate) patience() time.Duration {
	if g.TTL == 0 {
		return guard.Patience
	}
	return min(guard.Patience, g.TTL/10)
}

// pass is one Run of a gate.
type pass struct {
	Gate
	broken atomic.Pointer[error] // how the first callback that did not return ended
	errors guard.Patient         // with OnError
	beats  guard.Patient         // with OnHeartbeat
}

// hold calls fn while heartbeats keep the lease.
func (p *pass) hold(ctx context.Context, lease *Lease, fn func(ctx context.Context) error) error {
	running, done := context.WithCancelCause(context.WithValue(ctx, leaseKey{}, lease))
	defer done(context.Canceled)
	lease.follow(done)
	// Heartbeats outlive ctx: fn may take its time to return, and holds its place until then.
	group := lifecycle.New(context.WithoutCancel(ctx))
	group.Go(func(ctx context.Context) { lease.keep(ctx, p.beat, func(err error) { _ = p.report(err) }) })
	defer group.Stop(context.Canceled)

	if !lease.alive() { // this process stood still since the lease was granted
		return context.Cause(lease.ctx)
	}
	return fn(running)
}

// allowed asks the predicate.
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

// beat tells of a heartbeat.
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

// note keeps how a callback ended, if it did not return.
func (p *pass) note(err error) error {
	if err != nil {
		err = fmt.Errorf("callback of the gate: %w", err)
		p.broken.CompareAndSwap(nil, &err)
	}
	return err
}

// leave releases the lease though ctx may have ended.
func (l *Lease) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	return l.Release(ctx)
}

type leaseKey struct{}

// FromContext returns the lease that a function runs under which a [Gate] called, and false
// outside of one.
func FromContext(ctx context.Context) (*Lease, bool) {
	lease, ok := ctx.Value(leaseKey{}).(*Lease)
	return lease, ok
}
