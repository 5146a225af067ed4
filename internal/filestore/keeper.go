package filestore

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/rules"
)

// Promote ends idle runs, moves delayed tasks that are due to the waiting ones, and tells of the
// jobs that are due.
func (b *backend) Promote(ctx context.Context, _ int) (store.PromoteReply, error) {
	return change(ctx, b, 0, (*state).promote)
}

func (s *state) promote(int) (store.PromoteReply, error) {
	reply := store.PromoteReply{Now: s.now}
	for _, name := range slices.Sorted(maps.Keys(s.Jobs)) {
		if j := s.Jobs[name]; !j.Wakes.IsZero() && !j.Wakes.After(s.now) {
			reply.Jobs = append(reply.Jobs, name)
			j.Wakes = s.now.Add(store.FireClaim)
		}
	}
	for _, r := range s.Runs {
		if before := r.Status; !before.Final() {
			if s.endDue(r); r.Status.Final() {
				reply.Ended = append(reply.Ended, r.ID)
			}
		}
		var due []*task
		r.drop(func(t *task) bool {
			is := t.Place == delayed && !t.Due.After(s.now)
			if is {
				due = append(due, t)
			}
			return is
		})
		slices.SortStableFunc(due, func(a, b *task) int { return a.Due.Compare(b.Due) })
		for _, t := range due {
			t.Place, t.Due = waiting, time.Time{}
			r.Tasks = append(r.Tasks, t)
		}
		reply.Promoted += len(due)
	}
	reply.Next = s.nextDue()
	return reply, nil
}

const (
	// sweepInterval is how often a sweep is due.
	sweepInterval = 5 * time.Second
	// jump is after how long without a sweep the machine may have stood still, and with it every
	// worker that would have sent a heartbeat.
	jump = 3 * sweepInterval
)

func (s *state) sweepDue() bool {
	since := s.now.Sub(s.LastSweep)
	return since >= sweepInterval || since < 0
}

// Sweep closes dead sessions, and forgets what has expired.
func (b *backend) Sweep(ctx context.Context, _ int) (store.SweepReply, error) {
	return change(ctx, b, 0, (*state).sweep)
}

func (s *state) sweep(int) (reply store.SweepReply, err error) {
	since := s.now.Sub(s.LastSweep)
	jumped := !s.LastSweep.IsZero() && (since > jump || since < 0)
	s.LastSweep = s.now
	for _, id := range slices.Sorted(maps.Keys(s.Sessions)) {
		sess := s.Sessions[id]
		if jumped && !sess.Graced {
			sess.Expires, sess.Graced = s.now.Add(sess.Lease), true
		}
		if !s.now.Before(sess.Expires) {
			l := store.LostSession{ID: id, Worker: sess.Worker, Heard: sess.Heard, Ended: s.now}
			l.Held = s.reclaim(id)
			s.Lost = rules.KeepLost(s.Lost, l)
			reply.Sessions++
			reply.Reclaimed += l.Held
		}
	}
	s.noteFigures()
	used := map[string]bool{} // queues
	for _, r := range slices.Clone(s.Runs) {
		if r.Status.Final() && !s.now.Before(r.Expires) {
			s.forget(r)
			reply.Purged++
		}
		for queue := range r.Served {
			used[queue] = true
		}
		r.Results.expire(s.now)
	}
	maps.DeleteFunc(s.Clocks, func(queue string, _ float64) bool { return !used[queue] })
	maps.DeleteFunc(s.Producers, func(_ string, p *producer) bool { return p.over(s.now) })
	for key := range s.Semaphores {
		s.keep(key, s.semaphore(key))
	}
	for name, l := range s.Limits {
		if s.idle(l) {
			delete(s.Limits, name)
		}
	}
	maps.DeleteFunc(s.Values, func(name string, _ *value) bool { return s.Values.find(name, s.now) == nil })
	return reply, nil
}

// endDue ends a run whose time is over: it stops one that has reached its deadline, and seals, or
// stops, an open one that nobody enqueued into.
func (s *state) endDue(r *run) {
	ends, overdue := r.idleEnds(), r.overdueAt()
	switch {
	case !overdue.IsZero() && !s.now.Before(overdue):
		r.Overdue = true
		s.stop(r, store.DeadlineReason, false)
	case ends.IsZero() || s.now.Before(ends):
	case r.StopIdle:
		s.stop(r, store.IdleReason, false)
	default:
		delete(r.OpenHolds, store.HoldOpen)
		s.conclude(r)
	}
}

// noteFigures adds points to the history.
func (s *state) noteFigures() {
	figures := map[store.Route]store.Figures{}
	for _, f := range s.Figures {
		if f.Route.Counted() {
			figures[f.Route] = f.Figures
		}
	}
	times := map[store.Route]store.Times{}
	for _, t := range s.Times {
		times[t.Route] = t.Times
	}
	minute, hour, ok := s.Noted.Take(s.now, figures, times)
	if ok {
		s.Times = nil
	}
	s.Minutes = rules.KeepPoints(s.Minutes, minute, s.now, bounds.MinutesKept)
	s.Hours = rules.KeepPoints(s.Hours, hour, s.now, bounds.HoursKept)
}
