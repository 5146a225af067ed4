package semaphore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// Leases are held places of several semaphores, in the order of their keys.
type Leases struct {
	All []*Lease

	ctx    context.Context
	cancel context.CancelCauseFunc
}

// TryAcquireAll takes a free place of each key and does not wait: all or none. The same options go
// for every key. If one of them has none free, the others are given back, and the error is that of
// [Semaphores.TryAcquire] for it. The keys are taken one after the other, because they may lie in
// different partitions. Meanwhile another caller may be refused a place that is given back a moment
// later.
func (s *Semaphores) TryAcquireAll(ctx context.Context, keys []string, opts *Options) (*Leases, error) {
	return acquireAll(ctx, keys, opts, s.TryAcquire)
}

// AcquireAll takes a place of each key, and waits for each until ctx ends: all or none. The same
// options go for every key. The keys are taken in their order, so that callers cannot wait for each
// other in a circle. Heartbeats keep the places that it already holds. If one is lost, AcquireAll
// gives up with [store.ErrLeaseLost].
func (s *Semaphores) AcquireAll(ctx context.Context, keys []string, opts *Options) (*Leases, error) {
	return acquireAll(ctx, keys, opts, s.Acquire)
}

func acquireAll(ctx context.Context, keys []string, opts *Options,
	acquire func(context.Context, string, *Options) (*Lease, error),
) (held *Leases, err error) {
	ordered, err := ordered(keys)
	if err != nil {
		return nil, fmt.Errorf("acquire all: %w", err)
	}
	ls := &Leases{}
	ls.ctx, ls.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	defer func() {
		if held == nil {
			ls.leave(ctx)
		}
	}()
	beats := lifecycle.New(ctx)
	defer beats.Stop(context.Canceled)
	waiting, done := bind(ctx, ls.ctx)
	defer done()
	for _, key := range ordered {
		lease, err := acquire(waiting, key, opts)
		if err != nil {
			return nil, err
		}
		ls.add(lease)
		beats.Go(func(ctx context.Context) { lease.keep(ctx, nil, nil) })
	}
	if ls.ctx.Err() != nil {
		return nil, fmt.Errorf("acquire all: %w", context.Cause(ls.ctx))
	}
	return ls, nil
}

// ordered sorts the keys and refuses what cannot be acquired together.
func ordered(keys []string) ([]string, error) {
	if len(keys) == 0 {
		return nil, &store.FieldError{Field: "Keys", Reason: "is empty"}
	}
	ordered := slices.Sorted(slices.Values(keys))
	for i, key := range ordered {
		if i > 0 && key == ordered[i-1] {
			return nil, &store.FieldError{Field: "Keys", Reason: fmt.Sprintf("holds %q twice", key)}
		}
	}
	return ordered, nil
}

func (l *Leases) add(lease *Lease) {
	l.All = append(l.All, lease)
	lease.follow(l.cancel)
}

// Context ends with that of the first lease which does, with its cause: see [Lease.Context]. It has
// ended when Refresh says [store.ErrLeaseLost].
func (l *Leases) Context() context.Context { return l.ctx }

// Refresh lets all leases last for another TTL, as [Lease.Refresh] does one. It tries each
// and returns the errors joined.
func (l *Leases) Refresh(ctx context.Context) error {
	return l.each(func(lease *Lease) error { return lease.Refresh(ctx) })
}

// Release ends all leases, as [Lease.Release] does one, the last one first. It tries each
// and returns the errors joined.
func (l *Leases) Release(ctx context.Context) error {
	l.cancel(context.Canceled)
	return l.each(func(lease *Lease) error { return lease.Release(ctx) })
}

// leave releases what was acquired before the rest failed.
func (l *Leases) leave(ctx context.Context) {
	l.cancel(context.Canceled)
	_ = l.each(func(lease *Lease) error { return lease.leave(ctx) })
}

func (l *Leases) each(fn func(*Lease) error) error {
	var errs []error
	for _, lease := range slices.Backward(l.All) {
		errs = append(errs, fn(lease))
	}
	return errors.Join(errs...)
}
