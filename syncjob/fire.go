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
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob/events"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

const (
	// fireTries limits how often firing a job is tried again at once: because all the next due times have
	// passed, or because the run or mode that it waited for has ended.
	fireTries = 5
	// nextInRow is how many due times follow each other closely in a call that fires a job.
	nextInRow = 32
	// slowestFire is how long such a call may take, so that the next due time is still to come.
	slowestFire = 10 * time.Second
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
	case signals.Run:
		f.runMoved(s.Run)
	case signals.Pause, signals.Sync:
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
		over, err := f.fireRecord(ctx, rec)
		if over || err != nil {
			return changes, err
		}
	}
	return changes, nil
}

// following returns due times that follow, in order, by the store's clock as it is known here. The
// store takes the first that is still to come when it gets them, so none of these is passed over.
// From nextInRow on, each is twice as far away as the one before. So a call may be slow, though
// due times are close together.
func (f *firing) following(s *recurrence, due time.Time) (times []time.Time, err error) {
	now := f.clock.Now()
	for after := now; ; {
		next, err := s.next(due, after)
		if err != nil || next.IsZero() {
			return times, err
		}
		times = append(times, next)
		ahead := next.Sub(now)
		if ahead > slowestFire {
			return times, nil
		}
		after = next
		if len(times) >= nextInRow {
			after = next.Add(ahead)
		}
	}
}

// fireRecord fires a job by its record. If it returns false, the caller must read the record and
// call it again.
func (f *firing) fireRecord(ctx context.Context, rec store.JobRecord) (over bool, err error) {
	d, err := scheduled(rec)
	if err != nil {
		return false, err
	}
	next, err := f.following(d.Schedule, rec.Due)
	if err != nil {
		return false, err
	}
	if len(next) == 0 {
		return false, errNeverAgain
	}
	reply, err := f.fireNow(ctx, rec, d, next)
	if errors.Is(err, ErrJobNotFound) || errors.Is(err, ErrJobDisabled) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	f.clock.Note(reply.Now)
	switch reply.Verdict {
	case verdicts.FireStarted:
		f.journal.log.InfoContext(ctx, events.JobFired, "job", rec.Name, "run", reply.Run.Number, "due", rec.Due)
	case verdicts.FireSkipped:
		f.journal.log.InfoContext(ctx, events.DueSkipped, "job", rec.Name, "due", rec.Due)
	case verdicts.FireWaiting:
		again, err := f.await(ctx, rec.Name, d, reply.Run)
		return !again, err
	case verdicts.FireEarly:
		// If one of the times is still to come, another worker fired the job. The store returns it when it is
		// due again.
		return next[len(next)-1].After(reply.Now), nil
	}
	return true, nil
}

// fireNow asks the store to fire a job, and gives it due times that follow.
func (f *firing) fireNow(
	ctx context.Context, rec store.JobRecord, d definition, next []time.Time,
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
	if err == nil && reply.Verdict == verdicts.FireStarted {
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
