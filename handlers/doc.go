// Package handlers connects kinds of tasks with the Go functions that run them.
//
// A [Set] has a name and groups handlers, hooks and [Attributes]. Each job names its set. [Handle]
// adds the handler for a type of arguments. A [Registry] is a checked collection of sets. A worker
// runs the handlers of its registry.
//
// # One attempt
//
// An attempt runs in this order, outermost first:
//
//	recovery        a panic becomes a failed attempt with its stack
//	  decoding      arguments that do not fit fail the task without retries
//	  propagation   the context gets the values that the caller's context had at the enqueue
//	  timeout       the context ends
//	    middleware  of the registry ([Registry.With]), then of the set, then of
//	                the kind; each in the order given
//	      handler
//
// The recovery and the timeout cover middleware, too. A handler can call [Attempt.Event] to run a
// function between two hooks, [Counter.Add], [List.Append] and [Map.Set] to write values, and
// [Attempt.Progress] to report how far the task is.
//
// # The result of an attempt
//
// A handler that returns nil succeeds. Then everything that the attempt enqueued, counted and wrote
// becomes visible in one step. A handler that returns an error fails the attempt. The task is tried
// again after the backoff, until its retries are used up. [Permanent], [RetryAfter], [Snooze] and
// [CancelJob] make errors with another meaning. If the context of the attempt was cancelled, the
// cause decides what an error means:
//
//	timeout                  a failed attempt
//	store.ErrJobStopped      cancelled; store.ErrRunDeadline matches it
//	store.ErrTaskCancelled   cancelled
//	store.ErrLeaseLost       ignored: another worker has the task
//	ErrShutdown              given back; this is not counted as an attempt
//
// A handler may also return nil after its context was cancelled. The attempt succeeds if the worker
// still has the lease; the store checks this.
//
// # Hooks
//
// A set can have [Hooks]. PreJob runs before the tasks of a run. If it returns an error, it is
// tried again; [Permanent] fails the run, and [SkipRun] ends it as skipped. PostJob runs after the
// last task of a run that succeeded or failed. It does not run if the run was stopped or skipped.
// It can read the final counters and set a result. If it fails for good, the status of the run does
// not change, and the state of the run has the error. Hooks are not counted as tasks. You can also
// define hooks for events of your own: [Attempt.Event] calls the hook before the event, a function,
// and the hook after it. If one of the three returns an error, the next are not called.
//
// # Attributes
//
// The first of these levels that sets an attribute wins:
//
//	task         its own [enqueue.Options]
//	run          configured for this run, also by its job: the kind, then the set
//	stored kind  configured for the kind in all runs
//	stored set   configured for the set in all runs
//	script       the function of the script in force
//	code kind    [KindOptions]: the function, then the value
//	code set     [SetConfig]: the function, then the value
//	default
//
// Attributes in code cannot change while the program runs. The stored levels and that of a run are
// data, a [Configuration]. An operator changes it with Manager.Configure of package syncjob. Later
// attempts use the change; running attempts do not. [Registry.Describe] returns the attributes of a
// set in code.
//
// A stored Configuration can also have a script, if the set has a [Scripting]. The script is code
// that changes without a deploy: it computes attributes, and what else its language offers. It is
// refused if it does not compile. The script of a run takes precedence over that of the set, which
// takes precedence over one in code. Package handlers/script has a language.
//
// # Limits
//
// MaxRunning, MaxRunningPerJob and Rate are limits. The limits of a set are for all its kinds
// together. The limits of a kind are for that kind. Both hold; a kind does not inherit the limits
// of its set. Hooks are not counted.
//
// The store enforces limits when a worker fetches. A task over a limit waits. It takes no slot and
// no attempt, and no other task waits behind it. MaxRunning and Rate hold for all workers of the
// namespace together. MaxRunning counts every leased task, also tasks that a worker fetched ahead,
// and those of a crashed worker until they are recovered. A higher limit takes effect within a
// second, a lower one when tasks end. All workers should have the same limits in their code.
//
// There is one case in which more handlers run than MaxRunning. A handler can ignore the end of its
// context. If its worker then loses the lease or shuts down, another worker gets the task while the
// first handler still runs.
//
// To limit how many processes run a function at the same time, use a gate of package semaphore. For
// work that is due at certain times, once for all processes, use a periodic job.
package handlers
