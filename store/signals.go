package store

import "context"

// SignalType tells what a signal is about.
type SignalType uint8

// The types of signal.
const (
	SignalWork          SignalType = iota + 1 // a lane of Queue got work
	SignalRun                                 // the state or counts of Run moved
	SignalDue                                 // the earliest delayed task moved forward
	SignalSemaphore                           // it is the turn of who waits for Semaphore at Place
	SignalLimit                               // Holder should draw on Limit: there is more for it, or others want what it holds
	SignalMode                                // the mode of the partition was set
	SignalSync                                // signals may have been missed: look at everything
	SignalProgress                            // a running task of Run reported progress
	SignalConfiguration                       // what is configured or published of a set changed; only from [CompleteSignals]
)

// Signal is a hint that something moved. Signals may be lost, late or repeated: they
// make things fast, never right.
type Signal struct {
	Type      SignalType
	Partition int
	Queue     string // SignalWork
	Run       int64  // SignalRun and SignalProgress
	Semaphore string // SignalSemaphore: its key
	Place     int64  // SignalSemaphore: of the first in the line
	Limit     string // SignalLimit
	Holder    string // SignalLimit
}

// Signals tells when to look.
type Signals interface {
	// Subscribe calls fn for every signal of every partition until ctx ends,
	// then returns nil. It calls fn with [SignalSync] once it listens, and again
	// whenever it may have missed some. fn must not block. If it panics, or ends its goroutine, Subscribe returns that
	// as an error, and other subscribers go on. It reconnects by itself; another error
	// means that it gave up.
	Subscribe(ctx context.Context, fn func(Signal)) error
}

// CompleteSignals is an optional power of a [Store]. One that has it, and answers true, signals
// each change that somebody may wait for, with [SignalConfiguration] also a new version of a set's
// configuration and another description of it, after the change and before the call that made it
// returns. No signal is lost unless [SignalSync] follows, and what was changed before a signal is
// seen by whoever reads after it. So workers sleep until they are told, and look by themselves only
// rarely. [WithRetry] passes the power on; a Store that wraps another one and forwards nothing of
// it is polled.
type CompleteSignals interface {
	SignalsAreComplete() bool
}

// SignalsAreComplete reports whether a Store has the power of [CompleteSignals].
func SignalsAreComplete(s Signals) bool {
	complete, ok := s.(CompleteSignals)
	return ok && complete.SignalsAreComplete()
}
