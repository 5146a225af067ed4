package store

import (
	"context"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store/bounds"
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
	// A run remembers its last [bounds.CancelsKept] cancellations by ID. If the end is reached, and
	// the ID is one of these, the reply has the same Change again. So a repeat is harmless: also if it
	// finds that the task has moved, and if the first call has ended the run. If a rescheduled task
	// has become due meanwhile, a repeat answers [ChangeNotDelayed].
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
	Change TaskChange // "" if it was not found so far
	Next   string     // Cursor of the next call; "" if there is nothing more to look at
}

// TaskChange is what ChangeTask did.
type TaskChange string

// What ChangeTask does.
const (
	ChangeCancelled   TaskChange = "cancelled"   // it will not run, and counts as cancelled
	ChangeRequested   TaskChange = "requested"   // its attempt is the last one
	ChangeRescheduled TaskChange = "rescheduled" // it waits for the new time
	ChangeNotDelayed  TaskChange = "not delayed" // it does not wait for a time; nothing was changed
)

// Cancellation is what a run remembers of a cancelled task.
type Cancellation struct {
	ID     string
	Change TaskChange // ChangeCancelled or ChangeRequested
}

// KeepCancellation adds a cancellation to those of a run, and drops the oldest if they are too
// many. It is for implementers.
func KeepCancellation(kept []Cancellation, c Cancellation) []Cancellation {
	kept = slices.DeleteFunc(kept, func(k Cancellation) bool { return k.ID == c.ID })
	return append(kept[max(0, len(kept)-bounds.CancelsKept+1):], c)
}

// KeptCancellation is what a run remembers of the cancellation of an ID; "" if nothing. It is for
// implementers.
func KeptCancellation(kept []Cancellation, id string) TaskChange {
	for _, c := range kept {
		if c.ID == id {
			return c.Change
		}
	}
	return ""
}

// Cancels reports whether an outcome cancels a task whose cancellation was requested. It is for
// implementers.
func (v Verdict) Cancels() bool {
	return v == VerdictRetry || v == VerdictSnooze || v == VerdictRelease
}
