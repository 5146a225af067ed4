package cron

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/internal/timetable"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// Runner is a function that a [Scheduler] calls in this process whenever its trigger is due. If the
// function must run once for all processes together, declare a periodic job instead.
type Runner struct {
	// Name is unique in the scheduler: 1 to 200 bytes of UTF-8 without control characters. It is
	// required.
	Name string
	// Trigger says when it is due. It is required.
	Trigger Trigger
	// Run is the function to call, on its own goroutine. It is required. Its context ends when that
	// of [Scheduler.Run] ends, with the same cause, and under a Gate also when the lease ends; then
	// the function should return. A panic, or the end of the goroutine, is a failed run.
	Run func(ctx context.Context) error
	// Grace is how long Run may take to return after its context has ended; [syncjob.NoGrace] and
	// values below 2 s mean 2 s. Under a Gate the lease is kept for that time. A [syncjob.Worker]
	// that runs under this context gets the time that its own Grace needs. Defaults to the
	// scheduler's Grace.
	Grace time.Duration
	// Gate limits how many processes run it at a time: see [semaphore.Gate]. A run that the gate
	// does not admit is skipped; this is not a failure. Defaults to none.
	Gate *semaphore.Gate
	// RunsInReadOnly lets it run in [syncjob.ModeReadOnly], too; without it, it is skipped in that
	// mode. If the mode cannot be read, it runs. Defaults to false.
	RunsInReadOnly bool
}

// Trigger says when a [Runner] is due. Exactly one of Every, Cron and At is set. If the clock of
// the machine is set back, a time that was due is not due again.
type Trigger struct {
	// Every is a fixed interval. The runner is due at once when the scheduler starts, or after
	// StartDelay, and then after each interval. At least [schedule.MinEvery].
	Every time.Duration
	// Cron is an expression of five fields, as in [schedule.Schedule]. The rules for changing clocks
	// are the same, too: a time that does not exist is due when the clocks jump over it, and a time
	// that comes twice is due the first time only.
	Cron string
	// Zone is the time zone of Cron, by its IANA name, as in [schedule.Schedule]. Defaults to UTC.
	Zone string
	// At is one time only. A time that is past when the scheduler starts is never due.
	At time.Time
	// StartDelay is how long after the start of the scheduler the runner is first due. It cannot be
	// set together with At. Defaults to none.
	StartDelay time.Duration
	// Jitter delays each run by a random time shorter than Jitter, so that many processes do not
	// act at the same moment. It must be shorter than Every. Defaults to none.
	Jitter time.Duration
}

// runner is a checked Runner.
type runner struct {
	Runner
	times timetable.Timetable
}

// check reports every problem of a runner, under the given field.
func (r Runner) check(field string, grace time.Duration) (*runner, error) {
	var errs []error
	bad := func(name, reason string) {
		errs = append(errs, &store.FieldError{Field: field + name, Reason: reason})
	}
	errs = append(errs, store.RenameFields(store.ValidateTaskID(r.Name), func(string) string { return field + "Name" }))
	if r.Run == nil {
		bad("Run", "is nil")
	}
	switch {
	case r.Grace == 0:
		r.Grace = grace
	case r.Grace == syncjob.NoGrace:
		r.Grace = 0
	case r.Grace < 0:
		bad("Grace", "is negative and not NoGrace")
	}
	t := r.Trigger
	times, problems := timetable.New(field+"Trigger.", t.Every, t.Cron, t.Zone, t.At)
	errs = append(errs, problems...)
	if t.StartDelay < 0 {
		bad("Trigger.StartDelay", "is negative")
	}
	if t.StartDelay > 0 && !t.At.IsZero() {
		bad("Trigger.StartDelay", "is set together with At")
	}
	if t.Jitter < 0 {
		bad("Trigger.Jitter", "is negative")
	}
	if t.Every > 0 && t.Jitter >= t.Every {
		bad("Trigger.Jitter", "is not shorter than Every")
	}
	if r.Gate != nil && r.Gate.Semaphores == nil {
		bad("Gate.Semaphores", "is nil")
	}
	return &runner{Runner: r, times: times}, store.JoinFields(errs...)
}

// first returns when a runner is first due if the scheduler starts now.
func (r *runner) first(now time.Time) time.Time {
	earliest := now.Add(r.Trigger.StartDelay)
	if r.Trigger.Every > 0 {
		return earliest
	}
	return r.times.Next(now, earliest)
}

// modeTime limits how long a runner waits for the mode of the namespace.
const modeTime = 2 * time.Second

// call runs it once, under its gate. Skipped means that the gate or the mode did not allow it.
func (r *runner) call(ctx context.Context, m *syncjob.Manager, v *visit) (skipped bool, err error) {
	if !r.RunsInReadOnly {
		bounded, cancel := context.WithTimeout(ctx, modeTime)
		mode, err := m.Mode(bounded)
		cancel()
		if err == nil && mode == syncjob.ModeReadOnly {
			return true, nil
		}
	}
	run := func(ctx context.Context) error {
		return v.host(func() error { return r.Run(ctx) })
	}
	if r.Gate == nil {
		return false, run(ctx)
	}
	err = r.Gate.Run(ctx, run)
	if errors.Is(err, semaphore.ErrSkipped) {
		return true, nil
	}
	return false, err
}

// RunnerState is the state of a runner.
type RunnerState struct {
	Name    string
	Next    time.Time // when it is due next, by the local clock; zero while it runs, or if it is never due again
	Since   time.Time // when the run in progress began; zero if none is
	Runs    int       // calls that have ended, with or without an error
	Failed  int       // calls that ended with an error
	Skipped int       // due, but not called because of its gate or read-only mode
	Err     error     // of the last run
}
