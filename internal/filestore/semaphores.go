package filestore

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// semaphore is what is left of a semaphore: that without what has ended by its time.
func (s *state) semaphore(key string) *semaphore {
	left := &semaphore{Leases: map[string]*store.SemaphoreHolder{}}
	sem := s.Semaphores[key]
	if sem == nil {
		return left
	}
	for token, l := range sem.Leases {
		if s.now.Before(l.Expires) {
			left.Leases[token] = l
		}
	}
	for _, w := range sem.Line {
		if s.now.Before(w.Expires) {
			left.Line = append(left.Line, w)
		}
	}
	return left
}

// keep stores a semaphore if anybody uses it.
func (s *state) keep(key string, sem *semaphore) {
	if delete(s.Semaphores, key); len(sem.Leases)+len(sem.Line) > 0 {
		s.Semaphores[key] = sem
	}
}

// at is where in the line a token waits; -1 if it does not.
func (sem *semaphore) at(token string) int {
	return slices.IndexFunc(sem.Line, func(w *waiter) bool { return w.Token == token })
}

// turn reports whether a claim with so many ahead of it may have a lease: one is free, and would be
// for everybody ahead also after that.
func (sem *semaphore) turn(exclusive bool, limit, ahead int) bool {
	taken := len(sem.Leases)
	for _, l := range sem.Leases {
		if l.Exclusive {
			return false
		}
	}
	if exclusive {
		return taken+ahead == 0
	}
	for i, w := range sem.Line[:ahead] {
		if w.Exclusive || taken+1+i >= w.Max {
			return false
		}
	}
	return taken+ahead < limit
}

// AcquireSemaphore takes a lease if it is the claim's turn, or a place in the line.
func (b *backend) AcquireSemaphore(ctx context.Context, c store.SemaphoreClaim) (store.SemaphoreReply, error) {
	return change(ctx, b, c, (*state).acquire)
}

func (s *state) acquire(c store.SemaphoreClaim) (store.SemaphoreReply, error) {
	sem := s.semaphore(c.Key)
	defer func() { s.keep(c.Key, sem) }()
	if l := sem.Leases[c.Token]; l != nil {
		return store.SemaphoreReply{Granted: true, Lease: *l, Now: s.now}, nil
	}
	at := sem.at(c.Token)
	ahead := at
	if at < 0 {
		ahead = len(sem.Line)
	}
	if sem.turn(c.Exclusive, c.Max, ahead) {
		l := &store.SemaphoreHolder{
			Slot: sem.freeSlot(c.Max), Fence: s.next(), Holder: c.Holder, Exclusive: c.Exclusive,
			Acquired: s.now, Expires: s.now.Add(c.TTL),
		}
		sem.leave(c.Token)
		sem.Leases[c.Token] = l
		return store.SemaphoreReply{Granted: true, Lease: *l, Now: s.now}, nil
	}
	reply := store.SemaphoreReply{Now: s.now, Ahead: ahead, Holders: sem.holders()}
	if c.Wait > 0 {
		if at < 0 {
			sem.Line = append(sem.Line, &waiter{
				Token: c.Token, Place: s.next(), SemaphoreWaiter: store.SemaphoreWaiter{Since: s.now},
			})
		}
		w := sem.Line[ahead]
		w.Max, w.Holder, w.Exclusive, w.Expires = c.Max, c.Holder, c.Exclusive, s.now.Add(c.Wait)
		reply.Place = w.Place
	}
	for _, l := range sem.Leases {
		reply.Next = earlier(reply.Next, l.Expires)
	}
	for _, w := range sem.Line {
		reply.Next = earlier(reply.Next, w.Expires)
	}
	reply.Holders = reply.Holders[:min(len(reply.Holders), bounds.MaxShownHolders)]
	return reply, nil
}

// freeSlot is the first slot that is free, from a random one on.
func (sem *semaphore) freeSlot(slots int) int {
	taken := map[int]bool{}
	for _, l := range sem.Leases {
		taken[l.Slot] = true
	}
	slot := rand.IntN(slots)
	for taken[slot] {
		slot = (slot + 1) % slots
	}
	return slot
}

// leave ends the lease or the place of a token, and reports whether it had one.
func (sem *semaphore) leave(token string) bool {
	had := sem.Leases[token] != nil || sem.at(token) >= 0
	delete(sem.Leases, token)
	sem.Line = slices.DeleteFunc(sem.Line, func(w *waiter) bool { return w.Token == token })
	return had
}

// holders lists the leases, those that end first, first.
func (sem *semaphore) holders() (all []store.SemaphoreHolder) {
	for _, l := range sem.Leases {
		all = append(all, *l)
	}
	slices.SortFunc(all, func(a, b store.SemaphoreHolder) int {
		return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.Fence, b.Fence))
	})
	return all
}

// RefreshSemaphore makes a lease end later.
func (b *backend) RefreshSemaphore(ctx context.Context, key, token string, ttl time.Duration) (time.Time, error) {
	return change(ctx, b, key, func(s *state, key string) (time.Time, error) {
		l := s.semaphore(key).Leases[token]
		if l == nil {
			return time.Time{}, store.ErrLeaseLost
		}
		l.Expires = s.now.Add(ttl)
		return l.Expires, nil
	})
}

// ReleaseSemaphore ends a lease or a place in the line.
func (b *backend) ReleaseSemaphore(ctx context.Context, key, token string) error {
	return do(ctx, b, key, func(s *state, key string) error {
		sem := s.semaphore(key)
		if !sem.leave(token) {
			return store.ErrLeaseLost
		}
		s.keep(key, sem)
		return nil
	})
}

// ForceReleaseSemaphore ends the leases with numbers from first to last.
func (b *backend) ForceReleaseSemaphore(ctx context.Context, key string, first, last int64) (int, error) {
	return change(ctx, b, key, func(s *state, key string) (ended int, err error) {
		sem := s.semaphore(key)
		for token, l := range sem.Leases {
			if first <= l.Fence && l.Fence <= last {
				delete(sem.Leases, token)
				ended++
			}
		}
		s.keep(key, sem)
		if ended > 0 {
			s.audits(ctx, actions.End, store.RunID{}, key, "")
		}
		return ended, nil
	})
}

// Semaphore reads who holds and who waits.
func (b *backend) Semaphore(ctx context.Context, key string) (store.SemaphoreRecord, error) {
	return read(ctx, b, key, func(s *state, key string) (store.SemaphoreRecord, error) {
		sem := s.semaphore(key)
		rec := store.SemaphoreRecord{Now: s.now, Holders: sem.holders()}
		for _, w := range sem.Line {
			rec.Waiters = append(rec.Waiters, w.SemaphoreWaiter)
		}
		return rec, nil
	})
}
