package syncjob

import (
	"errors"
	"fmt"

	"github.com/rollcall-go/rollcall/internal/plural"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// Errors of other packages that this package returns, so callers of errors.Is need no second
// import. Package store describes them.
var (
	ErrInvalid         = store.ErrInvalid
	ErrJobNotFound     = store.ErrJobNotFound
	ErrRunNotFound     = store.ErrRunNotFound
	ErrJobExists       = store.ErrJobExists
	ErrJobDisabled     = store.ErrJobDisabled
	ErrJobStopped      = store.ErrJobStopped
	ErrRunDeadline     = store.ErrRunDeadline
	ErrTaskCancelled   = store.ErrTaskCancelled
	ErrRunFinished     = store.ErrRunFinished
	ErrNotHeld         = store.ErrNotHeld
	ErrRunActive       = store.ErrRunActive
	ErrLeaseLost       = store.ErrLeaseLost
	ErrConflict        = store.ErrConflict
	ErrResultUnknown   = store.ErrResultUnknown
	ErrHoldLost        = store.ErrHoldLost
	ErrTooManyPauses   = store.ErrTooManyPauses
	ErrPayloadTooLarge = store.ErrPayloadTooLarge
	ErrOutOfMemory     = store.ErrOutOfMemory
	ErrUnavailable     = store.ErrUnavailable
	ErrStateLost       = store.ErrStateLost
	ErrClosed          = store.ErrClosed
)

// ErrWorkerRunning is returned by [Worker.Run] and [Worker.RunOnce] if the worker is already
// running.
var ErrWorkerRunning = errors.New("worker is already running")

// ErrDrained is returned by [Worker.Run] and [Worker.RunOnce] when the worker has ended because of
// [WorkerRef.Drain], so that a supervisor does not start it again, for example.
var ErrDrained = errors.New("worker was drained")

// ErrWorkerNotFound is returned by [WorkerRef.Quiet], [WorkerRef.Resume] and [WorkerRef.Drain] if
// no worker of that name or ID is alive.
var ErrWorkerNotFound = errors.New("no live worker has that name")

// ErrTaskNotFound is returned by [TaskRef.State] if the run has no task of that ID that waits, runs
// or has failed, and by [TaskRef.RunNow] and [TaskRef.Reschedule] if none waits or runs. What is
// gone cannot be told apart: the task may never have been enqueued; it may have succeeded; or it
// was discarded, as a stop cancelled it, or its failure is not kept any more.
var ErrTaskNotFound = errors.New("task not found: it never was, has succeeded, or was discarded")

// ErrTaskNotDelayed is returned by [TaskRef.RunNow] and [TaskRef.Reschedule] for a task that does
// not wait for a time: a worker may fetch it, or has it. It was not changed.
var ErrTaskNotDelayed = errors.New("task does not wait for a time")

// ErrResultPending is returned by [TaskRef.Result] for a task that waits or runs.
var ErrResultPending = errors.New("task has not succeeded yet")

// ErrTaskFailed is returned by [TaskRef.Result] and [TaskRef.Wait] for a task that failed for good.
// It may succeed later, if somebody retries it.
var ErrTaskFailed = errors.New("task failed")

// ErrNothingToRedrive is returned by [Run.Redrive] when the options select no failed task of the
// run.
var ErrNothingToRedrive = errors.New("no failed task to redrive")

// FailuresGoneError is returned by [Run.Redrive] when more tasks failed than the run keeps: the
// others cannot be run again.
type FailuresGoneError struct {
	Kept int64 // failures that the run keeps
	Gone int64 // failures of which only the number is known
}

// Error implements error.
func (e *FailuresGoneError) Error() string {
	return fmt.Sprintf("%d failed tasks are gone: only %d are kept, the first and the newest", e.Gone, e.Kept)
}

// FieldError reports bad input: which field, and what is wrong with it. It matches
// [ErrInvalid], and nothing was written when it is returned.
type FieldError = store.FieldError

// JobExistsError names the active run of the job, or says that the job is a declared one. It
// matches [ErrJobExists].
type JobExistsError = store.JobExistsError

// StuckError is returned by [Worker.Run] when handlers did not return after their contexts had
// ended, and shutdown went on without them. Their tasks will be delivered to other workers, as
// after a crash. Their goroutines still run.
type StuckError struct {
	Handlers int // how many have not returned
}

// Error implements error.
func (e *StuckError) Error() string {
	if e.Handlers == 1 {
		return "1 handler did not return after its context was cancelled"
	}
	return plural.Of(e.Handlers, "handler") + " did not return after " +
		plural.Verb(e.Handlers, "its context was", "their contexts were") + " cancelled"
}

// ErrNoResult is states.ErrNoResult.
var ErrNoResult = states.ErrNoResult
