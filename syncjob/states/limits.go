package states

import (
	"time"
)

// LimitUse is a limit that is in force, and who uses it.
type LimitUse struct {
	Limit
	// Held is how many of MaxRunning workers hold for tasks, in all processes together. It may be more
	// than MaxRunning for a while after that was lowered.
	Held int `json:"held"`
	// Users are the workers that hold or want permits, or have tokens of the rate: first those that
	// wait, in their order.
	Users []LimitUser `json:"users"`
}

// LimitUser is a worker that uses a limit.
type LimitUser struct {
	// Worker is its name; empty if none of its sessions is left, or the partitions that have them do
	// not answer.
	Worker string `json:"worker"`
	Held   int    `json:"held"` // permits: one for each task that it has leased, and some for the next ones
	Want   int    `json:"want"` // permits that it could use now, with those that it holds
	// Since is when it began to want more than it holds; zero if it does not. Workers that wait get
	// permits in this order.
	Since  time.Time `json:"since,omitzero"`
	Tokens int       `json:"tokens"` // starts that the rate has granted it for the next moment
	// Silent reports that it has not reported for its lease: it is probably dead. Its permits go to
	// others once its tasks were given back.
	Silent bool `json:"silent"`
}
