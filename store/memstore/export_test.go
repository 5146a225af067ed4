package memstore

import (
	"fmt"
	"time"
)

// Backend is what is behind the checks of a store.
type Backend = backend

// NewBackend makes one.
func NewBackend(opts *Options) *Backend { return newBackend(opts) }

// Leftovers lists everything that is stored because of jobs, runs and tasks.
func (s *backend) Leftovers() (left []string) {
	for _, p := range s.partitions {
		p.mu.Lock()
		for name, j := range p.jobs {
			left = append(left, fmt.Sprintf("job %s runs=%d tokens=%d values=%d", name, len(j.runs), len(j.tokens), len(j.values)))
		}
		for n, r := range p.runs {
			left = append(left, fmt.Sprintf("run %d lanes=%d accounts=%d holds=%d ids=%d kept=%d results=%d",
				n, len(r.lanes), len(r.accounts), len(r.holds), len(r.claims.ids), r.claims.kept.len(), len(r.results.byID)))
		}
		for n := range p.active {
			left = append(left, fmt.Sprintf("active %d", n))
		}
		for n := range p.aging {
			left = append(left, fmt.Sprintf("aging %d", n))
		}
		for n := range p.failing {
			left = append(left, fmt.Sprintf("failing %d", n))
		}
		for _, r := range p.ended.items {
			left = append(left, fmt.Sprintf("ended %d", r.rec.ID.Number))
		}
		for name := range p.queues {
			left = append(left, "queue "+name)
		}
		for route := range p.rings {
			left = append(left, fmt.Sprintf("ring %v", route))
		}
		for _, l := range p.due.items {
			left = append(left, fmt.Sprintf("due %v", l.route))
		}
		for _, r := range p.watched.items {
			left = append(left, fmt.Sprintf("watched %d", r.rec.ID.Number))
		}
		for id, sess := range p.sessions {
			sess.each(func(fetch int64, index int, _ *holding) {
				left = append(left, fmt.Sprintf("held %s %d.%d", id, fetch, index))
			})
		}
		for name := range p.values {
			left = append(left, "value "+name)
		}
		for key, s := range p.semaphores {
			left = append(left, fmt.Sprintf("semaphore %s leases=%d waiters=%d", key, len(s.leases), len(s.line)))
		}
		for name := range p.limits {
			left = append(left, "limit "+name)
		}
		p.mu.Unlock()
	}
	return left
}

// SetClock replaces the store's clock, to turn it back.
func (s *backend) SetClock(clock func() time.Time) {
	for _, p := range s.partitions {
		p.mu.Lock()
		p.clock = clock
		p.mu.Unlock()
	}
}

// Disagreement describes the first place where the indexes of the store do not
// agree with what they index; "" if there is none.
func (s *backend) Disagreement() string {
	for _, p := range s.partitions {
		p.mu.Lock()
		defer p.mu.Unlock()
		due, accounts, lanes := 0, map[*queue]int{}, map[*ring]int{}
		for _, r := range p.runs {
			if r.rec.Status.Final() == (p.active[r.rec.ID.Number] == r) || r.rec.Status.Final() != (r.endedAt >= 0) {
				return fmt.Sprintf("run %d is listed as what it is not", r.rec.ID.Number)
			}
			if (p.failing[r.rec.ID.Number] == r) != (len(r.failures) > 0) {
				return fmt.Sprintf("run %d is not listed by its failures", r.rec.ID.Number)
			}
			for route, l := range r.lanes {
				lanes[l.ring]++
				if l.delayed.len() > 0 {
					due++
				}
				if (l.waitingAt >= 0) != (l.waiting.n > 0 && r.delivers(route)) ||
					(l.recoveredAt >= 0) != (l.recovered.n > 0 && r.delivers(route)) {
					return fmt.Sprintf("lane %v of run %d is not in the ring it belongs to", route, r.rec.ID.Number)
				}
				if (l.dueAt >= 0) != (l.delayed.len() > 0) {
					return fmt.Sprintf("lane %v of run %d is not where due tasks are looked for", route, r.rec.ID.Number)
				}
			}
			for _, a := range r.accounts {
				accounts[a.queue]++
			}
		}
		for name, q := range p.queues {
			if q.accounts == 0 || q.accounts != accounts[q] {
				return fmt.Sprintf("queue %s counts %d accounts, and has %d", name, q.accounts, accounts[q])
			}
		}
		for route, g := range p.rings {
			if g.lanes == 0 || g.lanes != lanes[g] {
				return fmt.Sprintf("ring %v counts %d lanes, and has %d", route, g.lanes, lanes[g])
			}
		}
		if due != p.due.len() {
			return fmt.Sprintf("%d lanes have delayed tasks, %d are known to", due, p.due.len())
		}
		for id, sess := range p.sessions {
			held := 0
			sess.each(func(int64, int, *holding) { held++ })
			if held != sess.held {
				return fmt.Sprintf("session %s counts %d held, and has %d", id, sess.held, held)
			}
		}
	}
	return ""
}
