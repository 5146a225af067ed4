// Package enqueue turns calls into stored tasks.
//
// An [Item] says what is to be done and under which [Options]. An [Encoder]
// checks it and turns it into the record that a store keeps. An [Enqueuer]
// brings items from outside of handlers into a run that is active.
//
// Callers that enqueue into the same partition at the same moment share one
// call of the store: while one is in flight the others gather, and all that
// gathered goes with the next. There is no timer to wait for and nothing to
// tune, and every caller still returns only when its own task is stored, with
// its own error.
//
// What a running task enqueues through its own attempt does not pass through an
// Enqueuer: it becomes visible with the task's success. See package handlers.
package enqueue
