package store

import (
	"context"
	"time"
)

// Keeper does what no single caller waits for. Any process may call it at any
// time; concurrent calls share the work and repeats are harmless.
type Keeper interface {
	// Promote moves delayed tasks that are due to waiting, up to a bound.
	Promote(ctx context.Context, partition int) (PromoteReply, error)

	// Sweep closes dead sessions and gives back what they held as suspects,
	// removes what stopped and finished runs left behind, seals idle runs and expires summaries: a
	// bounded slice of it. If the store's clock jumped, or nobody swept for a
	// while, it first extends every lease once.
	Sweep(ctx context.Context, partition int) (SweepReply, error)
}

// PromoteReply says what was moved and when the next is due.
type PromoteReply struct {
	Promoted int
	Next     time.Time // zero if none is delayed
	More     bool      // more are due now
}

// SweepReply says what was done.
type SweepReply struct {
	Sessions  int  // dead sessions closed
	Reclaimed int  // deliveries given back
	Purged    int  // runs whose leftovers or summary were removed
	More      bool // there is more to do now
}
