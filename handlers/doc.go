// Package handlers binds Go code to the kinds of task.
//
// A [Set] groups handlers, hooks and [Attributes] under the name that a job refers to. [Handle]
// adds a handler to it, by the type of its arguments. A [Registry] is a checked collection of sets;
// a worker runs what is in its registry.
//
// # One attempt
//
// An attempt runs in this order, outermost first:
//
//	recovery        a panic becomes a failed attempt with its stack
//	  decoding      arguments that do not fit fail the task without retries
//	  propagation   the context carries what that of the enqueue carried
//	  timeout       the context ends
//	    middleware  of the registry ([Registry.With]), then of the set, then of
//	                the kind; within each in the order given
//	      handler
//
// Middleware may panic too, and the timeout covers it. In a handler, [Attempt.Event] runs between
// the hooks that the set has for it, [Counter.Add] adds to a counter, [List.Append] to a list,
// [Map.Set] sets fields of a map, and [Attempt.Progress] says how far the task is.
//
// # What becomes of it
//
// Nil is success: what the attempt enqueued, counted and wrote becomes visible with it, all or
// nothing. An error is a failed attempt. The task is tried again after the backoff, until its
// retries are used up. [Permanent], [RetryAfter], [Snooze] and [CancelJob] make errors that mean
// something else. If the context of the attempt was cancelled, its cause decides what an error
// means:
//
//	timeout                a failed attempt
//	store.ErrJobStopped    cancelled
//	store.ErrLeaseLost     ignored: another worker has the task by now
//	ErrShutdown            given back as it was, without a charge
//
// Success stands although the context was cancelled: the store decides whether the lease still
// held.
//
// # Hooks
//
// A set can have [Hooks]. PreJob runs before any task of a run: an error tries it again,
// [Permanent] fails the run, [SkipRun] ends it as skipped. PostJob runs after a run that succeeded
// or failed, not after one that was stopped or skipped. It sees the final counters and can leave a
// result. If it fails for good, the status of the run stands, and its state has the error. Hooks
// are not counted as tasks. Events are hooks of your own: [Attempt.Event] calls a function between
// the hooks before and after it. An error of the one before skips the rest.
//
// # Attributes
//
// The first of these levels that sets an attribute wins:
//
//	task         its own [enqueue.Options]
//	run          what is configured for the one run, or came with its job: the kind, then the set
//	stored kind  what is configured for the kind in all runs
//	stored set   what is configured for the set
//	code kind    [KindOptions]: the function, then the value
//	code set     [SetConfig]: likewise
//	default
//
// Code is compiled in. The rest is data: a [Configuration], which an operator changes while
// everything runs, by Manager.Configure of package syncjob. It reaches the next attempt; an attempt
// keeps what it began with. [Registry.Describe] says what a set is.
//
// # Limits
//
// MaxRunning, MaxRunningPerJob and Rate hold for what they are set on: those of a set for all its
// kinds together, those of a kind for that kind. Both hold, and a kind does not inherit them. Hooks
// are not counted.
//
// The store enforces limits when a worker fetches. A task over a limit waits. It takes no slot and
// no attempt, and no other task waits behind it. MaxRunning and Rate hold for all workers of the
// namespace together. What counts is what is leased: also what a worker fetched ahead or died with.
// A higher limit acts within a second, a lower one as tasks end. All workers should have the same
// limits in their code.
//
// A handler that ignores the end of its context can exceed MaxRunning: if its worker lost the
// lease, or shut down without it, another worker gets the task while it still runs.
//
// For a function that many processes call and few should run, use a gate of package semaphore. For
// work that is due at certain times, once for all processes, use a periodic job.
package handlers
