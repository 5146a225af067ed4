package store

import (
	"time"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// TaskStatus says where a task is that has not succeeded and was not cancelled.
type TaskStatus string

// Where tasks are. Each is one of the [Counts]: waiting and held tasks are Pending, delayed and
// retrying ones Delayed. An expired task is Pending or Delayed until a worker fetches it, which
// counts it as Cancelled.
const (
	TaskWaiting  TaskStatus = "waiting"  // a worker may fetch it
	TaskHeld     TaskStatus = "held"     // it, or its run, is paused, or the pre-job hook has not passed
	TaskDelayed  TaskStatus = "delayed"  // waits for a time: it was enqueued so, or snoozed
	TaskRetrying TaskStatus = "retrying" // waits for a time, after an attempt that failed
	TaskRunning  TaskStatus = "running"  // a worker has it, and runs it or is about to
	TaskExpired  TaskStatus = "expired"  // waits, but it is too late to begin it; see [Task.Expired]
	TaskFailed   TaskStatus = "failed"   // for good; see [Failure]
)

// valid reports whether it is one of the constants.
func (s TaskStatus) valid() bool {
	switch s {
	case TaskWaiting, TaskHeld, TaskDelayed, TaskRetrying, TaskRunning, TaskExpired, TaskFailed:
		return true
	}
	return false
}

// TasksParams ask for a page of the tasks of a run.
type TasksParams struct {
	Run    RunID
	Status TaskStatus // only those; "" for all
	Queue  string     // only those of the queue; "" for all
	Set    string     // only those of the handler set; "" for all
	Kind   string     // only those of the kind; "" for all
	// ID asks for one task: the listing ends with the first one that has it, and may begin where that
	// most likely is. "" for all.
	ID string
	// Claimed asks only for a task that claimed its ID; see [Task.Claimed]. If no task claims it, a
	// store need not look at those that wait.
	Claimed bool
	// Payload asks for the payloads; without it, they are nil.
	Payload bool
	Cursor  string // Next of the page before, or the Cursor of a record; "" for the first page
	Limit   int    // at most so many tasks are looked at; 1 to [bounds.MaxPage]
}

// Validate returns a [*FieldError] for each bad field, joined. Whether a cursor is one only the
// store can tell.
func (p *TasksParams) Validate() error {
	var f faults
	f.check(p.Run.validate(), "")
	f.add(p.Status != "" && !p.Status.valid(), "Status", "is unknown")
	for _, name := range []struct{ field, name string }{{"Queue", p.Queue}, {"Set", p.Set}, {"Kind", p.Kind}} {
		if name.name != "" {
			f.name(name.field, name.name)
		}
	}
	if p.ID != "" {
		f.check(ValidateTaskID(p.ID), "")
	}
	f.add(p.Claimed && p.ID == "", "Claimed", "is set without an ID")
	f.check(within("Limit", p.Limit, 1, bounds.MaxPage), "")
	return f.err()
}

// TasksReply is a page of tasks.
type TasksReply struct {
	Tasks []TaskRecord
	Next  string // Cursor of the next page; "" at the end
}

// TaskRecord is what is stored of one task.
type TaskRecord struct {
	Route  Route
	Status TaskStatus
	Task   Task
	// Since is when the attempt of a running task began, as of the last heartbeat of its worker; zero
	// if that did not name it yet. Of a failed task it is when it failed; otherwise it is zero.
	Since    time.Time
	Due      time.Time // of a task that waits for a time: when it may run
	Worker   string    // of a running or failed task; "" if that is not known
	Progress Progress  // of a running task, as of the last heartbeat
	Error    string    // of a failed task
	Cursor   string    // of the page that begins behind this task
}
