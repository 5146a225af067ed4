package states

import (
	"github.com/rollcall-go/rollcall/handlers"
)

// Limit is a limit on the tasks of one kind, or of all kinds of a set together.
type Limit struct {
	Set              string        `json:"set"`
	Kind             string        `json:"kind,omitempty"`                // empty for all kinds of the set together
	MaxRunning       int           `json:"max_running,omitempty"`         // 0 for no limit
	MaxRunningPerJob int           `json:"max_running_per_job,omitempty"` // likewise
	Rate             handlers.Rate `json:"rate,omitzero"`                 // zero for no limit
}
