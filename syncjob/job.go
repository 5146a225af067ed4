package syncjob

import (
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
)

// Job says what to run.
type Job struct {
	// Name identifies the job: at most one run of a name is active (P7). It is
	// required: 1 to 200 bytes of UTF-8 without control characters.
	Name string
	// Set is the handler set that runs its tasks. It is required, and must be in the
	// manager's registry if that has one.
	Set string
	// Root has the arguments of the first task. They are also those of the run: every task can
	// decode them. It may be nil only with Open.
	Root enqueue.Args
	// RootOptions are the options of the root task. Nil means all defaults.
	RootOptions *enqueue.Options
	// Open keeps a run from finishing until it is sealed, so tasks can be added from outside of
	// handlers. A job declared by Ensure with Open is a standing job.
	Open bool
	// SealAfter seals an open run when nothing was enqueued from outside of handlers for this long.
	// Zero means never. A worker does it when the time has passed by the store's clock: usually within
	// 200 ms, and within 5 s if a signal of the store was lost. While no worker runs, the run stays
	// open.
	SealAfter time.Duration
	// StopAfter stops an open run when nothing was enqueued from outside of handlers for this long, as
	// [Run.Stop] does without Graceful. The run's reason says so. It is for work that is useless if
	// its producer crashes before it seals the run. Zero means never. A worker does it as for
	// SealAfter. The two cannot be set together.
	StopAfter time.Duration
	// OnFailure says what a run does of which tasks failed, once its other tasks have ended and nobody
	// else holds it. Defaults to [OnFailureEnd]: it ends as failed, after its post-job hook.
	//
	// With [OnFailureHold] it is held: it stays running, with the hold "failures", until the last
	// failure is retried ([Run.Retry]) and its task has ended otherwise, or is discarded
	// ([Run.Discard]), or the failures are accepted ([Run.Accept]). Only then comes its post-job hook,
	// once, which so sees the whole. If that gives up, the run is held again: it stays finishing until
	// [Run.RepeatPostJob] or Accept. Failures that are no longer kept (see Config.FailureCap) can only
	// be accepted. Tasks can be added to a run that is held, as to any that runs, but not once its
	// hook gave up.
	//
	// A run that is held is active. [Run.Wait] waits, and [Run.Watch] yields the state, with Held set;
	// [RunsOptions.Held] finds such runs, and [Run.Explain] says what to do. No other run of the job
	// begins: due times of a schedule are skipped, or wait, as its Overlap says, and
	// schedule.OverlapReplace and IfActiveReplace stop the run. A stop ends it as stopped, or, if its
	// hook gave up, with the outcome of its tasks. Nothing is purged and no retention begins: if
	// nobody decides, it is held until its Deadline, or for ever. A run that its pre-job hook failed
	// or skipped is not held, nor one that a task cancelled. An open run is held after it was sealed;
	// it may be sealed first, or accepted first.
	OnFailure OnFailure
	// Deadline stops a run that is still active so long after its start, as [Run.Stop] does without
	// Graceful: waiting tasks are cancelled, the contexts of running handlers end with the cause
	// [ErrRunDeadline], which matches [ErrJobStopped], too, and no post-job hook runs. Its status is
	// stopped, and its reason [states.DeadlineReason]. If only its post-job hook is left, the hook is
	// given up, and the status stays what its tasks made it. The time goes on while the run waits, is
	// paused or in read-only mode; a graceful stop is not graceful any more when it has passed. A
	// worker stops the run by the store's clock, usually within 200 ms, and within 5 s if a signal of
	// the store was lost. While no worker serves the partition, the run goes on. A redriven run has as
	// much time as its source had. Zero means never. It cannot be set for a standing job, which never
	// ends.
	Deadline time.Duration
	// Schedule makes it a periodic job, which Ensure declares. It cannot be set together with Open.
	Schedule *schedule.Schedule
	// Weight is the run's share of a queue, relative to other runs, from 0.000001 to 1000000.
	// Defaults to the attribute of its set.
	Weight float64
	// Configuration is configured for each run of the job when it starts. It takes precedence over
	// what is configured for the set. [Manager.Configure] with that run changes it later. Nil means
	// none.
	Configuration *Configuration
	// Headers are stored with the run. Its handlers and hooks can read them.
	Headers map[string]string
	// Labels say whose the job is, or what for, such as tenant or owner. Listings select jobs and runs
	// by them, and show them. A run keeps those with which it began. At most [bounds.MaxLabels]; keys
	// are names, values have up to [bounds.MaxLabelLen] visible bytes: see [store.ValidateLabels].
	Labels map[string]string
	// Retention is how long the summary of a finished run is kept. Defaults to that of
	// the manager.
	Retention time.Duration
	// Revision of a declared job. A lower revision never replaces a higher one.
	Revision int64
}

// validate reports all problems of the job.
func (j Job) validate() error {
	var errs []error
	bad := func(field, reason string) {
		errs = append(errs, &FieldError{Field: field, Reason: reason})
	}
	errs = append(errs, store.ValidateJobName(j.Name), store.ValidateName("Set", j.Set), j.OnFailure.Validate())
	switch {
	case j.Root == nil && !j.Open:
		bad("Root", "is nil: only open jobs allow that")
	case j.Root == nil && j.RootOptions != nil:
		bad("RootOptions", "is set without Root")
	}
	if j.Weight != 0 && store.ValidateWeight(j.Weight) != nil {
		bad("Weight", "is not within 0.000001 to 1000000")
	}
	j.validateTimes(bad)
	if j.Retention < 0 {
		bad("Retention", "is negative")
	}
	if j.Revision < 0 {
		bad("Revision", "is negative")
	}
	if j.Schedule != nil {
		errs = append(errs, j.Schedule.Validate())
		if j.Open {
			bad("Schedule", "is set for an open job")
		}
		if j.RootOptions != nil && !j.RootOptions.Expires.IsZero() {
			bad("RootOptions.Expires", "is set for a periodic job, where it would be the same for all runs")
		}
	}
	errs = append(errs, encode.ValidateHeaders(j.Headers), store.ValidateLabels(j.Labels))
	if j.Configuration != nil {
		errs = append(
			errs,
			store.RenameFields(
				j.Configuration.ValidateForRun(), func(field string) string { return "Configuration." + field },
			),
		)
	}
	return store.JoinFields(errs...)
}

// validateTimes reports problems of when a run is ended.
func (j Job) validateTimes(bad func(field, reason string)) {
	if j.Deadline < 0 {
		bad("Deadline", "is negative")
	}
	if j.SealAfter < 0 {
		bad("SealAfter", "is negative")
	}
	if j.StopAfter < 0 {
		bad("StopAfter", "is negative")
	}
	if j.StopAfter > 0 && !j.Open {
		bad("StopAfter", "is set for a job that is not open")
	}
	if j.StopAfter > 0 && j.SealAfter > 0 {
		bad("StopAfter", "excludes SealAfter")
	}
	if j.SealAfter > 0 && !j.Open {
		bad("SealAfter", "is set for a job that is not open")
	}
}

// checkText validates a key or the name of a hold. The rule is that of task IDs.
func checkText(field, s string) error {
	return store.RenameFields(store.ValidateTaskID(s), func(string) string { return field })
}
