package states

import (
	"time"
)

// Worker is one live worker.
type Worker struct {
	ID          string        `json:"id"` // random, of its Run: another after a restart
	Name        string        `json:"name"`
	Host        string        `json:"host"`
	PID         int           `json:"pid"`
	Version     string        `json:"version"`     // of its program: see syncjob.WorkerConfig.Version
	Concurrency int           `json:"concurrency"` // its slots: how many handlers it runs at once
	Busy        int           `json:"busy"`        // slots that ran a task or a hook as of the last heartbeat
	Idle        int           `json:"idle"`        // the other slots
	Queues      []string      `json:"queues"`
	Kinds       []string      `json:"kinds"` // "SET/KIND" of the handlers that it has, sorted
	Started     time.Time     `json:"started"`
	Expires     time.Time     `json:"expires"` // when it counts as dead unless a heartbeat comes
	Overdue     bool          `json:"overdue"` // Expires has passed in some partition: it is probably dead
	Held        int           `json:"held"`    // tasks it holds, running and prefetched
	Running     []RunningTask `json:"running"` // as of its last heartbeat
	// Configurations are the versions of the configurations that its sets have in force, as of its
	// last heartbeat: see syncjob.ConfigurationChange.Version. So they tell which workers have not
	// heard of a change, or cannot read it. Sets that were never configured are not among them. A
	// worker tells them soon after its start, and within a second of a change.
	Configurations map[string]int64 `json:"configurations,omitempty"`
	// Status says whether it fetches. If its partitions differ, it is the one that includes the least.
	Status WorkerStatus `json:"status"`
	// Partial is true if its partitions differ, since the last syncjob.WorkerRef.Quiet, Resume or
	// Drain did not reach all of them. Another call makes them alike.
	Partial bool `json:"partial,omitempty"`
}
