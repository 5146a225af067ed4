package worker

import (
	"context"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// minBeatGap limits early heartbeats, which signals of runs cause, to four a second.
const minBeatGap = 250 * time.Millisecond

// heartbeatLoop extends the lease after a third of its length. It does so earlier if a run whose
// tasks are held has changed, because the run may have been stopped, if a configuration came into
// force, and if a handler reported progress; and at once if the session has another status.
func (s *session) heartbeatLoop(ctx context.Context) {
	last := time.Now()
	next := last.Add(lifecycle.Jitter(s.e.cfg.Lease / 3))
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	// after reports whether the last heartbeat is this long ago; if not, the next one comes then.
	after := func(gap time.Duration) bool {
		soon := last.Add(gap)
		wait := time.Until(soon)
		if wait > 0 && soon.Before(next) {
			next = soon
			timer.Reset(wait)
		}
		return wait <= 0
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.told:
		case <-s.meters.moved:
			if !after(progressGap(s.e.cfg.Concurrency)) {
				continue
			}
		case <-s.beatSoon:
			if !after(minBeatGap) {
				continue
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
		Session:        s.id,
		Answered:       s.answered(),
		Lease:          s.e.cfg.Lease,
		Runs:           runs,
		Running:        s.e.running(s),
		Configurations: s.e.host.Configurations(),
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
	s.cancel(reply.Cancelled)
	s.reconfigure(ctx, reply.Runs)
	s.p.pauses.heed(ctx, reply.Pauses)
	s.p.status.obey(ctx, reply.Status)
	if reply.SweepDue {
		lifecycle.Wake(s.sweepDue)
	}
	// The two numbers can be compared only if no call was in flight meanwhile.
	if reply.Held > held && still && s.moves.Load() == moves {
		return s.adopt(ctx)
	}
	return nil
}

// adopt gives back tasks that the store holds for the session but the session does not know: the
// reply that delivered them was lost for good.
func (s *session) adopt(ctx context.Context) error {
	orphans, err := s.e.store.Held(ctx, s.id, s.leases())
	if err != nil {
		return err
	}
	known := s.leases() // also tasks that arrived meanwhile
	orphans = slices.DeleteFunc(orphans, func(d store.Delivery) bool { return known[d.Lease] })
	if len(orphans) == 0 {
		return nil
	}
	s.p.log(ctx, "gives back tasks of a lost reply", "tasks", len(orphans))
	b := s.take(orphans)
	for i := range b.tasks {
		s.release(&b.tasks[i])
	}
	s.p.source.Adopted(len(orphans))
	return nil
}

// release reports that a task is given back unchanged. It also removes children that an unknown
// attempt staged.
func (s *session) release(t *task) {
	d := t.Delivery
	s.report(t, &store.Outcome{Lease: d.Lease, Verdict: verdicts.Release, Task: d.Task, Staged: d.Staged})
}

// leases lists the leases that the session knows.
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
