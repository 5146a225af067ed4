package semaphore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

const (
	// placeTTL is how long a place in the line outlives its waiter.
	placeTTL = 15 * time.Second
	// placeRefresh is how often a waiter says that it lives. It sees then whether
	// it is its turn, in case a signal was lost.
	placeRefresh = placeTTL / 3
	// outagePause is between two tries while the store cannot be reached, on top of the
	// repeats of each.
	outagePause = time.Second
)

// Acquire takes a place, and waits for one until ctx ends. Those who wait are served first come,
// first served, across processes, and TryAcquire yields to them. A release wakes the first of them,
// and the end of the earliest lease all.
//
// A waiter that dies loses its place in the line after 15 s. A process that stands still for that
// long joins again at the end of the line. Acquire keeps trying while the store does not answer.
// When ctx ends, the error matches its cause and is a [*NotAcquiredError] with those who held at
// last; the place in the line is given up. Bad input is a [*store.FieldError].
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

	var place atomic.Int64 // in the line; who stood still for too long gets another
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
			// Only now, so that who gets a place at once costs no subscription. What was
			// signalled meanwhile is not missed: a subscription begins with SignalSync.
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

// listen wakes a waiter when it is its turn, or may have been, until ctx ends. If it cannot, the
// waiter still looks from time to time.
func (s *Semaphores) listen(ctx context.Context, key string, place *atomic.Int64, wake chan<- struct{}) {
	_ = s.store.Subscribe(ctx, func(sig store.Signal) {
		if sig.Type == store.SignalSync ||
			sig.Type == store.SignalSemaphore && sig.Semaphore == key && sig.Place == place.Load() {
			select {
			case wake <- struct{}{}:
			default: // it is awake already
			}
		}
	})
}

// pause is how long a waiter need not look by itself: until the first lease or place ends,
// and not so long that it loses its own.
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
