// Package store is the contract between Rollcall and the database that keeps its state. It has the
// interfaces and the records that they exchange.
//
// Users of the library need package syncjob; the [Store] interface is for those who implement a
// store. Validation, attributes, backoff and hooks are above the interface. Atomic changes of state
// are below it: every method that changes something is one atomic step in one partition of the
// store.
//
// # Repeats
//
// Every change may be repeated with the same parameters after an unknown result: a lost reply, a
// timeout, a broken connection. The repeat changes nothing more and returns the same reply (promise
// P10). Each method says how. Enqueue, Fetch, Settle and WriteValues belong to serial streams: the
// caller numbers its calls 1, 2, 3 … and has at most one in progress per stream; the store keeps
// the last number and its reply. [WithRetry] repeats calls.
//
// # Rules for implementers
//
// All methods may be called concurrently, except that one stream (a producer, the fetches of a
// session, the settlements of a session) is serial. Methods block until the result is known or ctx
// ends. An error that matches [ErrUnavailable] means that the result is unknown, or that the store
// refused the call for now. A call whose ctx has ended returns its error and does nothing; a closed
// store answers [ErrClosed] to everything. Parameters and the slices in them belong to the caller:
// a store must not change them, or keep them after the method has returned. What a method returns
// belongs to the caller. The store's own clock decides all deadlines (P14).
//
// A backend does not check parameters. Its constructor returns it wrapped by [Checked], which
// returns a [*FieldError] for each bad field. So all parameters that reach a backend have passed
// the Validate methods of this package: names are valid, partitions exist, numbers are within their
// limits, and a hook is settled with a verdict for hooks.
//
// A call with several parts is atomic, too: its entries, outcomes or writes are checked and applied
// one after another, each to the result of the one before. If the call returns an error, nothing
// was written; errors in a reply are about single parts.
//
// There is one optional interface, [CompleteSignals].
//
// Enumerations have packages of their own: statuses, verdicts, signals, actions and damage. Package
// bounds has the limits of all parameters. Package rules has what every store decides alike, for
// those who write one.
//
// Package storetest holds the conformance suite that any Store must pass. The shortest complete
// Store is package [github.com/rollcall-go/rollcall/internal/filestore], which keeps its state in a
// file: read it first.
package store

import (
	"context"
	"time"
)

// Store is everything that Rollcall needs of a backend. It consists of roles, so that each can be
// read, wrapped and faked on its own.
type Store interface {
	Jobs
	Schedules
	Runs
	TaskChanges
	Producers
	Sessions
	Keeper
	Ledger
	History
	Repairer
	Semaphores
	Limits
	Pauses
	Audit
	Signals
	Values
	Configurations

	// Partitions returns the number of partitions. It never changes for a namespace. All data of a job
	// is in the partition that [PartitionOf] returns.
	Partitions() int

	// Ping makes one round trip to every partition. It returns an error if one does not answer.
	Ping(ctx context.Context) error

	// Close releases what the store opened itself, but nothing that was passed to it. Calls in
	// progress fail with [ErrClosed] or finish. It may be called twice.
	Close() error
}

// CloseTime is how long calls in progress, such as writes and enqueues, may take after Close was
// called.
const CloseTime = 3 * time.Second
