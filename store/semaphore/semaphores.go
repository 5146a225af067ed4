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

// releaseTimeout bounds the last word to the store when the caller's context has ended. What is not
// released then ends with its time.
const releaseTimeout = 2 * time.Second

// Options say what is claimed. Nil options mean all defaults.
type Options struct {
	// Max is how many may hold the semaphore at a time, at most [bounds.MaxSlots]. Each claim
	// counts by its own Max, so Max may change while leases are held: no holder loses its lease.
	// Defaults to [DefaultMax].
	Max int

	// TTL is how long the lease lasts unless it is refreshed, in whole milliseconds.
	// Defaults to [DefaultTTL].
	TTL time.Duration

	// Holder describes who claims, for those who are refused and for operators to read: 1
	// to [bounds.MaxHolderLen] characters of valid UTF-8 without control characters. Defaults to the
	// name of the host and the number of the process, such as "host-7/4711".
	Holder string

	// Exclusive claims the semaphore for one alone, as a writer does among readers.
	Exclusive bool

	// OnBlocked is told by Acquire, as soon as it has to wait and then at least every 5 s, who
	// holds and how many are ahead. It runs on the caller's goroutine. Defaults to nobody.
	OnBlocked func(*NotAcquiredError)
}

// Holder describes a lease: slot, fencing number, description, since when and until
// when by the store's clock.
type Holder = store.SemaphoreHolder

// Waiter describes a place in the line.
type Waiter = store.SemaphoreWaiter

// Semaphores are all semaphores of a store, by their keys: 1 to [bounds.MaxSemaphoreKeyLen] bytes
// of valid UTF-8 without control characters. Make it with [New]. Its methods may be called
// concurrently. It keeps nothing and need not be closed.
type Semaphores struct {
	store store.Store
}

// New returns the semaphores of a store, which stays the caller's. Calls that fail for now are
// repeated as [store.WithRetry] does, in time for the lease that they are about.
func New(s store.Store) *Semaphores {
	return &Semaphores{store: store.WithRetry(s, nil)}
}

// TryAcquire takes a free place and does not wait: [*NotAcquiredError] when there is none, or when
// those who wait in [Semaphores.Acquire] are to have it. A [*store.FieldError] for each thing wrong
// with the key or the options. When the store cannot be reached it tries again for as long as the
// lease would last, at most half a minute. If ctx ends meanwhile, a place that was taken is given
// back; if that fails too, it ends with its time.
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

// Holders lists who holds the semaphore, those whose leases end first, first.
func (s *Semaphores) Holders(ctx context.Context, key string) ([]Holder, error) {
	rec, err := s.read(ctx, key)
	return rec.Holders, err
}

// Waiters lists who waits for the semaphore, in order.
func (s *Semaphores) Waiters(ctx context.Context, key string) ([]Waiter, error) {
	rec, err := s.read(ctx, key)
	return rec.Waiters, err
}

// Count is how many hold the semaphore.
func (s *Semaphores) Count(ctx context.Context, key string) (int, error) {
	rec, err := s.read(ctx, key)
	return len(rec.Holders), err
}

func (s *Semaphores) read(ctx context.Context, key string) (store.SemaphoreRecord, error) {
	if err := store.ValidateSemaphoreKey(key); err != nil {
		return store.SemaphoreRecord{}, fmt.Errorf("read semaphore: %w", err)
	}
	rec, err := s.store.Semaphore(ctx, key)
	if err != nil {
		return store.SemaphoreRecord{}, fmt.Errorf("read semaphore: %w", err)
	}
	return rec, nil
}

// ForceRelease ends the lease with the fencing number before its time: it is for operators, who
// find the number with Holders. It reports whether a lease was ended now; false means that none has
// that number any more. Its holder learns of it with the next refresh, and can work until then:
// this makes room, it does not stop the holder.
func (s *Semaphores) ForceRelease(ctx context.Context, key string, fence int64) (bool, error) {
	var bad error
	if fence <= 0 {
		bad = &store.FieldError{Field: "Fence", Reason: "is not positive"} // 0 would end every lease
	}
	n, err := s.force(ctx, key, fence, bad)
	return n > 0, err
}

// ForceReleaseAll ends every lease of the semaphore before its time, as ForceRelease does one, and
// returns how many. Who waits keeps waiting, and is served.
func (s *Semaphores) ForceReleaseAll(ctx context.Context, key string) (int, error) {
	return s.force(ctx, key, 0, nil)
}

func (s *Semaphores) force(ctx context.Context, key string, fence int64, bad error) (int, error) {
	if err := store.JoinFields(store.ValidateSemaphoreKey(key), bad); err != nil {
		return 0, fmt.Errorf("force release: %w", err)
	}
	n, err := s.store.ForceReleaseSemaphore(ctx, key, fence)
	if err != nil {
		return 0, fmt.Errorf("force release: %w", err)
	}
	return n, nil
}

// newClaim makes a claim with a token of its own.
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

// thisProcess describes a holder that has no description of its own.
func thisProcess() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "unknown host"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// errTooLate ends a claim whose lease would be over before it was answered.
var errTooLate = store.Transient(errors.New("no answer for as long as the lease would last"))

// claim asks once. The lease is nil if it was refused.
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

// withdraw gives back what a claim may have got without our knowing: a lease or a place in the
// line. If it fails that ends with its time.
func (s *Semaphores) withdraw(ctx context.Context, c store.SemaphoreClaim) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_ = s.store.ReleaseSemaphore(ctx, c.Key, c.Token)
}

func notAcquired(key string, r store.SemaphoreReply) *NotAcquiredError {
	return &NotAcquiredError{Key: key, Holders: r.Holders, Ahead: r.Ahead}
}
