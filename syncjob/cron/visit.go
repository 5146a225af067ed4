package cron

import (
	"time"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// A scheduler that shuts down has to know for how long to wait for a runner, and what of it is
// still going on. Each call of a runner is a visit: first the runner's function goes on, for which
// its grace counts, and that of a worker in it; then the library itself, which releases the lease
// of a gate and is bounded.

// leastGrace is how long a runner's function may at least take to return once its context has
// ended.
const leastGrace = 2 * time.Second

// settleTime is for what a scheduler does once a runner's function has returned, or was never
// called: it ends by itself before, unless a callback blocks.
const settleTime = 5 * time.Second

// visit is one call of a runner. Its fields are guarded by the scheduler's mutex.
type visit struct {
	s      *Scheduler
	grace  time.Duration // of the function
	inside bool          // the function has not returned
	left   time.Time     // when it returned
}

// enter begins a visit.
func (s *Scheduler) enter(r *runner) *visit {
	v := &visit{s: s, grace: r.Grace}
	v.change(func() { s.visits[v] = struct{}{} })
	return v
}

func (s *Scheduler) leave(v *visit) { v.change(func() { delete(s.visits, v) }) }

// change makes a change, and has a scheduler that shuts down look again.
func (v *visit) change(do func()) {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	do()
	lifecycle.Wake(v.s.moved)
}

// host calls the function of the visit of ctx.
func (v *visit) host(fn func() error) error {
	v.change(func() { v.inside = true })
	defer v.change(func() { v.inside, v.left = false, time.Now() })
	return guard.Apart(fn)
}

// stay makes the visit last as long as a worker in it may take to return once its context has
// ended.
func (v *visit) stay(d time.Duration) {
	v.change(func() { v.grace = max(v.grace, d+settleTime) })
}

// patience is until when the visits may last, of a scheduler that was stopped, and how many runners
// have not returned.
func (s *Scheduler) patience(stopped time.Time) (until time.Time, inside int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.visits) == 0 {
		// Those who drive runners are about to find that nothing is to begin.
		until = time.Now().Add(settleTime)
	}
	for v := range s.visits {
		if v.inside {
			until = later(until, stopped.Add(max(v.grace, leastGrace)))
		} else {
			until = later(until, later(stopped, v.left).Add(settleTime))
		}
	}
	return until, max(1, len(s.visits))
}

// hurry shortens all visits to what the end of the manager leaves them.
func (s *Scheduler) hurry(stopped time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.visits {
		v.grace = min(v.grace, time.Since(stopped)+store.CloseTime) // longer than a worker in it takes
	}
}
