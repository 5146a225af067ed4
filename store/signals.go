package store

import (
	"context"

	"github.com/rollcall-go/rollcall/store/signals"
)

// Signal is a hint that something changed. Signals may be lost, late or repeated: they save time,
// but correctness never depends on them. Counts of a run that change within [bounds.SignalEvery] of
// a signal of the run need no signal of their own, unless no task of it is pending or running then.
type Signal struct {
	Type      signals.Type
	Partition int
	Queue     string // signals.Work
	Run       int64  // signals.Run and signals.Progress
	Job       string // signals.Job
	Semaphore string // signals.Semaphore: its key
	Place     int64  // signals.Semaphore: of the first in the line
	Limit     string // signals.Limit
	Holder    string // signals.Limit
	Session   string // signals.Worker
}

// Signals tells callers when to read again.
type Signals interface {
	// Subscribe calls fn for every signal of every partition until ctx ends, then returns nil. It
	// calls fn with [signals.Sync] when it is connected, and again whenever it may have missed signals.
	// fn must not block. If fn panics, or ends its goroutine, Subscribe returns this as an error, and
	// other subscribers go on. Subscribe reconnects by itself. Any other error means that it gave up.
	Subscribe(ctx context.Context, fn func(Signal)) error
}

// CompleteSignals is an optional interface of a Store. A Store that answers true promises this: it
// signals each change that a caller may wait for, after the change and before the call that made it
// returns; that includes, with [signals.Configuration], new configurations and descriptions of sets.
// No signal is lost, or [signals.Sync] follows. A read after a signal sees the change. So workers
// sleep until a signal, and poll only rarely. [WithRetry] keeps this interface. A Store that wraps
// another one and does not forward it is polled.
type CompleteSignals interface {
	SignalsAreComplete() bool
}

// SignalsAreComplete reports whether a Store implements [CompleteSignals] and answers true.
func SignalsAreComplete(s Signals) bool {
	complete, ok := s.(CompleteSignals)
	return ok && complete.SignalsAreComplete()
}
