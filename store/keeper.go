package store

import (
	"context"
	"time"
)

// Keeper does what no single caller waits for. Any process may call it at any
// time; concurrent calls share the work and repeats are harmless.
type Keeper interface {
	// Promote moves delayed tasks that are due to waiting, up to a bound in number and of about [PageBytes], and tells which periodic jobs are due: the
	// caller is expected to fire them ([Schedules]), as for the next [FireClaim] no other call tells of them.
	Promote(ctx context.Context, partition int) (PromoteReply, error)

	// Sweep closes dead sessions and gives back what they held as recovered tasks,
	// removes what stopped and finished runs left behind, seals idle runs and expires summaries: a
	// bounded slice of it. If the store's clock jumped, or nobody swept for a
	// while, it first extends every lease once.
	Sweep(ctx context.Context, partition int) (SweepReply, error)
}

// PromoteReply says what was moved and when the next is due.
type PromoteReply struct {
	Promoted int
	Jobs     []string  // periodic jobs that are due
	Now      time.Time // the store's clock
	Next     time.Time // when the next task or job is due; zero if none is
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
	Purged    int  // runs whose leftovers or summary were removed
	More      bool // there is more to do now
}
