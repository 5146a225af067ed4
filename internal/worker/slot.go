package worker

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

// stuckAfter is how long a handler may ignore the end of its context or its timeout before a
// heartbeat logs it.
const stuckAfter = 10 * time.Second

// slot runs one handler at a time. It uses the same context for all tasks until the context is
// cancelled, so most tasks need no new context.
type slot struct {
	mu        sync.Mutex
	ctx       context.Context
	cancel    context.CancelCauseFunc
	current   *task // nil between tasks; set until the outcome of the task is about to be reported
	since     time.Time
	expires   time.Time // when the current task's timeout is over; zero if it has none
	cancelled time.Time // when the current task's context was ended; zero if it was not
	reported  bool      // that the handler ignores its context

	expire func(at time.Time) // sets expires; made once, because it allocates

	// These belong to the goroutine that runs current, and after its end to the one that replaces it.
	stage   stage
	outcome store.Outcome // set at the end of stageRun
}

// stage is how far a slot is with its task. In each stage a function of the user may end the
// goroutine. Then another goroutine continues with the next stage.
type stage uint8

const (
	stageBegun stage = iota // the observer is called for the start of the attempt
	stageRun                // the handler runs
	stageDone               // the observer is called for its outcome
)

func newSlot() *slot {
	s := new(slot)
	s.expire = func(at time.Time) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.expires = at
	}
	return s
}

func (e *Engine) startSlots() {
	e.slotsLeft.Store(int64(e.cfg.Concurrency))
	for range e.cfg.Concurrency {
		s := newSlot()
		e.slots = append(e.slots, s)
		e.pool.Go(func(context.Context) { e.work(s) })
	}
}

// work runs tasks until no more will come. If the goroutine before was ended, it begins with the
// slot's current task. It reads the clock once for the end of one task and the start of the next.
func (e *Engine) work(s *slot) {
	defer func() {
		switch {
		case s.exited():
			e.pool.Go(func(context.Context) { e.work(s) })
		case e.slotsLeft.Add(-1) == 0:
			close(e.slotsDone)
		}
	}()
	now := time.Now()
	if s.current != nil {
		now = e.resume(s, now)
	}
	for {
		t, waited := e.backlog.next()
		if t == nil {
			return
		}
		if waited {
			now = time.Now()
		}
		now = e.execute(s, t, now)
	}
}

// execute runs one task and passes its outcome on. It does not run it if the lease is lost, the
// task was cancelled or has expired, the run stopped or its route paused since the fetch, or the
// worker shuts down. It returns the time.
func (e *Engine) execute(s *slot, t *task, now time.Time) time.Time {
	ses := t.session
	switch {
	case ses.isLost():
	case e.fetching.Err() != nil:
		ses.release(t)
	case ses.haltedBy(t.Delivery.Lease.Lane.Run.Number) != nil || ses.isCancelled(t.Delivery.Lease):
		ses.report(t, &store.Outcome{Lease: t.Delivery.Lease, Verdict: verdicts.Cancel, Task: t.Delivery.Task})
	case t.Delivery.Task.Expired(ses.p.clock.At(now)):
		e.expire(t)
	case ses.p.isPaused(t):
		ses.release(t)
	default:
		if !t.Delivery.Lease.Lane.Route.Counted() {
			e.runs.forget(t.Delivery.Lease.Lane.Run) // hooks read the run again
		}
		s.begin(e.values, t, now)
		e.host.AttemptStarted(e.values, t.Delivery, now)
		return e.attempt(s)
	}
	e.intake.Finished()
	return now
}

// expire ends a task that is not begun any more.
func (e *Engine) expire(t *task) {
	run, route := &t.Delivery.Lease.Lane.Run, &t.Delivery.Lease.Lane.Route
	e.log.DebugContext(e.hard, events.TaskExpired, "job", run.Job, "run", run.Number,
		"task", t.Delivery.Task.ID, "kind", route.Kind, "queue", route.Queue, "retry", t.Delivery.Task.Retry)
	t.session.report(t, expired(t.Delivery))
}

// attempt runs the handler of the current task.
func (e *Engine) attempt(s *slot) time.Time {
	s.stage = stageRun
	s.current.session.executorOf(s.current).ExecuteTimed(s.ctx, s.current.Delivery, &s.outcome, s.expire)
	return e.conclude(s, time.Now())
}

// conclude calls the observer with the outcome, and reports the outcome.
func (e *Engine) conclude(s *slot, end time.Time) time.Time {
	s.stage = stageDone
	e.intake.Ran(end.Sub(s.since))
	e.executed.Add(1)
	heedExpiry(&s.outcome, s.current.session.p.clock.At(end))
	e.noteAttempt(&s.outcome, s.since, end)
	s.current.noteTook(&s.outcome, s.since, end)
	e.host.AttemptDone(e.values, s.current.Delivery, &s.outcome, s.since, end)
	e.hand(s)
	return end
}

// noteAttempt has a task that did not succeed, and is stored once more, carry the attempt.
func (e *Engine) noteAttempt(out *store.Outcome, began, ended time.Time) {
	why := out.Error
	switch out.Verdict {
	case verdicts.Retry, verdicts.Fail:
	case verdicts.Release:
		why = handlers.ErrShutdown.Error()
	case 0: // if it is given back all the same
		why = store.ErrLeaseLost.Error()
	default:
		return
	}
	out.Task.Tried(store.Attempt{Ended: ended, Took: ended.Sub(began), Worker: e.cfg.Name, Error: why})
}

// hand clears the current task and then passes its outcome on. The order matters: after the outcome
// is settled, the session frees the task's payload, and a heartbeat reads the payload while the
// task is current.
func (e *Engine) hand(s *slot) {
	t := s.current
	s.end()
	t.session.report(t, &s.outcome)
	s.outcome = store.Outcome{}
	e.intake.Finished()
}

// resume continues with a task after a function of the user ended the goroutine. If it was the
// handler, the executor has already made it a failed attempt.
func (e *Engine) resume(s *slot, now time.Time) time.Time {
	switch s.stage {
	case stageBegun:
		return e.attempt(s)
	case stageRun:
		return e.conclude(s, now)
	default:
		e.hand(s)
		return now
	}
}

// begin makes the task current, and makes a context if there is none.
func (s *slot) begin(values context.Context, t *task, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.ctx.Err() != nil {
		s.ctx, s.cancel = context.WithCancelCause(values)
	}
	s.stage = stageBegun
	s.current, s.since, s.expires, s.cancelled, s.reported = t, now, time.Time{}, time.Time{}, false
	// The lease may have been lost, or the run stopped or the task cancelled, after the checks, but
	// before the task became current and could be cancelled.
	switch {
	case t.session.isLost():
		s.cancel(store.ErrLeaseLost)
	case t.session.haltedBy(t.Delivery.Lease.Lane.Run.Number) != nil:
		s.cancel(t.session.haltedBy(t.Delivery.Lease.Lane.Run.Number))
	case t.session.isCancelled(t.Delivery.Lease):
		s.cancel(store.ErrTaskCancelled)
	}
}

// exited reports whether a function of the user ended the goroutine with runtime.Goexit while a
// task was current. If the slot ended normally, it releases the context.
func (s *slot) exited() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil && s.cancel != nil {
		s.cancel(nil)
	}
	return s.current != nil
}

// end clears the current task.
func (s *slot) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = nil
}

// interrupt cancels the context of the current task if it matches.
func (s *slot) interrupt(cause error, meant func(*task) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && meant(s.current) {
		s.cancel(cause)
		if s.cancelled.IsZero() {
			s.cancelled = time.Now()
		}
	}
}

// interrupt cancels the contexts of the running tasks that match.
func (e *Engine) interrupt(cause error, meant func(*task) bool) {
	for _, s := range e.slots {
		s.interrupt(cause, meant)
	}
}

// running lists the running tasks of a session. It logs each one whose handler has ignored the end
// of its context for too long.
func (e *Engine) running(ses *session) []store.RunningTask {
	var list []store.RunningTask
	meters := ses.meters.read()
	for _, s := range e.slots {
		if r, ok := e.inspect(s, ses, meters); ok {
			list = append(list, r)
		}
	}
	return list
}

func (e *Engine) inspect(s *slot, ses *session, meters map[store.Lease]*execute.Meter) (store.RunningTask, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil || s.current.session != ses {
		return store.RunningTask{}, false
	}
	d := s.current.Delivery
	r := store.RunningTask{
		Run:   d.Lease.Lane.Run,
		ID:    d.Task.ID,
		Kind:  d.Lease.Lane.Route.Kind,
		Queue: d.Lease.Lane.Route.Queue,
		Retry: d.Task.Retry,
		Since: s.since,
	}
	if m := meters[d.Lease]; m != nil {
		r.Progress = m.Read()
	}
	if cause := s.ignoredLocked(time.Now()); cause != nil && !s.reported {
		s.reported = true
		e.log.WarnContext(e.hard, events.HandlerStuck,
			"job", r.Run.Job, "run", r.Run.Number, "task", r.ID, "kind", r.Kind, "cause", cause)
	}
	return r, true
}

// ignoredLocked returns why the context of the task ended, if the handler has ignored that for too
// long. It compares the timeout with the clock, because the context has a timer only if the handler
// waits for its end.
func (s *slot) ignoredLocked(now time.Time) error {
	switch {
	case !s.cancelled.IsZero() && now.Sub(s.cancelled) > stuckAfter:
		return context.Cause(s.ctx)
	case !s.expires.IsZero() && now.Sub(s.expires) > stuckAfter:
		return handlers.ErrTimeout
	}
	return nil
}

// stuck counts the slots with handlers that have not returned.
func (e *Engine) stuck() int {
	n := 0
	for _, s := range e.slots {
		s.mu.Lock()
		if s.current != nil {
			n++
		}
		s.mu.Unlock()
	}
	return n
}
