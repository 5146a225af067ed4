package storetest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

var semaphores = slices.Concat(semaphoreLeases, semaphoreLines)

// semaphoreLeases tests leases; semaphoreLines tests who may have one.
var semaphoreLeases = []testCase{
	{"a lease is held until its holder releases it", func(s *scene) {
		mine := s.claim("gate", 1, steady)
		lease := s.granted(mine)
		s.Equal(lease.Acquired.Add(steady), lease.Expires)
		other := s.claim("gate", 1, steady)
		for range 5 {
			s.refused(other)
			s.h.Advance(s.tb, tick)
		}
		s.release(mine)
		s.granted(other)
	}},
	{"a lease is held until its time passes", func(s *scene) {
		lease := s.granted(s.claim("gate", 1, brief))
		next := s.eventually(s.claim("gate", 1, steady))
		s.False(next.Acquired.Before(lease.Expires), "issued again at %v, held until %v", next.Acquired, lease.Expires)
	}},
	{"a refreshed lease lasts for its new time", func(s *scene) {
		c := s.claim("gate", 1, brief)
		lease := s.granted(c)
		expires, err := s.store.RefreshSemaphore(s.ctx, c.Key, c.Token, steady)
		s.NoError(err)
		s.False(expires.Before(lease.Acquired.Add(steady)))
		s.h.Advance(s.tb, 2*brief)
		rec := s.semaphore(c.Key)
		s.Len(rec.Holders, 1)
		s.Equal(expires, rec.Holders[0].Expires)
		expires, err = s.store.RefreshSemaphore(s.ctx, c.Key, c.Token, brief)
		s.NoError(err)
		next := s.eventually(s.claim("gate", 1, steady))
		s.False(next.Acquired.Before(expires))
	}},
	{"of 25 takers of 24 slots, 24 win, each another slot", func(s *scene) {
		const slots = 24
		claims := make([]store.SemaphoreClaim, slots+1)
		for i := range claims {
			claims[i] = s.claim("gate", slots, steady)
		}
		replies := make([]store.SemaphoreReply, len(claims))
		s.together(len(claims), func(i int) (err error) {
			replies[i], err = s.store.AcquireSemaphore(s.ctx, claims[i])
			return err
		})
		taken, fences := map[int]bool{}, map[int64]bool{}
		for _, r := range replies {
			if r.Granted {
				s.True(r.Lease.Slot >= 0 && r.Lease.Slot < slots, "slot %d", r.Lease.Slot)
				taken[r.Lease.Slot], fences[r.Lease.Fence] = true, true
			} else {
				s.Len(r.Holders, slots, "whoever is refused sees who is there")
			}
		}
		s.Len(taken, slots)
		s.Len(fences, slots)
	}},
	{"any free slot is found", func(s *scene) {
		const slots = 7
		var held []store.SemaphoreClaim
		bySlot := map[int]store.SemaphoreClaim{}
		for range slots {
			c := s.claim("gate", slots, steady)
			held = append(held, c)
			bySlot[s.granted(c).Slot] = c
		}
		s.Len(bySlot, slots)
		for slot, c := range bySlot {
			s.release(c)
			s.Equal(slot, s.granted(s.claim("gate", slots, steady)).Slot, "the only one that is free")
		}
		s.Len(held, slots)
	}},
	{"the search for a slot begins at a random one", func(s *scene) {
		var slots []int
		for range 4 {
			slots = append(slots, s.granted(s.claim("gate", bounds.MaxSlots, steady)).Slot)
		}
		s.NotEqual([]int{0, 1, 2, 3}, slots)
	}},
	{"acquiring does not wait, and shows who holds since when and until when", func(s *scene) {
		first, second := s.claim("gate", 2, time.Hour), s.claim("gate", 2, 2*time.Hour)
		second.Holder = "nächtlicher Lauf {7}: 100 %"
		a, b := s.granted(first), s.granted(second)
		r := s.refused(s.claim("gate", 2, steady))
		s.Equal([]store.SemaphoreHolder{a, b}, r.Holders)
		s.Equal(a.Expires, r.Next)
		s.Zero(r.Ahead)
		s.False(r.Now.Before(b.Acquired))
		rec := s.semaphore("gate")
		s.Equal(r.Holders, rec.Holders)
		s.Empty(rec.Waiters)
		s.Equal(second.Holder, rec.Holders[1].Holder)
	}},
	{"a token whose lease timed out and was issued again can do nothing any more", func(s *scene) {
		stale := s.claim("gate", 1, brief)
		s.granted(stale)
		heir := s.claim("gate", 1, steady)
		lease := s.eventually(heir)
		s.lost(stale)
		s.Equal([]store.SemaphoreHolder{lease}, s.semaphore("gate").Holders)
		s.release(heir)
		s.lost(heir)
	}},
	{"a token whose lease timed out can do nothing, though nobody took the place", func(s *scene) {
		c := s.claim("gate", 1, brief)
		lease := s.granted(c)
		s.pass(lease.Expires)
		s.lost(c)
		s.Empty(s.semaphore("gate").Holders)
	}},
	{"a token is worth nothing for another key, and an unknown one nothing at all", func(s *scene) {
		c, other := s.claim("gate", 1, steady), s.claim("other", 1, steady)
		s.granted(c)
		s.granted(other)
		crossed := c
		crossed.Key = "other"
		s.lost(crossed)
		s.lost(s.claim("gate", 1, steady))
		s.lost(s.claim("unused", 1, steady))
		s.Len(s.semaphore("gate").Holders, 1)
		s.Len(s.semaphore("other").Holders, 1)
	}},
	{"a claim repeated answers with its lease, and does not prolong it", func(s *scene) {
		c := s.claim("gate", 3, steady)
		lease := s.granted(c)
		s.h.Advance(s.tb, tick)
		s.Equal(lease, s.granted(c))
		s.Len(s.semaphore("gate").Holders, 1)
	}},
	{"a life in which every call is made twice is the same life", func(s *scene) {
		twice := s.over(&doubled{Store: s.store, t: s.tb})
		a, b, w := s.claim("gate", 2, steady), s.claim("gate", 2, steady), s.waiting("gate", 2)
		first := twice.granted(a)
		twice.granted(b)
		s.Zero(twice.refused(w).Ahead)
		s.Len(s.semaphore("gate").Waiters, 1)
		_, err := twice.store.RefreshSemaphore(s.ctx, a.Key, a.Token, steady)
		s.NoError(err)
		twice.release(b)
		twice.granted(w)
		n, err := twice.store.ForceReleaseSemaphore(s.ctx, "gate", first.Fence, first.Fence)
		s.NoError(err)
		s.Equal(1, n)
		rec := s.semaphore("gate")
		s.Len(rec.Holders, 1)
		s.Equal(w.Holder, rec.Holders[0].Holder)
		s.Empty(rec.Waiters)
	}},
	{"the number of places may change while some are held", func(s *scene) {
		var held []store.SemaphoreClaim
		for range 3 {
			held = append(held, s.claim("gate", 3, steady))
			s.granted(held[len(held)-1])
		}
		s.refused(s.claim("gate", 3, steady))
		s.granted(s.claim("gate", 4, steady))
		fewer := s.claim("gate", 2, steady)
		for _, c := range held {
			s.refused(fewer)
			s.release(c)
		}
		s.Less(s.granted(fewer).Slot, 2, "a slot below its own number")
	}},
	{"fencing numbers grow, also when nothing was left of the key", func(s *scene) {
		before := s.leftovers()
		last := int64(0)
		for i := range 6 {
			c := s.claim("gate", 2, steady)
			lease := s.granted(c)
			s.Greater(lease.Fence, last)
			s.Less(lease.Fence, int64(1)<<53)
			last = lease.Fence
			s.release(c)
			if i%2 == 0 {
				s.nothingBeyond(before, s.partition("gate"))
			}
		}
	}},
	{"keys that nobody uses any more disappear, whatever became of their users", func(s *scene) {
		before := s.leftovers()
		s.granted(s.claim("gate", 1, brief))
		dead := s.waiting("gate", 1)
		dead.Wait = 2 * brief
		s.refused(dead)
		c := s.claim("released", 1, steady)
		s.granted(c)
		s.release(c)
		s.granted(s.claim("forced", 1, steady))
		_, err := s.store.ForceReleaseSemaphore(s.ctx, "forced", 1, math.MaxInt64)
		s.NoError(err)
		for _, key := range []string{"gate", "released", "forced"} {
			s.nothingBeyond(before, s.partition(key))
		}
	}},
	{"an operator ends some leases or all, and their holders learn it", func(s *scene) {
		var claims []store.SemaphoreClaim
		var leases []store.SemaphoreHolder
		for range 6 {
			claims = append(claims, s.claim("gate", 6, steady))
			leases = append(leases, s.granted(claims[len(claims)-1]))
		}
		end := func(first, last int64) int {
			n, err := s.store.ForceReleaseSemaphore(s.ctx, "gate", first, last)
			s.NoError(err)
			return n
		}
		s.Equal(1, end(leases[1].Fence, leases[1].Fence))
		s.Zero(end(leases[1].Fence, leases[1].Fence), "numbers are never given again")
		s.lost(claims[1])
		s.Len(s.semaphore("gate").Holders, 5)
		s.Equal(2, end(leases[2].Fence, leases[4].Fence-1))
		var left []int64
		for _, h := range s.semaphore("gate").Holders {
			left = append(left, h.Fence)
		}
		s.ElementsMatch([]int64{leases[0].Fence, leases[4].Fence, leases[5].Fence}, left)
		later := s.claim("gate", 6, steady)
		s.granted(later)
		s.Equal(3, end(1, leases[5].Fence), "what was given since is kept")
		for _, c := range claims {
			s.lost(c)
		}
		s.Zero(end(1, leases[5].Fence))
		s.Equal(1, end(1, math.MaxInt64))
		s.lost(later)
		n, err := s.store.ForceReleaseSemaphore(s.ctx, "unused", 1, math.MaxInt64)
		s.NoError(err)
		s.Zero(n)
	}},
	{"never more holders than places, and numbers grow, whoever comes when", func(s *scene) {
		const slots, takers, rounds = 3, 8, 40
		claims := make([][]store.SemaphoreClaim, takers)
		for i := range claims {
			for range rounds {
				claims[i] = append(claims[i], s.claim("gate", slots, steady))
			}
		}
		var mu sync.Mutex
		var holds []hold
		s.together(takers, func(i int) error {
			for _, c := range claims[i] {
				r, err := s.store.AcquireSemaphore(s.ctx, c)
				if err != nil || !r.Granted {
					if err != nil {
						return err
					}
					continue
				}
				rec, err := s.store.Semaphore(s.ctx, c.Key)
				if err != nil {
					return err
				}
				if n := len(rec.Holders); n > slots {
					return fmt.Errorf("%d hold at %v", n, rec.Now)
				}
				if err := s.store.ReleaseSemaphore(s.ctx, c.Key, c.Token); err != nil {
					return err
				}
				mu.Lock()
				holds = append(holds, hold{r.Lease.Fence, r.Lease.Acquired, rec.Now})
				mu.Unlock()
			}
			return nil
		})
		s.NotEmpty(holds)
		s.overlap(holds, slots)
	}},
	{"what no store accepts is refused by name, and nothing is written", func(s *scene) {
		before := s.leftovers()
		for field, spoil := range map[string][]func(c *store.SemaphoreClaim){
			"Key": {func(c *store.SemaphoreClaim) { c.Key = "" }, func(c *store.SemaphoreClaim) { c.Key = strings.Repeat("k", bounds.MaxSemaphoreKeyLen+1) },
				func(c *store.SemaphoreClaim) { c.Key = "a\nb" }},
			"Token": {func(c *store.SemaphoreClaim) { c.Token = "" }},
			"Holder": {func(c *store.SemaphoreClaim) { c.Holder = "" }, func(c *store.SemaphoreClaim) { c.Holder = strings.Repeat("h", bounds.MaxHolderLen+1) },
				func(c *store.SemaphoreClaim) { c.Holder = "\xff" }},
			"Max":  {func(c *store.SemaphoreClaim) { c.Max = 0 }, func(c *store.SemaphoreClaim) { c.Max = bounds.MaxSlots + 1 }},
			"TTL":  {func(c *store.SemaphoreClaim) { c.TTL = 0 }, func(c *store.SemaphoreClaim) { c.TTL = time.Microsecond }},
			"Wait": {func(c *store.SemaphoreClaim) { c.Wait = -1 }},
		} {
			for _, spoil := range spoil {
				c := s.claim("gate", 1, steady)
				spoil(&c)
				_, err := s.store.AcquireSemaphore(s.ctx, c)
				s.ErrorIs(err, store.ErrInvalid, field)
				var bad *store.FieldError
				s.ErrorAs(err, &bad, field)
				s.Equal(field, bad.Field)
			}
		}
		c := s.claim("gate", 1, steady)
		c.Key, c.Holder = strings.Repeat(
			"k", bounds.MaxSemaphoreKeyLen-7,
		)+"{}:%*é", strings.Repeat(
			"h", bounds.MaxHolderLen,
		)
		s.Equal(c.Holder, s.granted(c).Holder, "the longest that are allowed")
		s.release(c)
		_, err := s.store.RefreshSemaphore(s.ctx, c.Key, c.Token, 0)
		s.ErrorIs(err, store.ErrInvalid)
		s.nothingBeyond(before, s.partition(c.Key))
	}},
}
