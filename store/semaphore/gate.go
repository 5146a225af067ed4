package semaphore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/store"
)

// Gate lets at most Max processes run a function at a time. Semaphores and Key are required. A Gate
// may be copied, and its Run may be called concurrently.
type Gate struct {
	Semaphores *Semaphores

	Key string // of the semaphore
	// Also are the keys of more semaphores: Run needs a place of each, all or none, as
	// [Semaphores.TryAcquireAll] takes them. Defaults to none.
	Also      []string
	Max       int           // places of each; see [Options]
	TTL       time.Duration // how long a place is kept after its process died; see [Options]
	Holder    string        // who runs, for processes that are refused; see [Options]
	Exclusive bool          // run alone, as a writer among readers; see [Options]

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

	// OnHeartbeat is called after each successful heartbeat of each lease, with the end of that lease
	// by the store's clock. Several Runs may call it concurrently, as OnError. Defaults to none.
	OnHeartbeat func(deadline time.Time)
}

// Run calls fn on the caller's goroutine if CanRun allows it and a place is free. It never calls fn
// without a lease. If CanRun does not allow it, no place is free, or ctx is cancelled meanwhile, it
// returns at once with an error that matches [ErrSkipped].
//
// While fn runs, each lease is refreshed after a third of its TTL, even if fn makes no progress. fn
// can read the leases and their deadlines with [FromContext] and [AllFromContext]. The context of
// fn ends with ctx. It also ends, with cause [store.ErrLeaseLost], when one lease is lost; Run
// still waits for fn to return. Then Run releases all leases, also when fn panics or ends its
// goroutine. A panic goes on to the caller. If the store does not answer, Run stops trying after 2
// s; then the lease lasts until its time has passed.
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
	leases, err := g.acquire(ctx)
	switch {
	case errors.Is(err, ErrNotAcquired), err != nil && errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%w: %w", ErrSkipped, err)
	case err != nil:
		return p.report(err)
	}
	defer func() {
		if failed := p.report(leases.leave(ctx)); failed != nil {
			err = errors.Join(err, failed)
		}
	}()
	return p.report(leases.hold(ctx, fn, p.beat, func(err error) { _ = p.report(err) }))
}

// acquire takes the places, all or none.
func (g *Gate) acquire(ctx context.Context) (*Leases, error) {
	opts := &Options{Max: g.Max, TTL: g.TTL, Holder: g.Holder, Exclusive: g.Exclusive}
	if len(g.Also) > 0 {
		return g.Semaphores.TryAcquireAll(ctx, append([]string{g.Key}, g.Also...), opts)
	}
	lease, err := g.Semaphores.TryAcquire(ctx, g.Key, opts)
	if err != nil {
		return nil, err
	}
	return Join(lease), nil
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

	telling sync.Mutex // one call of a callback at a time, though several leases are kept
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
		if err := p.tell(&p.beats, func() { p.OnHeartbeat(deadline) }); err != nil {
			_ = p.report(err)
		}
	}
}

// report passes an error on to OnError, and returns it.
func (p *pass) report(err error) error {
	if err != nil && p.OnError != nil {
		_ = p.tell(&p.errors, func() { p.OnError(err) })
	}
	return err
}

// tell calls a callback, and records why it ended if it did not return.
func (p *pass) tell(patient *guard.Patient, callback func()) error {
	p.telling.Lock()
	defer p.telling.Unlock()
	_, err := patient.Apart(func() error {
		callback()
		return nil
	})
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
