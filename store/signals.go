package store

import "context"

// SignalType says what a signal is about.
type SignalType uint8

// The types of signal.
const (
	SignalWork      SignalType = iota + 1 // a lane of Queue has new work
	SignalRun                             // the state or counts of Run changed
	SignalDue                             // the next due time of Promote is earlier than before
	SignalSemaphore                       // it is the turn of the waiter for Semaphore at Place
	SignalLimit                           // Holder should draw on Limit: there is more for it, or others want what it holds
	SignalPause                           // something was paused or resumed in the partition
	SignalSync                            // signals may have been missed: read everything
	SignalProgress                        // a running task of Run reported progress
	// SignalConfiguration says that a configuration of a set changed; from [CompleteSignals] also that
	// a description did.
	SignalConfiguration
	// SignalJob says that Job was declared, changed, enabled, disabled or removed, or has one run more
	// or less.
	SignalJob
	SignalWorkers // a session of the partition was opened or closed
	SignalWorker  // the worker of Session was given a status
)

// Signal is a hint that something changed. Signals may be lost, late or repeated: they save time,
// but correctness never depends on them. Counts of a run that change within [bounds.SignalEvery] of
// a signal of the run need no signal of their own, unless no task of it is pending or running then.
type Signal struct {
	Type      SignalType
	Partition int
	Queue     string // SignalWork
	Run       int64  // SignalRun and SignalProgress
	Job       string // SignalJob
	Semaphore string // SignalSemaphore: its key
	Place     int64  // SignalSemaphore: of the first in the line
	Limit     string // SignalLimit
	Holder    string // SignalLimit
	Session   string // SignalWorker
}

// Signals tells callers when to read again.
type Signals interface {
	// Subscribe calls fn for every signal of every partition until ctx ends, then returns nil. It
	// calls fn with [SignalSync] when it is connected, and again whenever it may have missed signals.
	// fn must not block. If fn panics, or ends its goroutine, Subscribe returns this as an error, and
	// other subscribers go on. Subscribe reconnects by itself. Any other error means that it gave up.
	Subscribe(ctx context.Context, fn func(Signal)) error
}

// CompleteSignals is an optional interface of a Store. A Store that answers true promises this: it
// signals each change that a caller may wait for, after the change and before the call that made it
// returns; that includes, with [SignalConfiguration], new configurations and descriptions of sets.
// No signal is lost, or [SignalSync] follows. A read after a signal sees the change. So workers
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
