package syncjob

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/timetable"
	"github.com/rollcall-go/rollcall/internal/worker"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/events"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

const (
	// fireTries limits how often firing a job is tried again at once: because the next due time has
	// passed, or because the run or mode that it waited for has ended.
	fireTries = 5
	// replacedReason is the reason of a run that was stopped because the next one was due.
	replacedReason = "replaced by the next run"
)

// firing remembers the jobs of a partition that are due but wait for the end of a run, or of
// read-only mode. When the run changes or the mode is set, it tries them again. This only saves
// time: the store returns them again after [store.FireRecheck].
type firing struct {
	m         *Manager
	journal   journal // of the worker
	partition int
	clock     *worker.Clock
	moved     chan struct{} // capacity 1: a run or the mode that a job waits for has changed
	problems  problems      // why jobs cannot be fired

	mu       sync.Mutex
	runs     map[int64]string    // number of a run → the job that waits for its end
	readOnly map[string]struct{} // jobs that wait for the end of read-only mode
}

func newFiring(m *Manager, j journal, partition int, clock *worker.Clock) *firing {
	return &firing{
		m:         m,
		journal:   j,
		partition: partition,
		clock:     clock,
		moved:     make(chan struct{}, 1),
		runs:      make(map[int64]string),
		readOnly:  make(map[string]struct{}),
	}
}

// Moved receives when a run or the mode that jobs wait for has changed.
func (f *firing) Moved() <-chan struct{} { return f.moved }

// Notify is called for every signal of the partition.
func (f *firing) Notify(s store.Signal) {
	switch s.Type {
	case store.SignalRun:
		f.runMoved(s.Run)
	case store.SignalPause, store.SignalSync:
		f.modeSet()
	}
}

// runMoved is called for every run of the partition that has changed.
func (f *firing) runMoved(number int64) {
	f.mu.Lock()
	_, waits := f.runs[number]
	f.mu.Unlock()
	if waits {
		lifecycle.Wake(f.moved)
	}
}

func (f *firing) waitFor(run store.RunID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.runs[run.Number] = run.Job
}

func (f *firing) waitForMode(job string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readOnly[job] = struct{}{}
}

// modeSet is called whenever the mode of the partition may have been set.
func (f *firing) modeSet() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.readOnly) > 0 {
		lifecycle.Wake(f.moved)
	}
}

// takeReadOnly empties the list of jobs that wait for the end of read-only mode. A job that must
// wait longer is added again.
func (f *firing) takeReadOnly() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	jobs := slices.Sorted(maps.Keys(f.readOnly))
	clear(f.readOnly)
	return jobs
}

func (f *firing) forget(run store.RunID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.runs, run.Number)
}

// waited lists the runs for whose end a job waits.
func (f *firing) waited() []store.RunID {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := make([]store.RunID, 0, len(f.runs))
	for number, job := range f.runs {
		ids = append(ids, store.RunID{Job: job, Number: number})
	}
	return ids
}

// FireWaiting fires the jobs that waited and may be able to start now.
func (f *firing) FireWaiting(ctx context.Context) {
	f.Fire(ctx, f.takeReadOnly())
	for _, run := range f.waited() {
		if over, err := f.isOver(ctx, run); over && err == nil {
			f.forget(run)
			f.Fire(ctx, []string{run.Job})
		}
	}
}

// isOver reports whether a run has ended.
func (f *firing) isOver(ctx context.Context, run store.RunID) (bool, error) {
	rec, err := f.m.store.Run(ctx, run)
	if errors.Is(err, ErrRunNotFound) {
		return true, nil
	}
	return rec.Status.Final(), err
}

// errNotScheduled is the reason if the store returned a job as due that has no schedule.
var errNotScheduled = errors.New("the job has no schedule in force")

// fire does what the schedule of a job says about its due time. It returns Changes of the
// definition that it used.
func (f *firing) fire(ctx context.Context, job string) (changes int64, err error) {
	var ahead time.Duration
	for range fireTries {
		rec, err := f.m.store.Job(ctx, job)
		if errors.Is(err, ErrJobNotFound) || err == nil && (rec.Disabled || rec.Type != states.JobPeriodic) {
			f.postpone(ctx, job, errNotScheduled) // otherwise the store would never return it again
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		changes = rec.Changes
		over, err := f.fireRecord(ctx, rec, &ahead)
		if over || err != nil {
			return changes, err
		}
	}
	return changes, nil
}

// following returns the next due time for a job that is fired now. It must be in the future when
// the store gets it; ahead is how long that may take. If a due time comes sooner, following waits
// until it has passed: the run that begins then covers it, too. So no future due time is skipped,
// unless due times are much closer together than the time of a call.
func (f *firing) following(
	ctx context.Context, rec store.JobRecord, s *recurrence, ahead time.Duration,
) (time.Time, error) {
	now := f.clock.Now()
	near, err := s.next(rec.Due, now)
	if err != nil || near.IsZero() || near.Sub(now) >= ahead {
		return near, err
	}
	after, err := s.next(near, near)
	switch {
	case err != nil || after.IsZero():
		return near, err
	case 2*after.Sub(near) <= ahead:
		return s.next(rec.Due, now.Add(ahead))
	}
	lifecycle.Pause(ctx, near.Sub(now))
	return after, nil
}

// fireRecord fires a job by its record. If it returns false, the caller must read the record and
// call it again, with the time that a call took.
func (f *firing) fireRecord(ctx context.Context, rec store.JobRecord, ahead *time.Duration) (over bool, err error) {
	d, err := scheduled(rec)
	if err != nil {
		return false, err
	}
	next, err := f.following(ctx, rec, d.Schedule, *ahead)
	if err != nil {
		return false, err
	}
	if next.IsZero() {
		return false, errNeverAgain
	}
	began := time.Now()
	reply, err := f.fireNow(ctx, rec, d, next)
	if errors.Is(err, ErrJobNotFound) || errors.Is(err, ErrJobDisabled) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	f.clock.Note(reply.Now)
	switch reply.Verdict {
	case store.FireStarted:
		f.journal.log.InfoContext(ctx, events.JobFired, "job", rec.Name, "run", reply.Run.Number, "due", rec.Due)
	case store.FireSkipped:
		f.journal.log.InfoContext(ctx, events.DueSkipped, "job", rec.Name, "due", rec.Due)
	case store.FireWaiting:
		again, err := f.await(ctx, rec.Name, d, reply.Run)
		return !again, err
	case store.FireEarly:
		// If the next due time is in the future, another worker fired the job. The store returns it when
		// it is due again.
		*ahead = max(2**ahead, time.Since(began))
		return next.After(reply.Now), nil
	}
	return true, nil
}

// fireNow asks the store to fire a job and sets its next due time.
func (f *firing) fireNow(
	ctx context.Context, rec store.JobRecord, d definition, next time.Time,
) (store.FireReply, error) {
	f.m.sets.Fresh(ctx, d.Set, d.kinds()...)
	start := f.m.params(d, rec.Name, "")
	start.Declared = true
	reply, err := f.m.store.FireRun(ctx, store.FireParams{
		Start:      start,
		Due:        rec.Due,
		Changes:    rec.Changes,
		Next:       next,
		Delay:      timetable.PutOff(d.Schedule.Jitter),
		Wait:       d.Schedule.waits(),
		Rest:       d.Schedule.rest(),
		InReadOnly: f.m.runsInReadOnly(d.Set),
	})
	if err == nil && reply.Verdict == store.FireStarted {
		f.journal.runStarted(ctx, reply.Run, &start)
	}
	return reply, err
}

// await remembers the job, to fire it when the active run has ended; if no run is active, when
// read-only mode has ended. If the schedule says so, it stops the run. It reports whether the run
// or the mode has ended already.
func (f *firing) await(ctx context.Context, job string, d definition, run store.RunID) (over bool, err error) {
	if run.Number == 0 {
		f.waitForMode(job)
		// It may have ended before its signal could be noticed here.
		set, err := f.m.store.Pauses(ctx, f.partition)
		return err == nil && !set.ReadOnly(), err
	}
	if d.Schedule.Overlap == schedule.OverlapReplace {
		err := f.m.store.StopRun(ctx, store.StopParams{Run: run, Reason: replacedReason})
		if err != nil && !errors.Is(err, ErrRunFinished) && !errors.Is(err, ErrRunNotFound) {
			return false, err
		}
	}
	f.waitFor(run)
	// It may have ended before its signal could be noticed here.
	if over, err = f.isOver(ctx, run); over {
		f.forget(run)
	}
	return over, err
}
