package states

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// Pause is a pause in force.
type Pause struct {
	Scope  store.PauseScope `json:"scope"`
	By     string           `json:"by"`             // who paused it; see syncjob.WithActor
	Reason string           `json:"reason"`         // from the last call of syncjob.Manager.Pause
	Since  time.Time        `json:"since,omitzero"` // when it was paused first, by the store's clock
	// Lacked are the partitions that answered and do not have the pause: another call of
	// syncjob.Manager.Pause or syncjob.Manager.Resume makes them all alike.
	Lacked []int `json:"lacked,omitempty"`
}
