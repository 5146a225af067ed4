package store

import (
	"context"
	"time"
)

// Keeper does the work in the background. Any process may call it at any time. Concurrent calls
// share the work, and repeats are harmless.
type Keeper interface {
	// Promote moves delayed tasks that are due to the waiting ones: a limited number, of about
	// [bounds.PageBytes]. It seals or stops open runs that were left idle for their SealAfter or
	// StopAfter, and stops runs at their Deadline (see [StartParams]): the time is looked at again in
	// the step that does it, so it happens once. If both have passed, the deadline counts. It also
	// returns the periodic jobs that are due. The caller must start them (see [Schedules]): for the
	// next [FireClaim] no other call returns them. If the caller crashes, a later call returns them
	// again.
	Promote(ctx context.Context, partition int) (PromoteReply, error)

	// Sweep cleans up. It closes dead sessions, and their tasks become recovered tasks. It removes
	// what stopped and finished runs left, and deletes expired summaries. Each call does a limited
	// part of this. If the store's clock jumped, or no sweep ran for a while, it first extends every
	// lease once.
	Sweep(ctx context.Context, partition int) (SweepReply, error)
}

// PromoteReply says what was moved, and when the next task or job is due.
type PromoteReply struct {
	Promoted int
	Jobs     []string  // periodic jobs that are due
	Ended    []RunID   // runs that came to a final status, as they were idle or at their deadlines
	Now      time.Time // the store's clock
	Next     time.Time // when the next task, job or end of a run is due; zero if none is
	More     bool      // more are due now
}

// FireClaim is how long a periodic job that Promote returned is not returned to other callers.
// FireRecheck is how often a job that waits for the end of a run is checked again, in case the
// signal was lost.
const (
	FireClaim   = 200 * time.Millisecond
	FireRecheck = 5 * time.Second
)

// SweepReply says what was done.
type SweepReply struct {
	Sessions  int  // dead sessions closed
	Reclaimed int  // deliveries given back
	Purged    int  // runs of which data or the summary were removed
	More      bool // there is more to do now
}
