package cron

import (
	"time"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// A scheduler that shuts down must know how long to wait for each runner. Each call of a runner is
// a visit. It has two parts. First the runner's function runs: it has its grace, or that of a
// worker in it. Then the library works, for example to release the lease of a gate; this time is
// bounded.

// leastGrace is the shortest grace: the time that a runner's function has to return after its
// context has ended.
const leastGrace = 2 * time.Second

// settleTime limits the second part of a visit. It is over earlier unless a callback blocks.
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

// change makes a change, and wakes a scheduler that shuts down.
func (v *visit) change(do func()) {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	do()
	lifecycle.Wake(v.s.moved)
}

// host calls fn, the runner's function. Meanwhile the visit is in its first part.
func (v *visit) host(fn func() error) error {
	v.change(func() { v.inside = true })
	defer v.change(func() { v.inside, v.left = false, time.Now() })
	return guard.Apart(fn)
}

// stay makes the visit at least as long as a worker in it may take to return after its context has
// ended.
func (v *visit) stay(d time.Duration) {
	v.change(func() { v.grace = max(v.grace, d+settleTime) })
}

// patience returns until when the visits of a stopped scheduler may last, and how many runners have
// not returned.
func (s *Scheduler) patience(stopped time.Time) (until time.Time, inside int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.visits) == 0 {
		// The goroutines that drive runners will soon see that nothing may begin.
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

// hurry shortens all visits to the time that Manager.Close has.
func (s *Scheduler) hurry(stopped time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.visits {
		v.grace = min(v.grace, time.Since(stopped)+store.CloseTime) // longer than a worker in it takes
	}
}
