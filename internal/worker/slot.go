package worker

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

// stuckAfter is how long a handler may ignore the end of its context, or of its timeout,
// before a heartbeat logs that.
const stuckAfter = 10 * time.Second

// slot runs one handler at a time. Its context serves task after task until it is
// cancelled, so that an ordinary task costs no context of its own.
type slot struct {
	mu        sync.Mutex
	ctx       context.Context
	cancel    context.CancelCauseFunc
	current   *task // nil between tasks; a task until its outcome is about to be reported
	since     time.Time
	expires   time.Time // when the current task's timeout is over; zero if it has none
	cancelled time.Time // when the current task's context was ended; zero if it was not
	reported  bool      // that the handler ignores it

	expire func(at time.Time) // sets expires; made once, as it allocates

	// Of the goroutine that runs current, and after it of the one that goes on in its place.
	stage   stage
	outcome store.Outcome // as of the end of stageRun
}

// stage is how far a slot is with its task. A function of a user may end the goroutine in each of
// them; then another goroutine goes on with what follows.
type stage uint8

const (
	stageBegun stage = iota // the observer is told of the attempt
	stageRun                // the handler runs
	stageDone               // the observer is told of its outcome
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

// work runs tasks until no more will come, beginning with the one that the slot has in hand if the
// goroutine before was ended. A clock reading serves as the end of one task and the start of the
// next.
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

// execute runs one task, unless its lease is lost, its run has been stopped since it
// was fetched, or the worker shuts down, and passes its outcome on. It returns the time.
func (e *Engine) execute(s *slot, t *task, now time.Time) time.Time {
	ses := t.session
	switch {
	case ses.isLost():
	case e.fetching.Err() != nil:
		ses.release(t)
	case ses.isHalted(t.Delivery.Lease.Lane.Run.Number):
		ses.report(t, &store.Outcome{Lease: t.Delivery.Lease, Verdict: store.VerdictCancel, Task: t.Delivery.Task})
	default:
		if !t.Delivery.Lease.Lane.Route.Counted() {
			e.runs.forget(t.Delivery.Lease.Lane.Run) // hooks see what is stored now
		}
		s.begin(e.values, t, now)
		e.host.AttemptStarted(e.values, t.Delivery, now)
		return e.attempt(s)
	}
	e.intake.Finished()
	return now
}

// attempt runs the handler of the task in hand.
func (e *Engine) attempt(s *slot) time.Time {
	s.stage = stageRun
	s.current.session.executorOf(s.current).ExecuteTimed(s.ctx, s.current.Delivery, &s.outcome, s.expire)
	return e.conclude(s, time.Now())
}

// conclude tells of the outcome, and reports it.
func (e *Engine) conclude(s *slot, end time.Time) time.Time {
	s.stage = stageDone
	e.intake.Ran(end.Sub(s.since))
	e.executed.Add(1)
	e.host.AttemptDone(e.values, s.current.Delivery, &s.outcome, s.since, end)
	e.hand(s)
	return end
}

// hand lets go of the task, and then passes its outcome on: once that is settled the session frees
// the task's payload, which a heartbeat reads as long as the slot shows it.
func (e *Engine) hand(s *slot) {
	t := s.current
	s.end()
	t.session.report(t, &s.outcome)
	s.outcome = store.Outcome{}
	e.intake.Finished()
}

// resume goes on with a task after a function of a user ended the goroutine. If that was the
// handler, the executor has made a failure of it.
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

// begin takes the task in hand, and sees to it that there is a context for it.
func (s *slot) begin(values context.Context, t *task, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.ctx.Err() != nil {
		s.ctx, s.cancel = context.WithCancelCause(values)
	}
	s.stage = stageBegun
	s.current, s.since, s.expires, s.cancelled, s.reported = t, now, time.Time{}, time.Time{}, false
	// The lease may have been lost, or the run stopped, after the checks and before
	// this task could be found here and cancelled.
	switch {
	case t.session.isLost():
		s.cancel(store.ErrLeaseLost)
	case t.session.isHalted(t.Delivery.Lease.Lane.Run.Number):
		s.cancel(store.ErrJobStopped)
	}
}

// exited reports whether a function of a user ended the goroutine, by runtime.Goexit, with a task
// in hand. If the slot came to its end in order, its context is released.
func (s *slot) exited() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil && s.cancel != nil {
		s.cancel(nil)
	}
	return s.current != nil
}

// end lets go of the task.
func (s *slot) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = nil
}

// interrupt cancels the context of the task that runs, if it is one of those meant.
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

// interrupt cancels the contexts of running tasks.
func (e *Engine) interrupt(cause error, meant func(*task) bool) {
	for _, s := range e.slots {
		s.interrupt(cause, meant)
	}
}

// running lists the tasks of a session that run, and logs each that has ignored the end
// of its context for long.
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

// ignoredLocked says why the context of the task ended, if its handler has ignored that for long. A
// timeout is judged by the clock: the context has no timer unless the handler waits for its end.
func (s *slot) ignoredLocked(now time.Time) error {
	switch {
	case !s.cancelled.IsZero() && now.Sub(s.cancelled) > stuckAfter:
		return context.Cause(s.ctx)
	case !s.expires.IsZero() && now.Sub(s.expires) > stuckAfter:
		return handlers.ErrTimeout
	}
	return nil
}

// stuck counts the slots whose handlers have not returned.
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
