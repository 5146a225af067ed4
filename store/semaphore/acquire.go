package semaphore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
)

const (
	// placeTTL is how long a place in the line is kept after its waiter died.
	placeTTL = 15 * time.Second
	// placeRefresh is how often a waiter refreshes its place. It then also sees whether it is its
	// turn, in case a signal was lost.
	placeRefresh = placeTTL / 3
	// outagePause is the pause between two tries while the store does not answer. Each try is also
	// repeated on its own.
	outagePause = time.Second
)

// Acquire takes a place, and waits for one until ctx ends. Waiters of all processes are served in
// the order in which they came. TryAcquire does not overtake them. A release wakes the first
// waiter. When the earliest lease ends, all waiters try again.
//
// A waiter that dies loses its place in the line after 15 s. A process that is paused for that long
// joins again at the end of the line. Acquire keeps trying while the store does not answer. When
// ctx ends, the waiter leaves the line. The error then matches the cause of ctx, and is a
// [*NotAcquiredError] with the last known holders. Bad input gives a [*store.FieldError].
func (s *Semaphores) Acquire(ctx context.Context, key string, opts *Options) (lease *Lease, err error) {
	claim, err := newClaim(key, opts)
	if err != nil {
		return nil, fmt.Errorf("acquire: %w", err)
	}
	claim.Wait = placeTTL
	defer func() {
		if lease == nil {
			s.withdraw(ctx, claim)
		}
	}()

	var place atomic.Int64 // its place in the line; a process that was paused for too long gets another
	wake := make(chan struct{}, 1)
	group := lifecycle.New(ctx)
	defer group.Stop(context.Canceled)
	taken := &NotAcquiredError{Key: key}
	for listening := false; ; listening = true {
		lease, reply, err := s.claim(ctx, claim)
		if err == nil {
			taken = notAcquired(key, reply)
			place.Store(reply.Place)
		}
		switch {
		case lease != nil:
			return lease, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("acquire: %w: %w", context.Cause(ctx), taken)
		case err != nil && !errors.Is(err, store.ErrUnavailable):
			return nil, fmt.Errorf("acquire: %w", err)
		case err == nil && opts != nil && opts.OnBlocked != nil:
			opts.OnBlocked(taken)
		}
		if !listening {
			// The subscription starts only now, so a claim that gets a place at once needs none. No signal
			// is missed: a subscription begins with SignalSync.
			group.Go(func(ctx context.Context) { s.listen(ctx, key, &place, wake) })
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("acquire: %w: %w", context.Cause(ctx), taken)
		case <-wake:
		case <-time.After(pause(reply, err)):
		}
	}
}

// listen wakes a waiter when it may be its turn, until ctx ends. If the subscription fails, the
// waiter still tries from time to time.
func (s *Semaphores) listen(ctx context.Context, key string, place *atomic.Int64, wake chan<- struct{}) {
	_ = s.store.Subscribe(ctx, func(sig store.Signal) {
		if sig.Type == signals.Sync ||
			sig.Type == signals.Semaphore && sig.Semaphore == key && sig.Place == place.Load() {
			select {
			case wake <- struct{}{}:
			default: // it is awake already
			}
		}
	})
}

// pause returns how long a waiter may wait without a signal: until the first lease or place ends,
// but not so long that it loses its own place.
func pause(r store.SemaphoreReply, err error) time.Duration {
	if err != nil {
		return outagePause
	}
	d := placeRefresh
	if !r.Next.IsZero() {
		d = min(d, r.Next.Sub(r.Now))
	}
	return max(d, time.Millisecond)
}
