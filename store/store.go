// Package store is the contract between Rollcall and what keeps its state, and
// the records that pass through it.
//
// Users of the library hold the concrete types of package syncjob; the [Store]
// interface is for implementers. Policy (validation, attributes, backoff,
// hooks) lives above it, atomic state changes below it: every mutating method
// is one atomic step in one partition of the store.
//
// # Repeats
//
// Every mutation may be repeated after an unknown result (a lost reply, a
// timeout, a cut connection) with the same parameters, and then changes
// nothing more and answers as the first time did (promise P10). What makes it
// so is said at each method. Those that matter for speed, Enqueue, Fetch and
// Settle, and WriteValues belong to serial streams: the caller numbers its calls 1, 2, 3 … and
// has at most one in flight per stream; the store keeps the last number and its
// reply. [WithRetry] does the repeating.
//
// # Rules for implementers
//
// All methods may be called concurrently, except that one stream (a producer,
// the fetches of a session, the settlements of a session) is serial. Methods
// block until the outcome is known or ctx ends; an error that matches
// [ErrUnavailable] means that the result is unknown or was refused for now.
// Parameters and the slices in them belong to the caller and must not be kept
// or changed after the method returns; what a method returns belongs to the
// caller. All deadlines are decided by the store's own clock (P14).
//
// A backend checks no parameters: its constructor returns what [Checked] makes of it, and that answers bad input
// with a [*FieldError] for each field. So what a backend is given is valid by the Validate methods of this package: names
// are names, partitions are there, numbers are within their bounds, and a hook is settled with a verdict of hooks.
//
// Package storetest holds the conformance suite that any Store must pass.
package store

import (
	"context"
	"time"
)

// Store is everything Rollcall needs of a backend. It is composed of roles so
// that each can be read, wrapped and faked by itself.
type Store interface {
	Jobs
	Schedules
	Runs
	Producers
	Sessions
	Keeper
	Repairer
	Semaphores
	Limits
	Modes
	Signals
	Values
	Configurations

	// Partitions is the number of partitions, fixed for a namespace's life.
	// Everything of one job lives in the partition that [PartitionOf] gives.
	Partitions() int

	// Ping makes one round trip to every partition and fails if one is out of
	// reach.
	Ping(ctx context.Context) error

	// Close releases what the store opened itself, and nothing that was handed
	// to it. Calls in flight fail with [ErrClosed] or finish. It may be called
	// twice.
	Close() error
}

// CloseTime is how long writes, enqueue calls, and what else is in progress may take once who makes them is closed.
const CloseTime = 3 * time.Second
