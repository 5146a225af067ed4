package semaphore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// The defaults of [Options].
const (
	DefaultMax = 1
	DefaultTTL = 30 * time.Second
)

// releaseTimeout limits the last call to the store after the caller's context has ended. A lease
// that is not released by then lasts until its time has passed.
const releaseTimeout = 2 * time.Second

// Options configure a claim. Nil options mean all defaults.
type Options struct {
	// Max is how many holders the semaphore may have at a time, at most [bounds.MaxSlots]. Each claim
	// uses its own Max. So Max may change while leases are held, and no holder loses its lease.
	// Defaults to [DefaultMax].
	Max int

	// TTL is how long the lease lasts unless it is refreshed, in whole milliseconds.
	// Defaults to [DefaultTTL].
	TTL time.Duration

	// Holder describes the holder, for callers that are refused and for operators: 1 to
	// [bounds.MaxHolderLen] characters of valid UTF-8 without control characters. Defaults to host and
	// process ID, such as "host-7/4711".
	Holder string

	// Exclusive claims the semaphore for one holder only, as a writer.
	Exclusive bool

	// OnBlocked is called by Acquire when it has to wait, and then at least every 5 s. It gets the
	// holders, and how many waiters are ahead. It runs on the caller's goroutine. Defaults to none.
	OnBlocked func(*NotAcquiredError)
}

// Holder describes a lease: its slot, fencing number, description, start and end, by the store's
// clock.
type Holder = store.SemaphoreHolder

// Waiter describes a place in the line.
type Waiter = store.SemaphoreWaiter

// Semaphores gives access to the semaphores of a store by key. A key has 1 to
// [bounds.MaxSemaphoreKeyLen] bytes of valid UTF-8 without control characters. Make it with [New].
// Its methods may be called concurrently. It has no state and need not be closed.
type Semaphores struct {
	store store.Store
}

// New returns the semaphores of a store. The caller still has to close the store. Calls that fail
// for a short time are repeated, as with [store.WithRetry], but not longer than the lease lasts.
func New(s store.Store) *Semaphores {
	return &Semaphores{store: store.WithRetry(s, nil)}
}

// TryAcquire takes a free place and does not wait. If there is none, or if waiters in
// [Semaphores.Acquire] come first, it returns a [*NotAcquiredError]. For each problem of the key or
// the options it returns a [*store.FieldError]. If the store does not answer, it tries again for as
// long as the lease would last, at most half a minute. If ctx ends meanwhile, a place that was
// taken is given back; if that fails too, the place is free when its time has passed.
func (s *Semaphores) TryAcquire(ctx context.Context, key string, opts *Options) (*Lease, error) {
	claim, err := newClaim(key, opts)
	if err != nil {
		return nil, fmt.Errorf("acquire: %w", err)
	}
	lease, reply, err := s.claim(ctx, claim)
	switch {
	case err != nil:
		s.withdraw(ctx, claim)
		return nil, fmt.Errorf("acquire: %w", err)
	case lease == nil:
		return nil, notAcquired(key, reply)
	}
	return lease, nil
}

// Holders lists the holders of the semaphore, sorted by the end of their leases.
func (s *Semaphores) Holders(ctx context.Context, key string) ([]Holder, error) {
	rec, err := s.read(ctx, key)
	return rec.Holders, err
}

// Waiters lists the waiters for the semaphore, in order.
func (s *Semaphores) Waiters(ctx context.Context, key string) ([]Waiter, error) {
	rec, err := s.read(ctx, key)
	return rec.Waiters, err
}

// Count returns how many holders the semaphore has.
func (s *Semaphores) Count(ctx context.Context, key string) (int, error) {
	rec, err := s.read(ctx, key)
	return len(rec.Holders), err
}

func (s *Semaphores) read(ctx context.Context, key string) (store.SemaphoreRecord, error) {
	rec, err := s.store.Semaphore(ctx, key)
	if err != nil {
		return store.SemaphoreRecord{}, fmt.Errorf("read semaphore: %w", err)
	}
	return rec, nil
}

// ForceRelease ends the lease with this fencing number before its time. It is for operators;
// Holders returns the number. It returns false if no lease has this number any more. It frees the
// place, but does not stop the holder: the holder sees the loss at its next refresh, and works
// until then.
func (s *Semaphores) ForceRelease(ctx context.Context, key string, fence int64) (bool, error) {
	if fence <= 0 {
		bad := &store.FieldError{Field: "Fence", Reason: "is not positive"}
		return false, fmt.Errorf("force release: %w", store.JoinFields(store.ValidateSemaphoreKey(key), bad))
	}
	n, err := s.force(ctx, key, fence, fence)
	return n > 0, err
}

// ForceReleaseAll ends every lease of the semaphore before its time, as ForceRelease does with one.
// It returns how many it ended. It first reads who holds the semaphore, and ends the leases that it
// saw: waiters stay in the line, are served, and keep what they get.
func (s *Semaphores) ForceReleaseAll(ctx context.Context, key string) (int, error) {
	holders, err := s.Holders(ctx, key)
	if err != nil || len(holders) == 0 {
		return 0, err
	}
	return s.force(ctx, key, 1, lastFence(holders))
}

// lastFence returns the highest fencing number of some holders.
func lastFence(holders []Holder) (last int64) {
	for _, h := range holders {
		last = max(last, h.Fence)
	}
	return last
}

func (s *Semaphores) force(ctx context.Context, key string, first, last int64) (int, error) {
	n, err := s.store.ForceReleaseSemaphore(ctx, key, first, last)
	if err != nil {
		return 0, fmt.Errorf("force release: %w", err)
	}
	return n, nil
}

// newClaim makes a claim with a new token.
func newClaim(key string, opts *Options) (store.SemaphoreClaim, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Holder == "" {
		o.Holder = thisProcess()
	}
	if o.Max == 0 {
		o.Max = DefaultMax
	}
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	claim := store.SemaphoreClaim{
		Key: key, Token: rand.Text(), Holder: o.Holder, Max: o.Max, TTL: o.TTL.Truncate(time.Millisecond), Exclusive: o.Exclusive,
	}
	return claim, claim.Validate()
}

// thisProcess is the default description of a holder.
func thisProcess() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "unknown host"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// errTooLate ends a claim if its lease would end before the store answers.
var errTooLate = store.Transient(errors.New("no answer for as long as the lease would last"))

// claim makes one try. The lease is nil if it was refused.
func (s *Semaphores) claim(ctx context.Context, c store.SemaphoreClaim) (*Lease, store.SemaphoreReply, error) {
	bounded, cancel := context.WithTimeoutCause(ctx, c.TTL, errTooLate)
	defer cancel()
	before := time.Now()
	reply, err := s.store.AcquireSemaphore(bounded, c)
	switch {
	case err != nil || !reply.Granted:
		return nil, reply, err
	case time.Since(before) >= c.TTL-margin(c.TTL):
		return nil, reply, errTooLate
	}
	return newLease(ctx, s.store, c, reply.Lease, before), reply, nil
}

// withdraw gives back a lease, or a place in the line, that a claim may have got without an answer.
// If this fails, it ends when its time has passed.
func (s *Semaphores) withdraw(ctx context.Context, c store.SemaphoreClaim) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_ = s.store.ReleaseSemaphore(ctx, c.Key, c.Token)
}

func notAcquired(key string, r store.SemaphoreReply) *NotAcquiredError {
	return &NotAcquiredError{Key: key, Holders: r.Holders, Ahead: r.Ahead}
}
