// Package syncjob is what users of Rollcall hold: a [Manager] starts, stops, lists and watches
// jobs, a [Run] is a reference to one execution of a job, and a [Worker] runs the tasks.
//
// # A run
//
// [Manager.Start] begins a run of a job with a root task, which enqueues more tasks. The run is
// done when its last task is, and when its post-job hook has completed:
//
//	          pre-job          tasks             post-job
//	starting ---------> running -------> finishing ---------> succeeded, failed
//	   |    \              |
//	   |     `-> skipped,  | Stop
//	   |         failed    v
//	   `--------------> stopping ---------------------------> stopped
//	          Stop               handlers have returned
//
// A run without a hook passes the state that waits for it at once. A Stop while the run is
// finishing gives the hook up. An open run stays running until it is sealed. [Run.Wait] and
// [Run.Watch] follow a run, [Run.Explain] says why it is not done, [Run.Failures] reads what
// failed, and [Run.Redrive] runs that again.
//
// # What can be seen
//
// [Config].Logger is told events under the fixed names of package events.
// [Config].Observer is told what metrics need. [Config].Propagator carries traces from the caller
// that enqueues a task to its attempts. What is not set costs nothing.
//
// # Failed tasks
//
// A run keeps 1,000 failures ([Config].FailureCap): the first 500 and the newest, with arguments,
// error, stack and worker. It keeps them as long as its summary. [Run.Redrive] starts a new run of
// the job with what failed, or with some kinds or IDs of it. Call it again after a crash, from any
// process: it continues, and adds nothing twice. If more failed than was kept, it refuses, unless
// AllowPartial is set.
//
// # Progress
//
// A handler calls Progress to say how far a long task is. This costs no round trip: it travels with
// the worker's heartbeat, about once a second. RunState.Reporting shows at most 64 tasks of a run;
// [Run.Explain] and [Manager.Workers] show all.
//
// # A worker
//
// A worker has one session per partition of the store: a lease on everything that it fetched
// there. A session has four loops. The fetch loop asks for as many tasks as there is room for, when
// a signal, a due time, or a reply that was not empty says that there is work, and else every five
// seconds. The settle loop reports outcomes; those that gather during a call go with the next. The
// heartbeat loop extends the lease at a third of it, and learns which runs were stopped. The keep
// loop promotes delayed tasks that are due, fires periodic jobs, and cleans up after dead workers.
//
// A worker fetches ahead as much as its handlers can run in some 20 ms, and nothing if they are
// slower. So tasks stay free for other workers, and jobs get their turns.
//
// When the store says that a session is gone, the contexts of its handlers end with the cause
// [ErrLeaseLost], their outcomes are dropped, and a new session begins. A worker that gets no answer
// from the store goes on, and repeats its calls under the same number: only the store's clock
// decides about leases.
//
// # Configuration
//
// Retries, timeouts, limits, parameters and the other attributes of a handler set can change while
// everything runs: [Manager.Configure] changes them for a set, its kinds, or one run,
// [Manager.ResetConfiguration] goes back to the code, and [Manager.History] says who changed what
// and why. Workers publish their sets, so operators need no registry: [Manager.Sets]. Package
// handlers says which level wins. The next attempt of every worker obeys within a second. This
// costs no command per task.
//
// # Read-only mode
//
// [Manager.SetMode] with [ModeReadOnly] prepares a namespace for maintenance. Running tasks end.
// Then workers fetch only tasks of sets with RunsInReadOnly; the same is true for periodic jobs and
// for runners of package cron. Gates obey only with [Manager.Writable] as their predicate.
//
// # Periodic jobs
//
// [Manager.Ensure] declares a job with a [Schedule], and workers fire it. No worker leads. Each due
// time starts at most one run, by the store's clock. [Overlap] says what a due time does while a
// run is active; a paused run is active. [Run.Stop] ends a run and keeps the schedule.
// [Manager.Stop] ends both, until [Manager.Enable]. In read-only mode due times wait, and are
// combined into one when it ends.
//
// Package cron is something else: it calls functions of one process, by its local clock.
// Schedulers do not know of each other.
package syncjob
