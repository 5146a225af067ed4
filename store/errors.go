package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rollcall-go/rollcall/store/statuses"
)

// Errors of the contract. A Store returns them wrapped or plain; callers use
// [errors.Is].
var (
	// ErrInvalid is matched by every [FieldError].
	ErrInvalid = errors.New("invalid")

	// ErrJobNotFound is returned when no job of that name is stored: it was
	// never started, or its last summary has expired.
	ErrJobNotFound = errors.New("job not found")

	// ErrRunNotFound is returned when the job has no run with this number: it never had one, or the
	// summary has expired.
	ErrRunNotFound = errors.New("run not found")

	// ErrJobExists is returned by StartRun while a run of that name is active (promise P7), and for
	// the name of a declared job. It is wrapped in a [*JobExistsError].
	ErrJobExists = errors.New("job exists already")

	// ErrJobDisabled is returned when a declared job was stopped and not enabled again.
	ErrJobDisabled = errors.New("job is disabled")

	// ErrJobStopped is returned by enqueuing into a run that is being stopped,
	// and is the cause of a running handler's context when its run is stopped.
	ErrJobStopped = errors.New("run is stopping or stopped")

	// ErrRunDeadline is the cause of a running handler's context when its run is stopped at its
	// deadline. It matches ErrJobStopped, too.
	ErrRunDeadline = fmt.Errorf("%w: its deadline has passed", ErrJobStopped)

	// ErrTaskCancelled is the cause of a running handler's context when its task is cancelled; see
	// [TaskChanges].
	ErrTaskCancelled = errors.New("task is cancelled")

	// ErrRunFinished is returned by operations that need an active run.
	ErrRunFinished = errors.New("run is finished")

	// ErrNotHeld is returned by RedoFailures when neither failures nor a post-job hook that gave up
	// hold the run, so that nothing can be accepted or repeated: see [OnFailureHold].
	ErrNotHeld = errors.New("run is not held for failures")

	// ErrRunActive is returned by operations that need a finished run.
	ErrRunActive = errors.New("run is active")

	// ErrConflict is returned when the stored version is not the one that a change is based on:
	// another call changed it first. Nothing was written.
	ErrConflict = errors.New("changed by another call")

	// ErrLeaseLost is returned when a session, or its lease on a task, is no
	// longer valid: it expired, was reclaimed or was closed (promise P5).
	ErrLeaseLost = errors.New("lease lost")

	// ErrHoldLost is returned when tasks are added to a run in several calls, and the hold has changed
	// since the last call: another caller closed or took it, or the server lost an acknowledged write.
	// Earlier calls may be lost. Nothing of this call was written.
	ErrHoldLost = errors.New("hold of the run is not as it was left")

	// ErrChildrenLost is returned by Stage, and by Settle in Refused, when the store has fewer
	// staged children of a task than the task has staged: the server lost acknowledged writes in a
	// failover or a restart. The task must run again; this does not count as a failed attempt.
	ErrChildrenLost = errors.New("staged children were lost")

	// ErrResultUnknown is returned when the store cannot tell whether a repeated change was
	// applied, because the record of its stream is gone. It is never returned for a first attempt
	// that was applied.
	ErrResultUnknown = errors.New("result unknown")

	// ErrStale is returned for a stream number lower than the last one applied. It shows a bug in
	// the caller: a stream sends one batch at a time.
	ErrStale = errors.New("stale stream number")

	// ErrPayloadTooLarge is returned before anything is sent when a payload
	// exceeds the limit (promise P12).
	ErrPayloadTooLarge = errors.New("payload too large")

	// ErrOutOfMemory is returned when the server has no memory for a write. Nothing was written.
	// Enqueues fail with it; settlements still succeed.
	ErrOutOfMemory = errors.New("store is out of memory")

	// ErrWrongType is returned by a reference if the name has a value of another type. It is wrapped
	// in a [*TypeError].
	ErrWrongType = errors.New("value is of another type")

	// ErrTooManyValues is returned by a write of a new value when the run or job has
	// [bounds.MaxValues] values.
	ErrTooManyValues = errors.New("run or job has too many values")

	// ErrTooManyPauses is returned by Pause when [bounds.MaxPauses] other scopes are paused.
	ErrTooManyPauses = errors.New("too many scopes are paused")

	// ErrOutOfRange is returned when a number is added to a counter or float and the sum would be out
	// of range. The value does not change.
	ErrOutOfRange = errors.New("sum is out of range")

	// ErrUnavailable is matched by errors of a store that does not answer, or cannot serve for now.
	// Repeating the call is safe and may help.
	ErrUnavailable = errors.New("store unavailable")

	// ErrCorrupt is returned when a stored record cannot be decoded, or was
	// written by a newer version.
	ErrCorrupt = errors.New("stored record is corrupt")

	// ErrStateLost is returned when a run that is known to have existed is gone from the store, for
	// example after a flush or a failover to an empty replica. It never means that the run is done.
	ErrStateLost = errors.New("state of the run is lost")

	// ErrClosed is returned by calls on a closed store.
	ErrClosed = errors.New("store is closed")
)

// FieldError reports bad input: which field, and what is wrong with it. It matches [ErrInvalid].
// With this error nothing was written (promise P13).
type FieldError struct {
	Field  string // for example "Name" or "Queues[1].Weight"
	Reason string // for example "is empty"
}

// Error implements error.
func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

// Is reports whether target is [ErrInvalid].
func (e *FieldError) Is(target error) bool { return target == ErrInvalid }

// JoinFields joins the errors of one input, as errors.Join does, but in one line of text: the parts
// are separated by "; ", and equal parts appear once. It returns nil if all of errs are nil.
func JoinFields(errs ...error) error {
	errs = flat(errs, nil)
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	var all []error
	said := make(map[string]bool)
	for _, err := range errs {
		if text := fmt.Sprint(err); !said[text] { // not err.Error(): it may be code of a user, and panic
			said[text] = true
			all = append(all, err)
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return joinedFields(all)
}

// flat lists errors; of a join it lists the parts.
func flat(errs, all []error) []error {
	for _, err := range errs {
		switch e := err.(type) { //nolint:errorlint // a wrapped join has its own text
		case nil:
		case joinedFields:
			all = flat(e, all)
		default:
			all = append(all, err)
		}
	}
	return all
}

// joinedFields holds several problems of one input.
type joinedFields []error

func (e joinedFields) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = fmt.Sprint(err)
	}
	return strings.Join(texts, "; ")
}

func (e joinedFields) Unwrap() []error { return e }

// RenameFields returns err with the field of every [FieldError] in it renamed by rename. It is for
// a caller whose own input has the value under another name. Errors that wrap a FieldError are
// dropped, except joins. An error without a FieldError is returned unchanged.
func RenameFields(err error, rename func(field string) string) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, err := range joined.Unwrap() {
			all = append(all, RenameFields(err, rename))
		}
		return JoinFields(all...)
	}
	if field := (*FieldError)(nil); errors.As(err, &field) {
		return &FieldError{Field: rename(field.Field), Reason: field.Reason}
	}
	return err
}

// JobExistsError is returned by StartRun while the job has an active run, and for the name of a
// declared job, because its declaration says how its runs start. It matches [ErrJobExists].
type JobExistsError struct {
	Active   RunID            // the active run; its Number is 0 if none is active
	Declared statuses.JobType // the type of a declared job; otherwise empty
}

// Error implements error. It says how to start a run of a declared job.
func (e *JobExistsError) Error() string {
	active := ""
	if e.Active.Number != 0 {
		active = fmt.Sprintf("; its active run is %d", e.Active.Number)
	}
	switch e.Declared {
	case statuses.JobPeriodic:
		return fmt.Sprintf("job %q is declared as periodic: use TriggerNow to begin a run%s", e.Active.Job, active)
	case statuses.JobStanding:
		return fmt.Sprintf(
			"job %q is declared as standing: use Ensure or Enable to begin its run%s", e.Active.Job, active,
		)
	}
	return fmt.Sprintf("job %q already has the active run %d", e.Active.Job, e.Active.Number)
}

// Is reports whether target is [ErrJobExists].
func (e *JobExistsError) Is(target error) bool { return target == ErrJobExists }

// Permanent reports whether it is useless to repeat a call that failed with err. It is false for
// outages and missing memory, which may end, and for the end of a context, which says nothing about
// the store.
func Permanent(err error) bool {
	return err != nil && !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrOutOfMemory) &&
		!errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled)
}

// Transient wraps err so that it matches [ErrUnavailable]: the result of the call is unknown, or
// the store refused it for now. [WithRetry] repeats such calls. Implementations of Store use it for
// errors of their backend.
func Transient(err error) error {
	if err == nil {
		return nil
	}
	return &transientError{err}
}

type transientError struct{ err error }

func (e *transientError) Error() string        { return "store unavailable: " + e.err.Error() }
func (e *transientError) Unwrap() error        { return e.err }
func (e *transientError) Is(target error) bool { return target == ErrUnavailable }
