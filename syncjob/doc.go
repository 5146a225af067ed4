// Package syncjob is what users of Rollcall hold: a [Manager] that starts, stops, lists
// and watches jobs, a [Run] handle on one execution of a job, and a [Worker] that runs
// the tasks.
//
// # A run
//
// [Manager.Start] begins a run of a job with a root task, which fans out into more. The
// run is done exactly when its last task is, and when its post-job hook has completed:
//
//	          pre-job          tasks             post-job
//	starting ---------> running -------> finishing ---------> succeeded, failed
//	   |    \              |
//	   |     `-> skipped,  | Stop
//	   |         failed    v
//	   `--------------> stopping ---------------------------> stopped
//	          Stop               handlers have returned
//
// Without a hook the state that waits for it is passed at once. A Stop while finishing
// gives the hook up. A run with Open set, and one that somebody holds, stays running
// though no task is left. [Run.Wait] and [Run.Watch] follow a run by the store's
// signals, and look for themselves now and then, as signals may be lost. [Run.Explain]
// answers why a run is not done. [Run.Failures] reads what failed, and [Run.Redrive] runs it again.
//
// # What can be seen
//
// RunState.Reporting shows how far long tasks say that they are. [Config.Logger] is told events under fixed names, the constants
// Event…; [Config.Observer] is told what metrics need; [Config.Propagator] carries traces from whoever enqueues a task to its attempts. What
// is not set costs nothing.
//
// # Failed tasks
//
// A run keeps 1,000 failures ([Config].FailureCap): the first 500 and the newest, with arguments, error, stack and worker. It
// keeps them as long as its summary. [Run.Redrive] starts a new run of the job with what failed, or with
// some kinds or IDs of it. Call it again after a crash, from anywhere: it continues, and adds nothing twice. If more
// failed than was kept, it refuses, unless AllowPartial is set.
//
// # Progress
//
// A handler calls Progress to say how far a long task is. This costs no round trip: it travels with the worker's
// heartbeat, about once a second. RunState.Reporting shows at most 64 tasks of a run; [Run.Explain] and [Manager.Workers] show all.
//
// # A worker
//
// A worker keeps one session per partition of the store: a lease on everything it has
// fetched there. Four loops serve it. The fetch loop asks for as much as there is room
// for, when there is reason to believe that there is work: a signal, a time that has
// come, a reply that was not empty, or five seconds of silence. The settle loop reports
// outcomes; those that gather while one call is in flight go with the next. The
// heartbeat loop extends the lease at a third of it, hears which runs were stopped, and
// cancels their handlers. The keep loop moves delayed tasks up when they are due, and
// sweeps up after dead workers when the store asks for it.
//
// How much is prefetched follows from how long handlers and fetches take: nothing for
// long tasks, hundreds for those of microseconds, never more than some 20 ms of work.
// That leaves tasks to other workers, and keeps turns between jobs fair.
//
// When the store says that a session is gone, its handlers' contexts are cancelled with
// cause [ErrLeaseLost], their outcomes are dropped, and a new session begins. A worker
// that hears nothing from the store goes on: only the store's clock decides about
// leases. It repeats calls whose result it does not know, under the same number, for
// as long as that takes.
//
// # Configuration
//
// What tasks are run with (retries, timeout, backoff, limits, parameters …) is in the code of a handler set, and can be changed while everything
// runs: [Manager.Configure] for a set and its kinds, or for one run, [Manager.ResetConfiguration] to go back, [Manager.History] for who did
// what and why. Workers publish their sets when they start, so operators need no registry: [Manager.Sets]. Which of several
// levels wins is stated in package handlers. A change reaches the next attempt of every worker within a second; tasks cost no command more for it.
//
// # Read-only mode
//
// [Manager.SetMode] with [ModeReadOnly] quiets a namespace for maintenance: what runs goes on to its end, and then workers fetch only tasks and hooks of sets with
// RunsInReadOnly. Each fetch asks the store. Periodic jobs of other sets are not fired, nor are runners of a [Scheduler] that are not marked; gates
// obey only with [Manager.Writable] as their predicate. Explain says so.
//
// # Periodic jobs
//
// [Manager.Ensure] declares a job with a [Schedule], and workers fire it: the keep loop of whichever is told first that
// the job is due makes one atomic step of it, which begins the run and moves the due time. None of them leads, so none can be
// missed; of any number that try, one begins the run (P8). Due times are computed from the calendar as they are needed, and
// compared with the store's clock. What [Overlap] says counts while the last run is active, and a paused run is: pausing
// the newest run keeps the schedule, whose due times are skipped, or wait, or replace the paused run. [Run.Stop] ends a run and keeps
// the schedule too; [Manager.Stop] ends both, until [Manager.Enable]. In read-only mode due times stand, and coalesce into one
// when it ends, unless the set is marked as RunsInReadOnly.
//
// A [Scheduler] is something else: it calls functions of this process, by the local clock. A process needs one. Schedulers do not know of
// each other: a runner of the same name in two of them, be it in one process, is run by both, and each sees to overlaps of its own only.
package syncjob
