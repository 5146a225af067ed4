package memstore

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// The states of a run:
//
//	starting ──begin──▶ running ──last task──▶ finishing ──hook──▶ succeeded, failed
//	    │                  │ ╰───────no hook──────────────────────▶ succeeded, failed
//	    │ abort, skip      │ stop                 │ stop
//	    ▼                  ▼                      ▼
//	failed, skipped     stopping ──drained──▶ stopped    (as outcome says)
//
// A stop while starting ends the run as stopped at once.

// stopReason is the HookError of a run that was stopped before its post-job hook completed.
const stopReason = "stopped"

// StopRun stops a run. If a stop has already ended the run, a repeat has the same answer and
// changes nothing.
func (s *backend) StopRun(ctx context.Context, p store.StopParams) error {
	part, err := s.of(ctx, p.Run.Job)
	if err != nil {
		return err
	}
	defer part.unlock()
	r, err := part.run(p.Run)
	switch {
	case err != nil:
		return err
	case r.stopped:
		return nil
	case r.rec.Status.Final():
		return store.ErrRunFinished
	}
	if p.Changes(&r.rec) {
		part.note(ctx, actions.Stop, p.Run, "", p.Reason)
	}
	part.stop(r, p.Reason, p.Graceful, part.now())
	return nil
}

// stop ends an active run and reports whether that made it final.
func (p *partition) stop(r *run, reason string, graceful bool, now time.Time) bool {
	switch r.rec.Status {
	case statuses.Stopping:
		r.rec.Graceful = r.rec.Graceful && graceful
		p.moved(r)
		return false
	case statuses.Finishing:
		r.rec.HookError, r.rec.Paused = stopReason, false
		if r.overdue {
			r.rec.HookError = reason
		}
		r.stopped = !r.overdue
		p.finalise(r, r.rec.FinalStatus, now)
		return true
	}
	r.rec.Status, r.rec.Reason, r.rec.Graceful, r.rec.Paused = statuses.Stopping, reason, graceful, false
	r.rec.StopBegan = now
	p.cancelWaiting(r)
	p.turned(r)
	return p.conclude(r, now)
}

// cancelWaiting counts all waiting tasks as cancelled, and forgets them and the holds. The time
// does not depend on the number of tasks, because the lanes are not read again.
func (p *partition) cancelWaiting(r *run) {
	c := &r.rec.Counts
	c.Cancelled += c.Pending + c.Delayed
	c.Pending, c.Delayed = 0, 0
	p.dropLanes(r)
	p.closed(r)
	r.root, r.holds, r.rec.Holds = nil, nil, 0
	r.claims = claims{}
}

// conclude moves a run to its next state if it has no tasks left, and reports whether it became
// finishing or final.
func (p *partition) conclude(r *run, now time.Time) bool {
	switch {
	case r.rec.Status == statuses.Stopping && r.rec.Counts.Running == 0:
		r.stopped = true
		p.finalise(r, statuses.Stopped, now)
		return true
	case r.rec.Status == statuses.Running && r.rec.Counts.Remaining() == 0 && r.rec.Holds == 0 && !r.rec.Failing():
		p.complete(r, now)
		return true
	}
	return false
}

// ends is when a run is sealed or stopped because its time is over; zero for never.
func (r *run) ends() time.Time {
	if r.idleEnds.IsZero() || !r.rec.Deadline.IsZero() && !r.overdue && r.rec.Deadline.Before(r.idleEnds) {
		return r.rec.Deadline
	}
	return r.idleEnds
}

// watch lists a run that ends at a time, or moves it to the place that it has by that. before is
// when something was due before that.
func (p *partition) watch(r *run, before time.Time) {
	if r.watchedAt < 0 {
		p.watched.push(r)
	} else {
		p.watched.fix(r.watchedAt)
	}
	if before.IsZero() || r.ends().Before(before) {
		p.signal(store.Signal{Type: signals.Due})
	}
}

// fed notes that something was enqueued into a run: its idle time begins again.
func (p *partition) fed(r *run, now time.Time) {
	if !r.idleEnds.IsZero() {
		r.idleEnds = now.Add(r.idleAfter)
		p.watched.fix(r.watchedAt)
	}
}

// closed notes that a run is not open any more, and so is not left idle.
func (p *partition) closed(r *run) {
	r.idleEnds = time.Time{}
	switch {
	case r.watchedAt < 0:
	case r.rec.Deadline.IsZero() || r.overdue:
		p.unwatch(r)
	default:
		p.watched.fix(r.watchedAt)
	}
}

// unwatch takes a run off the list of those that end at a time.
func (p *partition) unwatch(r *run) {
	if r.watchedAt >= 0 {
		p.watched.remove(r.watchedAt)
	}
}

// endDue ends runs whose time is over: it seals open runs that nobody enqueued into for their
// SealAfter, and stops those of StopAfter, and those that have reached their deadlines. It returns
// those that have a final status then, and whether it left some.
func (p *partition) endDue(now time.Time, limit int) (ended []store.RunID, more bool) {
	for p.watched.len() > 0 && !p.watched.top().ends().After(now) {
		if limit--; limit < 0 {
			return ended, true
		}
		r := p.watched.top()
		switch {
		case !r.rec.Deadline.IsZero() && !r.rec.Deadline.After(now):
			p.unwatch(r)
			r.overdue = true
			p.stop(r, store.DeadlineReason, false, now)
		case r.stopIdle:
			p.stop(r, store.IdleReason, false, now)
		default:
			p.unhold(r, store.HoldOpen)
			p.moved(r)
			p.conclude(r, now)
		}
		if r.rec.Status.Final() {
			ended = append(ended, r.rec.ID)
		}
	}
	return ended, false
}

// complete records that the last task of a run has ended. It happens once, because the run leaves
// StatusRunning here for good. The caller signals the run.
func (p *partition) complete(r *run, now time.Time) {
	outcome := statuses.Succeeded
	if r.rec.Counts.Failed > 0 {
		outcome = statuses.Failed
	}
	r.rec.Ended = now
	p.dropLanes(r)
	r.claims = claims{}
	if r.post == nil {
		p.finalise(r, outcome, now)
		return
	}
	r.rec.Status, r.rec.FinalStatus = statuses.Finishing, outcome
	p.turned(r)
	p.placeHook(r, copyItem(*r.post), now)
}

// start allows deliveries of a run's tasks after its pre-job hook has passed. It reports whether
// the run ended because it has no tasks and no holds.
func (p *partition) start(r *run, now time.Time) bool {
	r.rec.Status, r.rec.HookPassed = statuses.Running, now
	if root := r.root; root != nil {
		r.root = nil
		r.rec.Counts.Pending--
		p.add(p.lane(r, root.Route), *root, now)
	}
	for _, l := range r.lanes { // tasks that were enqueued from outside meanwhile
		p.enterRing(l)
	}
	p.turned(r)
	return p.conclude(r, now)
}

// finalise records the final state of a run. Only the summary and the kept failures remain, until
// the retention has passed.
func (p *partition) finalise(r *run, status statuses.Status, now time.Time) {
	p.dropLanes(r)
	p.unwatch(r)
	r.root, r.post, r.holds, r.rec.Holds = nil, nil, nil, 0
	r.claims = claims{}
	r.rec.Status, r.rec.FinalStatus, r.rec.RetryError = status, "", ""
	r.rec.Reporting, r.reports = nil, nil
	if r.rec.Ended.IsZero() {
		r.rec.Ended = now
	}
	r.job.active = nil
	delete(p.active, r.rec.ID.Number)
	r.expires = now.Add(r.rec.Retention)
	p.ended.push(r)
	p.turned(r)
}

// placeHook puts the task of a hook into its lane.
func (p *partition) placeHook(r *run, it store.Item, now time.Time) {
	p.add(p.lane(r, it.Route), it, now)
}
