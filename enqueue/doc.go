// Package enqueue turns calls into stored tasks.
//
// An [Item] is a task to run, with its [Options]. It is checked and encoded before anything is
// sent. An [Enqueuer] adds items to an active run from outside of handlers.
//
// Goroutines that enqueue into the same partition share calls of the store: items that arrive
// during one call are sent together in the next. There is no timer and nothing to tune. Each caller
// returns when its own task is stored, or with its own error.
//
// A running task enqueues children through its attempt, not through an Enqueuer. They appear when
// the task succeeds. See package handlers.
package enqueue
