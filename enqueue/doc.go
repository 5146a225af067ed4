// Package enqueue turns calls into stored tasks.
//
// An [Item] says what is to be done, and its [Options] say how. It is checked and encoded before
// anything is sent. An [Enqueuer] brings items from outside of handlers into a run that is active.
//
// Callers that enqueue into the same partition at the same moment share one call of the store: while
// a call is in flight, the others gather and go with the next. There is no timer and nothing to
// tune. Every caller returns when its own task is stored, with its own error.
//
// What a running task enqueues through its attempt does not pass through an Enqueuer: it becomes
// visible with the success of the task. See package handlers.
package enqueue
