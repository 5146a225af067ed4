package storetest

import (
	"maps"
	"math"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// modelSemaphore is a semaphore as the model knows it.
type modelSemaphore struct {
	leases map[string]*modelLease // by token
	line   []*modelWaiter
	fence  int64 // the highest
}

type modelLease struct {
	fence     int64
	exclusive bool
	ends      time.Duration
}

type modelWaiter struct {
	token     string
	max       int
	exclusive bool
	ends      time.Duration
}

// expire drops everything whose time has passed.
func (s *modelSemaphore) expire(now time.Duration) {
	maps.DeleteFunc(s.leases, func(_ string, l *modelLease) bool { return l.ends <= now })
	s.line = slices.DeleteFunc(s.line, func(w *modelWaiter) bool { return w.ends <= now })
}

// place is where the token is in the line; -1 if it is not.
func (s *modelSemaphore) place(token string) int {
	return slices.IndexFunc(s.line, func(w *modelWaiter) bool { return w.token == token })
}

// turn reports whether a lease may be had by a claim that has so many ahead of it.
func (s *modelSemaphore) turn(c store.SemaphoreClaim, ahead int) bool {
	for _, l := range s.leases {
		if l.exclusive {
			return false
		}
	}
	if c.Exclusive {
		return len(s.leases) == 0 && ahead == 0
	}
	for i, w := range s.line[:ahead] {
		if w.exclusive || len(s.leases)+1+i >= w.max { // there would be no room for it
			return false
		}
	}
	return len(s.leases)+ahead < c.Max
}

// Semaphore claims a place, keeps or gives one back, or takes some away.
func (m *machine) Semaphore(t *rapid.T) {
	sem := &m.m.sem
	sem.expire(m.m.now)
	token := rapid.SampledFrom([]string{"t1", "t2", "t3", "t4"}).Draw(t, "token")
	switch rapid.SampledFrom([]string{"acquire", "acquire", "acquire", "refresh", "release", "force"}).Draw(t, "verb") {
	case "acquire":
		m.acquire(store.SemaphoreClaim{
			Key: m.jobs[0], Token: token, Holder: token, Max: rapid.IntRange(1, 3).Draw(t, "max"), TTL: m.soonOr(t, "ttl", never),
			Exclusive: rapid.IntRange(0, 4).Draw(t, "exclusive") == 0,
			Wait:      rapid.SampledFrom([]time.Duration{0, m.soonOr(t, "patience", never)}).Draw(t, "wait"),
		})
	case "refresh":
		ttl := m.soonOr(t, "ttl", never)
		_, err := m.s.store.RefreshSemaphore(m.s.ctx, m.jobs[0], token, ttl)
		if l := sem.leases[token]; l == nil {
			m.s.ErrorIs(err, store.ErrLeaseLost)
		} else {
			m.s.NoError(err)
			l.ends = m.m.now + ttl
		}
	case "release":
		err := m.s.store.ReleaseSemaphore(m.s.ctx, m.jobs[0], token)
		at := sem.place(token)
		switch {
		case sem.leases[token] != nil:
			m.s.NoError(err)
			delete(sem.leases, token)
		case at >= 0:
			m.s.NoError(err)
			sem.line = slices.Delete(sem.line, at, at+1)
		default:
			m.s.ErrorIs(err, store.ErrLeaseLost)
		}
	default:
		m.forceRelease(t)
	}
}

// acquire makes a claim, which is granted if it is its turn.
func (m *machine) acquire(c store.SemaphoreClaim) {
	s, sem := m.s, &m.m.sem
	reply, err := s.store.AcquireSemaphore(s.ctx, c)
	s.NoError(err)
	if l := sem.leases[c.Token]; l != nil {
		s.True(reply.Granted)
		s.Equal(l.fence, reply.Lease.Fence, "a repeat")
		return
	}
	at := sem.place(c.Token)
	ahead := at
	if at < 0 {
		ahead = len(sem.line)
	}
	s.Equal(sem.turn(c, ahead), reply.Granted)
	switch {
	case reply.Granted:
		s.Greater(reply.Lease.Fence, sem.fence)
		s.Less(reply.Lease.Slot, c.Max)
		sem.fence = reply.Lease.Fence
		sem.leases[c.Token] = &modelLease{fence: sem.fence, exclusive: c.Exclusive, ends: m.m.now + c.TTL}
		if at >= 0 {
			sem.line = slices.Delete(sem.line, at, at+1)
		}
	default:
		s.Equal(ahead, reply.Ahead)
		if c.Wait > 0 && at < 0 {
			at = len(sem.line)
			sem.line = append(sem.line, &modelWaiter{token: c.Token})
		}
		if c.Wait > 0 {
			*sem.line[at] = modelWaiter{c.Token, c.Max, c.Exclusive, m.m.now + c.Wait}
		}
	}
}

// forceRelease takes away one lease, those before or behind it, or all.
func (m *machine) forceRelease(t *rapid.T) {
	sem := &m.m.sem
	first, last := int64(1), int64(math.MaxInt64)
	if len(sem.leases) > 0 {
		fences := make([]int64, 0, len(sem.leases))
		for _, l := range sem.leases {
			fences = append(fences, l.fence)
		}
		slices.Sort(fences)
		fence := rapid.SampledFrom(fences).Draw(t, "lease")
		if rapid.Bool().Draw(t, "from") {
			first = fence
		}
		if rapid.Bool().Draw(t, "to") {
			last = fence
		}
	}
	before := len(sem.leases)
	maps.DeleteFunc(sem.leases, func(_ string, l *modelLease) bool { return first <= l.fence && l.fence <= last })
	n, err := m.s.store.ForceReleaseSemaphore(m.s.ctx, m.jobs[0], first, last)
	m.s.NoError(err)
	m.s.Equal(before-len(sem.leases), n)
	if n > 0 {
		m.m.audit.note(actions.End, store.RunID{}, m.jobs[0], "")
	}
}

// checkSemaphore compares who holds and who waits.
func (m *machine) checkSemaphore() {
	sem := &m.m.sem
	sem.expire(m.m.now)
	rec, err := m.s.store.Semaphore(m.s.ctx, m.jobs[0])
	m.s.NoError(err)
	held, slots := make(map[string]int64), make(map[int]bool)
	for _, h := range rec.Holders {
		held[h.Holder] = h.Fence
		m.s.False(slots[h.Slot], "two have one slot")
		slots[h.Slot] = true
	}
	want := make(map[string]int64)
	for token, l := range sem.leases {
		want[token] = l.fence
	}
	m.s.Equal(want, held)
	var line, waiting []string
	for _, w := range sem.line {
		line = append(line, w.token)
	}
	for _, w := range rec.Waiters {
		waiting = append(waiting, w.Holder)
	}
	m.s.Equal(line, waiting)
	m.checkKeys()
}

// checkKeys requires that a semaphore is listed while it is in use.
func (m *machine) checkKeys() {
	keys, err := m.s.store.SemaphoreKeys(m.s.ctx, store.KeysParams{Limit: bounds.MaxPage})
	m.s.NoError(err)
	if sem := &m.m.sem; len(sem.leases)+len(sem.line) > 0 {
		m.s.Equal([]string{m.jobs[0]}, keys)
	} else { // one that expired may still be listed
		m.s.LessOrEqual(len(keys), 1)
	}
}
