// Package handlers binds Go code to the kinds of task.
//
// A [Set] groups handlers, hooks and [Attributes] under the name that a job refers
// to. [Handle] adds a handler to it by the type of its arguments. A [Registry] is a
// checked collection of sets; a worker runs what is in its registry.
//
// # One attempt
//
// [Registry.Execute] runs one delivery of a task, in this order, outermost first:
//
//	recovery        a panic becomes a failed attempt with its stack
//	  decoding      arguments that do not fit fail the task without retries
//	  propagation   its context carries what that of the enqueue carried
//	  timeout       of the attempt: its context ends
//	    middleware  of the registry ([Registry.With]), then of the set, then of
//	                the kind; within each in the order given
//	      handler
//
// Recovery is outermost, so that middleware may panic too; the timeout is inside
// of recovery and covers the middleware.
//
// Within the handler, an [Attempt.Event] runs between the hooks that the set has for it, [Attempt.Add] adds to a
// [Counter] of the run, [Attempt.Append] to a [List], [Attempt.Put] sets fields of a [Map], and [Attempt.Progress] tells whoever watches the run how far the task is.
//
// # What becomes of it
//
// Nil is success: what the attempt enqueued becomes visible and what it counted and wrote is added with it, all or
// nothing. An error is a failed attempt and is tried again, after the backoff, until
// the retries are used up, unless it is made by [Permanent], [RetryAfter],
// [Snooze] or [CancelJob]. If the context of the attempt was cancelled its cause
// decides what an error means:
//
//	timeout                a failed attempt
//	store.ErrJobStopped    cancelled
//	store.ErrLeaseLost     ignored: the task is somebody else's by now
//	ErrShutdown            given back as it was, free of charge
//
// Success stands in spite of a cancelled context: whether the lease still held
// is decided by the store.
//
// # Hooks
//
// A set can have hooks ([Hooks]). PreJob runs before any task of a run: an error tries it again, [Permanent] fails the
// run, [SkipRun] ends it as skipped. PostJob runs after a run that succeeded or failed, not after one that was stopped
// or skipped. It sees the final counters and can leave a result. If it fails for good, the status of the run stands, and its
// state says so. Hooks are not counted as tasks. Events are hooks of your own: [Attempt.Event] calls a function between the
// hooks before and after it. An error of the one before skips the rest.
//
// # Attributes
//
// What an attempt gets of each attribute is decided in this order; the first that sets it wins:
//
//	task         its own [enqueue.Options]
//	run          what is configured for the one run, or came with its job: of the kind, then of the set
//	stored kind  what is configured for the kind in all runs
//	stored set   what is configured for the set
//	code kind    [KindOptions]: the function, then the value
//	code set     [SetConfig]: likewise
//	default
//
// Code is compiled in; the rest is data: a [Configuration] that an operator changes while everything runs, by
// syncjob's Manager.Configure. It reaches the next attempt; an attempt keeps what it began with. A [Live] holds what is in force, [Registry.Describe]
// tells what a set is, and [SetDescription.Effective] resolves its attributes for those who have no registry.
//
// # Limits
//
// MaxRunning, MaxRunningPerJob and Rate bind what they are written for: those of a set bind all its kinds together, those of a
// kind that one, and both hold. So a kind does not inherit them. Hooks are never counted.
//
// They are enforced when a worker fetches: a task over a limit stays where it waits. It takes no slot and no attempt, and holds up
// nothing else, of whatever kind, run or queue. MaxRunning and Rate hold for all workers of the namespace together; what counts as running
// is what is leased, also what a worker has prefetched or died with. Raising a limit acts within a second, and lowering it as tasks end. All
// workers should have the same limits in their code.
//
// A handler that ignores the end of its context can break MaxRunning: when its worker has lost the lease, or has shut down without it, the task
// is given to another while it still runs.
//
// A limit is for tasks. For a runner that is fired in many processes and shall run in a few at a time use a gate of package semaphore;
// for something that is due at times, once for all processes, a periodic job.
package handlers
