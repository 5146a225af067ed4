package states

import (
	"time"
)

// Moment is what happened to a run: one of the constants, which its record tells, or the
// [actions.Action] of somebody.
type Moment string

// The moments that the record of a run tells.
const (
	MomentCreated    Moment = "created"     // it was started: by a call, a schedule, or a redrive
	MomentHookPassed Moment = "hook passed" // its pre-job hook passed
	MomentStarted    Moment = "started"     // its first task was fetched
	MomentStopping   Moment = "stopping"    // it was stopped: by a call, by a task, being idle, or at its deadline
	MomentTasksEnded Moment = "tasks ended" // only its post-job hook was left, which took 1 ms or more
	MomentEnded      Moment = "ended"       // it came to a final status
)

// TimelineEntry says what happened to a run, and when.
type TimelineEntry struct {
	At   time.Time `json:"at"` // by the store's clock, to the millisecond
	What Moment    `json:"what"`
	// Run is the number of the run whose start this is, if it runs failed tasks of this one again;
	// otherwise 0.
	Run int64 `json:"run,omitempty"`
	// Status is the final status, with MomentEnded.
	Status Status `json:"status,omitempty"`
	// Subject is what else it is about; see [actions.Action].
	Subject string `json:"subject,omitempty"`
	// By is who did it; empty if nobody did, or if the audit does not tell.
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"` // as the caller, the handler or the failure said
}
