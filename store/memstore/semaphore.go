package memstore

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/signals"
)

// semaphore is one key with holders or waiters.
type semaphore struct {
	leases map[string]*store.SemaphoreHolder // by token
	line   []*waiter                         // in the order in which they came
}

// waiter is a place in the line.
type waiter struct {
	token string
	place int64 // number of its place
	max   int
	store.SemaphoreWaiter
}

// semaphore finds the semaphore of a key, without expired leases and places. An unused semaphore is
// empty.
func (p *partition) semaphore(key string, now time.Time) *semaphore {
	s := p.semaphores[key]
	if s == nil {
		return &semaphore{leases: map[string]*store.SemaphoreHolder{}}
	}
	s.expire(now)
	return s
}

// keep stores a semaphore that is in use, and removes an unused one.
func (p *partition) keep(key string, s *semaphore) {
	if len(s.leases) == 0 && len(s.line) == 0 {
		delete(p.semaphores, key)
		return
	}
	p.semaphores[key] = s
}

// forgetSemaphores removes semaphores if all their holders and waiters have died.
func (p *partition) forgetSemaphores(now time.Time) {
	for key, s := range p.semaphores {
		s.expire(now)
		p.keep(key, s)
	}
}

func (s *semaphore) expire(now time.Time) {
	for token, l := range s.leases {
		if !now.Before(l.Expires) {
			delete(s.leases, token)
		}
	}
	s.line = slices.DeleteFunc(s.line, func(w *waiter) bool { return !now.Before(w.Expires) })
}

func (s *semaphore) place(token string) int {
	return slices.IndexFunc(s.line, func(w *waiter) bool { return w.token == token })
}

// turn reports whether a claim may have a place if this many waiters are ahead of it: there must be
// a free place for the claim, and for each of them.
func (s *semaphore) turn(exclusive bool, limit, ahead int) bool {
	taken := len(s.leases)
	for _, l := range s.leases {
		if l.Exclusive {
			return false
		}
	}
	if exclusive {
		return taken+ahead == 0
	}
	for i, w := range s.line[:ahead] {
		if w.Exclusive || taken+1+i >= w.max {
			return false
		}
	}
	return taken+ahead < limit
}

// freeSlot returns the first free slot, beginning at a random one. There is one if fewer leases are
// held than there are slots.
func (s *semaphore) freeSlot(slots int) int {
	taken := make(map[int]bool, len(s.leases))
	for _, l := range s.leases {
		taken[l.Slot] = true
	}
	slot := rand.IntN(slots)
	for taken[slot] {
		slot = (slot + 1) % slots
	}
	return slot
}

// nextNumber returns a number that is larger than every earlier number of a lease or waiter of the
// partition.
func (p *partition) nextNumber(now time.Time) int64 {
	p.lastFence = max(p.lastFence+1, now.UnixMicro())
	return p.lastFence
}

// AcquireSemaphore takes a place if it is the claim's turn; otherwise a place in the line.
func (s *backend) AcquireSemaphore(ctx context.Context, c store.SemaphoreClaim) (store.SemaphoreReply, error) {
	part, err := s.of(ctx, c.Key)
	if err != nil {
		return store.SemaphoreReply{}, err
	}
	defer part.unlock()

	now := part.now()
	sem := part.semaphore(c.Key, now)
	defer func() { part.keep(c.Key, sem) }()
	if lease := sem.leases[c.Token]; lease != nil {
		return store.SemaphoreReply{Granted: true, Lease: *lease, Now: now}, nil
	}
	at := sem.place(c.Token)
	ahead := at
	if at < 0 {
		ahead = len(sem.line)
	}
	if sem.turn(c.Exclusive, c.Max, ahead) {
		lease := &store.SemaphoreHolder{
			Slot: sem.freeSlot(c.Max), Fence: part.nextNumber(now), Holder: c.Holder, Exclusive: c.Exclusive,
			Acquired: now, Expires: now.Add(wholeMillis(c.TTL)),
		}
		sem.leases[c.Token] = lease
		if at >= 0 {
			sem.line = slices.Delete(sem.line, at, at+1)
		}
		part.signalFirst(c.Key, sem)
		return store.SemaphoreReply{Granted: true, Lease: *lease, Now: now}, nil
	}
	reply := store.SemaphoreReply{Now: now, Ahead: ahead}
	if c.Wait > 0 {
		if at < 0 {
			at = len(sem.line)
			sem.line = append(
				sem.line,
				&waiter{
					token:           c.Token,
					place:           part.nextNumber(now),
					SemaphoreWaiter: store.SemaphoreWaiter{Since: now},
				},
			)
		}
		w := sem.line[at]
		w.max, w.Holder, w.Exclusive, w.Expires = c.Max, c.Holder, c.Exclusive, now.Add(wholeMillis(c.Wait))
		reply.Place = w.place
	}
	holders := sem.holders()
	reply.Next, reply.Holders = sem.next(holders), holders[:min(len(holders), bounds.MaxShownHolders)]
	return reply, nil
}

// RefreshSemaphore extends a lease.
func (s *backend) RefreshSemaphore(ctx context.Context, key, token string, ttl time.Duration) (time.Time, error) {
	part, err := s.of(ctx, key)
	if err != nil {
		return time.Time{}, err
	}
	defer part.unlock()
	now := part.now()
	lease := part.semaphore(key, now).leases[token]
	if lease == nil {
		return time.Time{}, store.ErrLeaseLost
	}
	lease.Expires = now.Add(wholeMillis(ttl))
	return lease.Expires, nil
}

// ReleaseSemaphore ends a lease or a place in the line.
func (s *backend) ReleaseSemaphore(ctx context.Context, key, token string) error {
	part, err := s.of(ctx, key)
	if err != nil {
		return err
	}
	defer part.unlock()
	sem := part.semaphore(key, part.now())
	defer part.keep(key, sem)
	at := sem.place(token)
	if sem.leases[token] == nil && at < 0 {
		return store.ErrLeaseLost
	}
	delete(sem.leases, token)
	if at >= 0 {
		sem.line = slices.Delete(sem.line, at, at+1)
	}
	part.signalFirst(key, sem)
	return nil
}

// ForceReleaseSemaphore ends the leases with numbers from first to last before their time.
func (s *backend) ForceReleaseSemaphore(ctx context.Context, key string, first, last int64) (int, error) {
	part, err := s.of(ctx, key)
	if err != nil {
		return 0, err
	}
	defer part.unlock()
	sem := part.semaphore(key, part.now())
	defer part.keep(key, sem)
	ended := 0
	for token, l := range sem.leases {
		if first <= l.Fence && l.Fence <= last {
			delete(sem.leases, token)
			ended++
		}
	}
	if ended > 0 {
		part.note(ctx, actions.End, store.RunID{}, key, "")
		part.signalFirst(key, sem)
	}
	return ended, nil
}

// Semaphore reads the holders and waiters.
func (s *backend) Semaphore(ctx context.Context, key string) (store.SemaphoreRecord, error) {
	part, err := s.of(ctx, key)
	if err != nil {
		return store.SemaphoreRecord{}, err
	}
	defer part.unlock()
	now := part.now()
	sem := part.semaphore(key, now)
	defer part.keep(key, sem)
	rec := store.SemaphoreRecord{Now: now, Holders: sem.holders()}
	for _, w := range sem.line {
		rec.Waiters = append(rec.Waiters, w.SemaphoreWaiter)
	}
	return rec, nil
}

// holders lists the leases, sorted by their end.
func (s *semaphore) holders() []store.SemaphoreHolder {
	var out []store.SemaphoreHolder
	for _, l := range s.leases {
		out = append(out, *l)
	}
	slices.SortFunc(out, func(a, b store.SemaphoreHolder) int {
		return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.Fence, b.Fence))
	})
	return out
}

// next returns when the first lease or place in the line ends.
func (s *semaphore) next(holders []store.SemaphoreHolder) time.Time {
	var next time.Time
	if len(holders) > 0 {
		next = holders[0].Expires
	}
	for _, w := range s.line {
		if next.IsZero() || w.Expires.Before(next) {
			next = w.Expires
		}
	}
	return next
}

// signalFirst signals the first waiter in the line if it is its turn. When it is served, the next
// one is signalled.
func (p *partition) signalFirst(key string, s *semaphore) {
	if len(s.line) > 0 && s.turn(s.line[0].Exclusive, s.line[0].max, 0) {
		p.signal(store.Signal{Type: signals.Semaphore, Semaphore: key, Place: s.line[0].place})
	}
}
