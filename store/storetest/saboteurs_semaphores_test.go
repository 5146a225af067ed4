package storetest_test

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// crowds counts one place more than there is.
type crowds struct{ store.Store }

func (s *crowds) AcquireSemaphore(ctx context.Context, p store.SemaphoreClaim) (store.SemaphoreReply, error) {
	if p.Max > 0 && p.Max < bounds.MaxSlots {
		p.Max++
	}
	return s.Store.AcquireSemaphore(ctx, p)
}

// triesOneSlot refuses a claim when its first slot is taken, as the original did: here, when the
// one it got is odd.
type triesOneSlot struct{ store.Store }

func (s *triesOneSlot) AcquireSemaphore(ctx context.Context, p store.SemaphoreClaim) (store.SemaphoreReply, error) {
	reply, err := s.Store.AcquireSemaphore(ctx, p)
	if reply.Granted && reply.Lease.Slot%2 == 1 {
		_ = s.Store.ReleaseSemaphore(ctx, p.Key, p.Token)
		return store.SemaphoreReply{Now: reply.Now}, err
	}
	return reply, err
}

// releasesLate finds every release in order.
type releasesLate struct{ store.Store }

func (s *releasesLate) ReleaseSemaphore(ctx context.Context, key, token string) error {
	_ = s.Store.ReleaseSemaphore(ctx, key, token)
	return nil
}

// numbersBySlot numbers leases from one on, again and again.
type numbersBySlot struct{ store.Store }

func (s *numbersBySlot) AcquireSemaphore(ctx context.Context, p store.SemaphoreClaim) (store.SemaphoreReply, error) {
	reply, err := s.Store.AcquireSemaphore(ctx, p)
	if reply.Granted {
		reply.Lease.Fence = int64(reply.Lease.Slot) + 1
	}
	return reply, err
}

// forgetsWaiters gives nobody a place in the line.
type forgetsWaiters struct{ store.Store }

func (s *forgetsWaiters) AcquireSemaphore(ctx context.Context, p store.SemaphoreClaim) (store.SemaphoreReply, error) {
	p.Wait = 0
	return s.Store.AcquireSemaphore(ctx, p)
}

// leasesForever lets every lease last for a century.
type leasesForever struct{ store.Store }

func (s *leasesForever) AcquireSemaphore(ctx context.Context, p store.SemaphoreClaim) (store.SemaphoreReply, error) {
	if p.TTL >= time.Millisecond {
		p.TTL = 1e6 * time.Hour
	}
	return s.Store.AcquireSemaphore(ctx, p)
}
