package states

import (
	"time"
)

// FailureGroup counts failures with the same kind and error.
type FailureGroup struct {
	Set   string `json:"set"`
	Kind  string `json:"kind"`
	Error string `json:"error"` // in general form: see syncjob.Manager.FailureGroups
	Count int    `json:"count"`
	Runs  int    `json:"runs"` // how many runs they are of
	// First and Last are when the oldest and the newest of them failed.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// Example is the one that was read first, usually the newest.
	Example Failure `json:"example"`
}

// FailureGroups are failures by kind and error.
type FailureGroups struct {
	// Groups are the largest ones, at most 100, the largest first; of equals the one with the newest
	// failure.
	Groups []FailureGroup `json:"groups"`
	// Others is how many failures belong to none of them.
	Others int `json:"others"`
	// Read is how many failures were read and selected: the sum of all groups, and Others.
	Read int `json:"read"`
	// Next is the option After of a call that goes on with older failures. It is empty if all were
	// read.
	Next string `json:"next,omitempty"`
}
