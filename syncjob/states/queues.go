package states

import (
	"time"
)

// Queue is the ledger of one queue, of all jobs. An autoscaler can use it, and it shows a
// queue that no worker serves.
type Queue struct {
	Name string `json:"name"`
	Figures
	// Unserved is true if tasks wait here, or are held, that no live worker can run, or all that
	// can are quiet.
	Unserved bool    `json:"unserved"`
	Routes   []Route `json:"routes"` // sorted by set and kind
}

// Route is the ledger of what a queue has for one handler: for one set and kind.
type Route struct {
	Set  string `json:"set"`
	Kind string `json:"kind"`
	Figures
	Runs     int64 `json:"runs"`     // runs with waiting or held tasks
	Unserved bool  `json:"unserved"` // no live worker that fetches has the queue and the handler
	// Paused are the pauses that cover it, with read-only mode, which has the empty scope. They may
	// not hold back the sets that read-only mode leaves out.
	Paused []Pause `json:"paused,omitempty"`
}

// Figures count tasks, without hooks. Each task that is there is in one of the depths, as
// syncjob.Run.Tasks lists it; one that has expired is counted where it was, until a worker fetches
// it.
//
// The other figures count since the route was first used, and only grow. But Started falls when a
// worker gives back a task that it did not begin, and may when an attempt ends amid a reading;
// Enqueued falls when a child that a task enqueued turns out to be a duplicate. Figures of a route
// are kept while it has waiting tasks, or is among the 10,000 of its partition that had some last.
type Figures struct {
	Waiting  int64     `json:"waiting"`
	Held     int64     `json:"held"`            // paused, or the pre-job hook has not passed
	Delayed  int64     `json:"delayed"`         // until a time
	Retrying int64     `json:"retrying"`        // likewise, after an attempt that failed
	Running  int64     `json:"running"`         // held by workers, running or about to
	Oldest   time.Time `json:"oldest,omitzero"` // since when the first waits; zero if none does

	Enqueued  int64 `json:"enqueued"`  // tasks that were added to runs; a retry of a failed one is none
	Started   int64 `json:"started"`   // attempts that ended in whatever way, and Running
	Succeeded int64 `json:"succeeded"` // tasks
	Failed    int64 `json:"failed"`    // tasks that failed for good
	Retried   int64 `json:"retried"`   // attempts that failed, and are made again
}
