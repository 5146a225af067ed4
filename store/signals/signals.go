// Package signals has the types of signals that a store sends.
package signals

// Type says what a signal is about.
type Type uint8

// The types of signal.
const (
	Work      Type = iota + 1 // a lane of Queue has new work
	Run                       // the state or counts of Run changed
	Due                       // the next due time of Promote is earlier than before
	Semaphore                 // it is the turn of the waiter for Semaphore at Place
	Limit                     // Holder should draw on Limit: there is more for it, or others want what it holds
	Pause                     // something was paused or resumed in the partition
	Sync                      // signals may have been missed: read everything
	Progress                  // a running task of Run reported progress
	// Configuration says that a configuration of a set changed; from a store.CompleteSignals also that
	// a description did.
	Configuration
	// Job says that Job was declared, changed, enabled, disabled or removed, or has one run more
	// or less.
	Job
	Workers // a session of the partition was opened or closed
	Worker  // the worker of Session was given a status
)
