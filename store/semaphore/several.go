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

// TryAcquireAll takes a free place of each key, all or none, and does not wait. The same options
// are used for every key. If one key has no free place, the other places are given back, and the
// error is that of [Semaphores.TryAcquire] for this key. The keys are taken one after the other,
// because they may lie in different partitions. Meanwhile another caller may be refused a place
// that is given back a moment later.
func (s *Semaphores) TryAcquireAll(ctx context.Context, keys []string, opts *Options) (*Leases, error) {
	return acquireAll(ctx, keys, opts, s.TryAcquire)
}

// AcquireAll takes a place of each key, all or none, and waits for each until ctx ends. The same
// options are used for every key. It takes the keys in sorted order, so callers cannot wait for
// each other in a circle. It refreshes the places that it already holds. If one is lost, AcquireAll
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
	ls := newLeases(ctx)
	defer func() {
		if held == nil {
			_ = ls.leave(ctx)
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

// Join makes one of leases that were acquired one by one, for example some for reading and some for
// writing, so that they are kept together: see [Leases.Keep]. Release and Keep release all of them.
// There must be at least one.
func Join(leases ...*Lease) *Leases {
	ls := newLeases(context.Background())
	if len(leases) > 0 { // with the values of the first
		ls = newLeases(leases[0].ctx)
	}
	for _, lease := range leases {
		ls.add(lease)
	}
	return ls
}

// newLeases makes Leases without a lease.
func newLeases(ctx context.Context) *Leases {
	ls := &Leases{}
	ls.ctx, ls.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return ls
}

// ordered sorts the keys, and refuses an empty list and repeated keys.
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

// Context returns a context that ends when the context of one of the leases ends, with the same
// cause: see [Lease.Context]. It has ended when Refresh returns [store.ErrLeaseLost].
func (l *Leases) Context() context.Context { return l.ctx }

// Refresh extends all leases, as [Lease.Refresh] extends one. It tries each of them and returns the
// joined errors.
func (l *Leases) Refresh(ctx context.Context) error {
	return l.each(func(lease *Lease) error { return lease.Refresh(ctx) })
}

// Release ends all leases, as [Lease.Release] ends one; the last one is first. It tries each of
// them and returns the joined errors.
func (l *Leases) Release(ctx context.Context) error {
	l.cancel(context.Canceled)
	return l.each(func(lease *Lease) error { return lease.Release(ctx) })
}

// leave releases all leases, even if ctx has ended.
func (l *Leases) leave(ctx context.Context) error {
	l.cancel(context.Canceled)
	return l.each(func(lease *Lease) error { return lease.leave(ctx) })
}

func (l *Leases) each(fn func(*Lease) error) error {
	var errs []error
	for _, lease := range slices.Backward(l.All) {
		errs = append(errs, fn(lease))
	}
	return errors.Join(errs...)
}
