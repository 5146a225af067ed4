// Package statuses has the statuses of runs, tasks and workers, and the types of jobs.
package statuses

import "slices"

// Status is the state of a run. The state machine is drawn in ARCHITECTURE.md.
type Status string

// The states of a run.
const (
	Starting  Status = "starting"  // the pre-job hook has not completed; no task has started
	Running   Status = "running"   // tasks run, or the run is open, held or paused
	Finishing Status = "finishing" // every task has ended; the post-job hook has not completed
	Stopping  Status = "stopping"  // stopped; some handlers still run
	Succeeded Status = "succeeded" // final: every task succeeded
	Failed    Status = "failed"    // final: a task, or the pre-job hook, failed
	Stopped   Status = "stopped"   // final: ended by Stop or CancelJob
	Skipped   Status = "skipped"   // final: the pre-job hook skipped the run
)

// Final reports whether the status never changes again.
func (s Status) Final() bool {
	switch s {
	case Succeeded, Failed, Stopped, Skipped:
		return true
	}
	return false
}

// JobType says how the runs of a job start.
type JobType string

// The types of job.
const (
	JobSinglePass JobType = "single-pass" // each run is started by a call of Start
	JobStanding   JobType = "standing"    // declared; has one open run that is never sealed
	JobPeriodic   JobType = "periodic"    // declared; a schedule starts its runs
)

// WorkerStatus is what an operator has asked of a worker in a partition. The zero value is that of
// a worker that fetches.
type WorkerStatus string

// The statuses of a worker.
const (
	WorkerActive   WorkerStatus = ""         // it fetches
	WorkerQuiet    WorkerStatus = "quiet"    // it gets no more tasks, and goes on with those that run
	WorkerDraining WorkerStatus = "draining" // likewise, and then it ends
)

// Valid reports whether it is one of the constants.
func (s WorkerStatus) Valid() bool {
	return slices.Contains([]WorkerStatus{WorkerActive, WorkerQuiet, WorkerDraining}, s)
}

// Active and Final are all statuses of runs that have not ended, and of runs that have.
var (
	Active = []Status{Starting, Running, Finishing, Stopping}
	Final  = []Status{Succeeded, Failed, Stopped, Skipped}
)

// Valid reports whether it is one of the constants.
func (s Status) Valid() bool {
	return slices.Contains(Active, s) || slices.Contains(Final, s)
}

// TaskStatus says where a task is that has not succeeded and was not cancelled.
type TaskStatus string

// Where tasks are. Each is one of store.Counts: waiting and held tasks are Pending, delayed and
// retrying ones Delayed. An expired task is Pending or Delayed until a worker fetches it, which
// counts it as Cancelled.
const (
	TaskWaiting  TaskStatus = "waiting"  // a worker may fetch it
	TaskHeld     TaskStatus = "held"     // it, or its run, is paused, or the pre-job hook has not passed
	TaskDelayed  TaskStatus = "delayed"  // waits for a time: it was enqueued so, or snoozed
	TaskRetrying TaskStatus = "retrying" // waits for a time, after an attempt that failed
	TaskRunning  TaskStatus = "running"  // a worker has it, and runs it or is about to
	TaskExpired  TaskStatus = "expired"  // waits, but it is too late to begin it; see Expired of store.Task
	TaskFailed   TaskStatus = "failed"   // for good; see store.Failure
)

// Valid reports whether it is one of the constants.
func (s TaskStatus) Valid() bool {
	switch s {
	case TaskWaiting, TaskHeld, TaskDelayed, TaskRetrying, TaskRunning, TaskExpired, TaskFailed:
		return true
	}
	return false
}
