package storetest

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// claim makes a claim with a new token that does not wait.
func (s *scene) claim(key string, slots int, ttl time.Duration) store.SemaphoreClaim {
	token := s.name("token")
	return store.SemaphoreClaim{Key: key, Token: token, Holder: "holder of " + token, Max: slots, TTL: ttl}
}

// granted requires that the claim gets a lease now.
func (s *scene) granted(c store.SemaphoreClaim) store.SemaphoreHolder {
	s.tb.Helper()
	r, err := s.store.AcquireSemaphore(s.ctx, c)
	s.NoError(err)
	s.True(r.Granted, "granted to %s: %+v", c.Token, r)
	s.Equal(c.Holder, r.Lease.Holder)
	s.Positive(r.Lease.Fence)
	return r.Lease
}

// refused requires that the claim gets no lease now.
func (s *scene) refused(c store.SemaphoreClaim) store.SemaphoreReply {
	s.tb.Helper()
	r, err := s.store.AcquireSemaphore(s.ctx, c)
	s.NoError(err)
	s.False(r.Granted, "refused to %s: %+v", c.Token, r)
	s.Zero(r.Lease)
	return r
}

// eventually repeats the claim until it gets a lease.
func (s *scene) eventually(c store.SemaphoreClaim) (lease store.SemaphoreHolder) {
	s.tb.Helper()
	s.until(s.partition(c.Key), c.Token+" is granted", func() bool {
		r, err := s.store.AcquireSemaphore(s.ctx, c)
		s.NoError(err)
		lease = r.Lease
		return r.Granted
	})
	return lease
}

// pass waits until the store's clock has passed a time.
func (s *scene) pass(at time.Time) {
	s.tb.Helper()
	s.until(s.partition("clock"), "its time has passed", func() bool { return !s.semaphore("clock").Now.Before(at) })
}

func (s *scene) release(c store.SemaphoreClaim) {
	s.tb.Helper()
	s.NoError(s.store.ReleaseSemaphore(s.ctx, c.Key, c.Token))
}

// lost requires that the token of the claim is no longer valid.
func (s *scene) lost(c store.SemaphoreClaim) {
	s.tb.Helper()
	_, err := s.store.RefreshSemaphore(s.ctx, c.Key, c.Token, steady)
	s.ErrorIs(err, store.ErrLeaseLost)
	s.ErrorIs(s.store.ReleaseSemaphore(s.ctx, c.Key, c.Token), store.ErrLeaseLost)
}

func (s *scene) semaphore(key string) store.SemaphoreRecord {
	s.tb.Helper()
	rec, err := s.store.Semaphore(s.ctx, key)
	s.NoError(err)
	return rec
}

// hold is a lease, with the time for which it was certainly held, by the store's clock.
type hold struct {
	fence    int64
	from, to time.Time
}

// overlap requires that there were never more leases than slots at a time, and that later leases
// have higher numbers.
func (s *scene) overlap(holds []hold, slots int) {
	s.tb.Helper()
	slices.SortFunc(holds, func(a, b hold) int { return int(a.fence - b.fence) })
	for i, h := range holds {
		if i > 0 {
			s.Greater(h.fence, holds[i-1].fence)
			s.False(h.from.Before(holds[i-1].from), "a higher number, but acquired earlier")
		}
		at := 0
		for _, o := range holds {
			if !o.from.After(h.from) && o.to.After(h.from) {
				at++
			}
		}
		s.LessOrEqual(at, slots, "held at %v", h.from)
	}
}
