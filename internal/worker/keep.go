package worker

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

const (
	// minPromoteGap keeps a clock that is estimated a little early from asking again
	// and again.
	minPromoteGap = time.Millisecond
	// keepWait follows a promotion or sweep that failed.
	keepWait = time.Second
)

// keepLoop moves delayed tasks up and fires periodic jobs when they are due, and sweeps when the
// store asks for it. It sleeps until then.
func (s *session) keepLoop(ctx context.Context) {
	timer := time.NewTimer(keepWait)
	defer timer.Stop()
	for err := s.promote(ctx); ; { // what is due already
		wait, armed := s.untilDue()
		if err != nil && ctx.Err() == nil {
			if leaseLost(err) {
				return
			}
			s.p.log(ctx, "upkeep failed; it is repeated", "error", err)
			wait, armed = lifecycle.Jitter(keepWait), true
		}
		timer.Stop()
		if armed {
			timer.Reset(max(wait, minPromoteGap))
		}
		err = nil
		select {
		case <-ctx.Done():
			return
		case <-s.rearm:
		case <-timer.C:
			err = s.promote(ctx)
		case <-s.p.dueMoved:
			err = s.promote(ctx) // its reply says when the next is due
		case <-s.p.schedules.Moved():
			s.p.schedules.FireWaiting(ctx)
		case <-s.sweepDue:
			err = s.sweep(ctx)
		}
	}
}

// tend does at once all that is due: for RunOnce, which will not be there later.
func (s *session) tend(ctx context.Context) {
	err := s.promote(ctx)
	if err == nil {
		err = s.beat(ctx)
	}
	select {
	case <-s.sweepDue:
		if err == nil {
			err = s.sweep(ctx)
		}
	default:
	}
	if err != nil && ctx.Err() == nil {
		s.p.log(ctx, "upkeep failed", "error", err)
	}
}

func (s *session) promote(ctx context.Context) error {
	for ctx.Err() == nil {
		reply, err := s.e.store.Promote(ctx, s.id.Partition)
		if err != nil {
			return err
		}
		s.p.clock.Note(reply.Now)
		s.setDue(reply.Next)
		s.p.schedules.Fire(ctx, reply.Jobs)
		if reply.Promoted > 0 {
			s.p.source.Awaken()
		}
		if !reply.More {
			return nil
		}
	}
	return ctx.Err()
}

func (s *session) sweep(ctx context.Context) error {
	for ctx.Err() == nil {
		reply, err := s.e.store.Sweep(ctx, s.id.Partition)
		if err != nil {
			return err
		}
		if reply.Reclaimed > 0 {
			s.p.log(ctx, events.TasksReclaimed, "sessions", reply.Sessions, "tasks", reply.Reclaimed)
			s.p.source.Awaken()
		}
		if !reply.More {
			return nil
		}
	}
	return ctx.Err()
}

// noteDue learns from a reply how the store's clock stands against ours, and when the
// next delayed task is due.
func (s *session) noteDue(now, next time.Time) {
	s.p.clock.Note(now)
	s.mu.Lock()
	moved := s.setDueLocked(next)
	s.mu.Unlock()
	if moved {
		lifecycle.Wake(s.rearm)
	}
}

func (s *session) setDue(next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setDueLocked(next)
}

// setDueLocked reports whether a sooner timer is needed. A later one is not: the
// promotion that comes too early learns better.
func (s *session) setDueLocked(next time.Time) bool {
	if next.IsZero() {
		s.due = time.Time{}
		return false
	}
	sooner := s.due.IsZero() || next.Before(s.due)
	s.due = next
	return sooner
}

func (s *session) untilDue() (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.p.clock.Until(s.due), !s.due.IsZero()
}
