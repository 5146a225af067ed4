package states

import (
	"time"
)

// LostWorker is a worker that was not heard from for longer than its lease, so that its tasks were
// given to others: its process was killed, it crashed or stood still, or it could not reach the
// store.
type LostWorker struct {
	Name        string    `json:"name"`
	Host        string    `json:"host"`
	PID         int       `json:"pid"`
	Version     string    `json:"version"`
	Concurrency int       `json:"concurrency"`
	Started     time.Time `json:"started"`
	// Heard is when it started or sent its last heartbeat, by the store's clock; zero if that is no
	// longer known.
	Heard time.Time `json:"heard,omitzero"`
	Ended time.Time `json:"ended"` // when it was given up, by the store's clock
	Held  int       `json:"held"`  // tasks that it held then, running and prefetched
	// Reason says in words why it was given up: "was not heard from for 16.2s".
	Reason string `json:"reason"`
	// Back reports whether it is alive all the same. It is among syncjob.Manager.Workers again, with
	// new leases.
	Back bool `json:"back"`
}
