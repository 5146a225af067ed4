package store

import (
	"time"

	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// TasksParams ask for a page of the tasks of a run.
type TasksParams struct {
	Run    RunID
	Status statuses.TaskStatus // only those; "" for all
	Queue  string              // only those of the queue; "" for all
	Set    string              // only those of the handler set; "" for all
	Kind   string              // only those of the kind; "" for all
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
	f.add(p.Status != "" && !p.Status.Valid(), "Status", "is unknown")
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
	Status statuses.TaskStatus
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
