package worker

import (
	"context"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// minBeatGap bounds the heartbeats that signals of runs bring forward to four a second.
const minBeatGap = 250 * time.Millisecond

// heartbeatLoop extends the lease at a third of it, and sooner when a run of which
// tasks are held has moved, as it may have been stopped, or a handler reported progress.
func (s *session) heartbeatLoop(ctx context.Context) {
	last := time.Now()
	next := last.Add(lifecycle.Jitter(s.e.cfg.Lease / 3))
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.meters.moved:
			soon := last.Add(progressGap(s.e.cfg.Concurrency))
			if wait := time.Until(soon); wait > 0 {
				if soon.Before(next) {
					next = soon
					timer.Reset(wait)
				}
				continue
			}
		case <-s.beatSoon:
			if gap := time.Since(last); gap < minBeatGap {
				lifecycle.Pause(ctx, minBeatGap-gap)
			}
		}
		last = time.Now()
		wait := s.e.cfg.Lease / 3
		if err := s.beat(ctx); err != nil && ctx.Err() == nil {
			s.p.log(ctx, "heartbeat failed; it is repeated", "error", err)
			wait /= 4
		}
		next = time.Now().Add(lifecycle.Jitter(wait))
		timer.Reset(time.Until(next))
	}
}

// beat makes one heartbeat and acts on the reply.
func (s *session) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.e.cfg.Lease/3)
	defer cancel()
	still, moves := s.busy.Load() == 0, s.moves.Load()
	runs, held := s.runs()
	reply, err := s.e.store.Heartbeat(ctx, store.HeartbeatParams{
		Session:  s.id,
		Answered: s.answered(),
		Lease:    s.e.cfg.Lease,
		Runs:     runs,
		Running:  s.e.running(s),
	})
	switch {
	case store.Permanent(err):
		s.lose(err)
		return nil
	case err != nil:
		return err
	}
	s.p.heard.set(time.Now())
	s.noteDue(reply.Now, reply.NextDue)
	s.halt(reply.Runs)
	s.reconfigure(ctx, reply.Runs)
	if reply.SweepDue {
		lifecycle.Wake(s.sweepDue)
	}
	// The two figures can be compared only if nothing was in flight meanwhile.
	if reply.Held > held && still && s.moves.Load() == moves {
		return s.adopt(ctx)
	}
	return nil
}

// adopt gives back what the store holds for the session and the session does not know
// of: the reply that delivered it was lost for good.
func (s *session) adopt(ctx context.Context) error {
	orphans, err := s.e.store.Held(ctx, s.id, s.leases())
	if err != nil {
		return err
	}
	known := s.leases() // what arrived meanwhile, too
	orphans = slices.DeleteFunc(orphans, func(d store.Delivery) bool { return known[d.Lease] })
	if len(orphans) == 0 {
		return nil
	}
	s.p.log(ctx, "gives back deliveries that never arrived", "tasks", len(orphans))
	b := s.take(orphans)
	for i := range b.tasks {
		s.release(&b.tasks[i])
	}
	s.p.source.Adopted(len(orphans))
	return nil
}

// release reports a task as given back untouched, without what an attempt that nobody knows of has
// staged.
func (s *session) release(t *task) {
	d := t.Delivery
	s.report(t, &store.Outcome{Lease: d.Lease, Verdict: store.VerdictRelease, Task: d.Task, Staged: d.Staged})
}

// leases lists what the session knows that it holds.
func (s *session) leases() map[store.Lease]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := make(map[store.Lease]bool, s.count)
	for b := range s.batches {
		for i := range b.tasks {
			known[b.tasks[i].Delivery.Lease] = true
		}
	}
	return known
}
