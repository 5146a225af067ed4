// Package verdicts has the results of deliveries, and what a store says that it did: to a due time, a job or a task.
package verdicts

// Verdict is the result of a delivery.
type Verdict uint8

// The verdicts. Those from Begin on are for deliveries of hooks.
const (
	Success  Verdict = iota + 1 // succeeded; its children become visible
	Retry                       // failed, and is tried again after Delay; counts as retried
	Snooze                      // is tried again after Delay; not counted as an attempt
	Fail                        // failed for good
	Cancel                      // ended by a stop or a request, or because it expired
	Release                     // given back unchanged, to the front of its lane, in the order of the leases
	StopRun                     // asks to stop its run; the task itself is cancelled
	Begin                       // the pre-job hook passed: the root task becomes visible
	Skip                        // the pre-job hook skipped the run: it ends as skipped
	Abort                       // the pre-job hook failed for good: the run ends as failed
	HookDone                    // the post-job hook completed, or failed for good with Error: the run ends
)

var names = [...]string{
	"lost", "success", "retry", "snooze", "fail", "cancel", "release", "stop run", "begin", "skip", "abort", "hook done",
}

// String returns the name of the verdict in lower case, for example "success". For zero, which is
// not a verdict, it returns "lost".
func (v Verdict) String() string {
	if int(v) < len(names) {
		return names[v]
	}
	return "unknown"
}

// Cancels reports whether an outcome cancels a task whose cancellation was requested. It is for
// implementers.
func (v Verdict) Cancels() bool {
	return v == Retry || v == Snooze || v == Release
}

// Fire says what FireRun did.
type Fire string

// The verdicts of FireRun.
const (
	FireStarted Fire = "started" // the run was started, by this call or an earlier one
	FireSkipped Fire = "skipped" // a run is active: the due time was skipped
	FireWaiting Fire = "waiting" // a run is active, or the partition is read-only: the due time stays
	FireMoved   Fire = "moved"   // the job is due at another time, or was changed: read it again
	FireEarly   Fire = "early"   // the store's clock has not reached the due time, or has passed all of Next
)

// Ensure says what EnsureJob did.
type Ensure string

// The results of EnsureJob.
const (
	EnsureCreated   Ensure = "created"
	EnsureUpdated   Ensure = "updated"
	EnsureUnchanged Ensure = "unchanged"
	EnsureKept      Ensure = "kept" // a higher revision is stored
)

// Change is what ChangeTask did.
type Change string

// What ChangeTask does.
const (
	ChangeCancelled   Change = "cancelled"   // it will not run, and counts as cancelled
	ChangeRequested   Change = "requested"   // its attempt is the last one
	ChangeRescheduled Change = "rescheduled" // it waits for the new time
	ChangeNotDelayed  Change = "not delayed" // it does not wait for a time; nothing was changed
)
