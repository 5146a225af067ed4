package states

import (
	"time"

	"github.com/rollcall-go/rollcall/store/actions"
)

// AuditEntry says of one operation what it did, when, and who did it.
type AuditEntry struct {
	At     time.Time      `json:"at"` // by the store's clock, to the microsecond
	Action actions.Action `json:"action"`
	Job    string         `json:"job,omitempty"`
	Run    int64          `json:"run,omitempty"` // number of the run; 0 if it is about no run
	// Subject is what else the action is about: see [actions.Action].
	Subject string `json:"subject,omitempty"`
	By      string `json:"by"` // see syncjob.WithActor
	Reason  string `json:"reason,omitempty"`
	// Operation is the same in all entries of one call that made several changes, such as
	// syncjob.Manager.StopAll. It is empty if a call made one.
	Operation string `json:"operation,omitempty"`
	// Cursor is for AuditOptions.After.
	Cursor string `json:"cursor"`
}
