package store

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/store/verdicts"
)

// TaskChanges cancels and reschedules single tasks. Each change is one atomic step, which decides
// every race: it finds the task at one place, and whatever moves the task comes before or after.
//
//	where the task is             cancel                          reschedule
//	waits for a time              removed, counted: Cancelled     due at another time: Rescheduled
//	waits for a worker            removed, counted: Cancelled     NotDelayed
//	a session holds it            noted at its lease: Requested   NotDelayed
//	anywhere else, or a hook      not found                       not found
//
// A lease with a request goes on: success, failure and StopRun stand. Retry, snooze, release, and
// the end of the session without an outcome become cancelled. So after Requested no session gets
// the task again, unless the server loses acknowledged writes.
type TaskChanges interface {
	// ChangeTask looks for a task of a run by its ID and changes it, as [TaskChanges] says. It looks
	// where [Runs].Tasks does for this ID, without the failures, at about as many tasks in one call.
	// If it has found nothing yet, Change is empty and Next names where to go on; at the end Next is
	// empty. If several tasks have the ID, it changes the first that it finds. A task that moves on
	// while it is sought may be missed.
	//
	// A run remembers each cancellation by its ID for [bounds.StreamKept]. If the end is reached, and
	// the ID is one of these, the reply has the same Change again. So a repeat is harmless: also if it
	// finds that the task has moved, and if the first call has ended the run. If a rescheduled task
	// has become due meanwhile, a repeat answers [verdicts.ChangeNotDelayed].
	//
	// Errors: [ErrRunNotFound]; a [*FieldError] for a cursor that no page gave.
	ChangeTask(ctx context.Context, p ChangeTaskParams) (ChangeTaskReply, error)
}

// ChangeTaskParams say what becomes of a task.
type ChangeTaskParams struct {
	Run     RunID
	ID      string
	Claimed bool      // only a task that claimed the ID, as [TasksParams] says
	Cancel  bool      // cancel it; otherwise reschedule it
	Due     time.Time // without Cancel: when it may run; zero for now, by the store's clock
	Cursor  string    // Next of the call before; "" for the first call
}

// Validate returns a [*FieldError] for each bad field, joined. Whether a cursor is one only the
// store can tell.
func (p *ChangeTaskParams) Validate() error {
	var f faults
	f.check(p.Run.validate(), "")
	f.check(ValidateTaskID(p.ID), "")
	f.add(p.Cancel && !p.Due.IsZero(), "Due", "is set, but a cancelled task is never due")
	if !p.Due.IsZero() {
		f.check(ValidateTime("Due", p.Due), "")
	}
	return f.err()
}

// ChangeTaskReply says what became of the task.
type ChangeTaskReply struct {
	Change verdicts.Change // "" if it was not found so far
	Next   string          // Cursor of the next call; "" if there is nothing more to look at
}
