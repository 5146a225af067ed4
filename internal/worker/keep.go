package worker

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

const (
	// minPromoteGap limits repeated calls if the estimated clock is a little ahead of the store's.
	minPromoteGap = time.Millisecond
	// keepWait is the wait after a promotion or sweep that failed.
	keepWait = time.Second
)

// keepLoop moves delayed tasks to their queues and fires periodic jobs when they are due. It sweeps
// when the store asks for it. Otherwise it sleeps.
func (s *session) keepLoop(ctx context.Context) {
	timer := time.NewTimer(keepWait)
	defer timer.Stop()
	for err := s.promote(ctx); ; { // tasks and jobs that are due already
		wait, armed := s.untilDue()
		if err != nil && ctx.Err() == nil {
			if leaseLost(err) {
				return
			}
			s.p.log(ctx, "promotion or sweep failed; it is repeated", "error", err)
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
			err = s.promote(ctx) // its reply says when the next task or job is due
		case <-s.p.schedules.Moved():
			s.p.schedules.FireWaiting(ctx)
		case <-s.sweepDue:
			err = s.sweep(ctx)
		}
	}
}

// tend does everything that is due, at once. It is for RunOnce, which does not stay.
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
		s.ended(reply.Ended)
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
			s.e.host.Reclaimed(ctx, s.id.Partition, &reply)
			s.p.source.Awaken()
		}
		if !reply.More {
			return nil
		}
	}
	return ctx.Err()
}

// noteDue takes the store's time from a reply, and when the next delayed task is due.
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

// setDueLocked reports whether the timer must be set earlier. If the time moved back, the timer
// stays: the early promotion then reads the new time.
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
