// Package actions has what operations do, as the audit says it.
package actions

// Action is what an operation did.
type Action string

// The actions, each with what it is about. Run and Subject are fields of store.AuditLine; an action
// on a run sets Run.
const (
	Start      Action = "start"      // a run; Subject is the number of RedriveOf
	Enqueue    Action = "enqueue"    // tasks into a run; Subject is the ID of the first
	Stop       Action = "stop"       // a run
	Pause      Action = "pause"      // a run, or the scope that Subject names
	Resume     Action = "resume"     // likewise, or a worker
	Release    Action = "release"    // the hold of a run that Subject names; that of store.HoldOpen seals it
	Accept     Action = "accept"     // the failures of a run, or the end of its post-job hook
	Repeat     Action = "repeat"     // the post-job hook of a run
	Delete     Action = "delete"     // a run, or a job
	Declare    Action = "declare"    // a job, for the first time or with another definition
	Enable     Action = "enable"     // a job
	Disable    Action = "disable"    // a job
	Configure  Action = "configure"  // a run, or the set that Subject names
	End        Action = "end"        // leases of the semaphore that Subject names
	Cancel     Action = "cancel"     // the task of a run that Subject names
	Reschedule Action = "reschedule" // likewise: it is due at another time
	Retry      Action = "retry"      // failures of a run; Subject is the ID of the only task that was selected
	Discard    Action = "discard"    // likewise
	Quiet      Action = "quiet"      // the worker that Subject names; Resume undoes it
	Drain      Action = "drain"      // likewise
	Repair     Action = "repair"     // a run, or what of a job belongs to no run
)

// PauseOrResume is [Pause] or [Resume]. It is for implementers.
func PauseOrResume(pause bool) Action {
	if pause {
		return Pause
	}
	return Resume
}

// EnableOrDisable is [Enable] or [Disable]. It is for implementers.
func EnableOrDisable(enable bool) Action {
	if enable {
		return Enable
	}
	return Disable
}

// Audited is the action of the line of the audit.
func (a Redo) Audited() Action {
	switch a {
	case RedoDiscard:
		return Discard
	case RedoAccept:
		return Accept
	case RedoPostJob:
		return Repeat
	}
	return Retry
}

// Redo is what RedoFailures does.
type Redo string

// The actions of RedoFailures.
const (
	RedoRetry   Redo = "retry"    // the failed tasks that are selected wait again
	RedoDiscard Redo = "discard"  // they count as cancelled
	RedoAccept  Redo = "accept"   // all failures, or the hook that gave up, no longer hold the run
	RedoPostJob Redo = "post-job" // the post-job hook that gave up waits again
)

// Known reports whether it is one of the constants.
func (a Redo) Known() bool { return a.Moves() || a == RedoAccept || a == RedoPostJob }

// Moves reports whether the action moves failures. It is for implementers.
func (a Redo) Moves() bool { return a == RedoRetry || a == RedoDiscard }
