// Package syncjob starts jobs and runs them. A [Manager] starts, stops, lists and watches jobs. A
// [Run] is a reference to one execution of a job. A [Worker] runs the tasks.
//
// # A run
//
// [Manager.Start] begins a run of a job with a root task, which enqueues more tasks. The run is
// done when its last task has ended and its post-job hook has completed:
//
//	          pre-job          tasks             post-job
//	starting ---------> running -------> finishing ---------> succeeded, failed
//	   |    \              |
//	   |     `-> skipped,  | Stop
//	   |         failed    v
//	   `--------------> stopping ---------------------------> stopped
//	          Stop               handlers have returned
//
// Without a pre-job hook, a run leaves the state starting at once; without a post-job hook, it
// leaves finishing at once. If a run is stopped while it is finishing, its hook is cancelled. An
// open run stays running until it is sealed. [Run.Wait] and [Run.Watch] follow a run. [Run.Explain]
// says why it is not done. [Run.Tasks] lists its tasks, [Run.Failures] reads its failed tasks, and
// [Run.Retry] or, after its end, [Run.Redrive] runs them again.
//
// # Logs, metrics and traces
//
// Config.Logger gets log records; package events names them. Config.Observer gets callbacks for
// metrics. Config.Propagator carries traces from the caller that enqueues a task to the task's
// attempts. Each costs nothing if it is not set.
//
// # Failed tasks
//
// A run keeps up to 1,000 failures (Config.FailureCap): half of them are the first failures, half
// are the newest. Each has arguments, error, stack and worker. The run keeps them as long as its
// summary. [Manager.Failures] reads those of all jobs, and [Manager.FailureGroups] counts them by
// kind and error. While a run is active, [Run.Retry] has them wait again in it, and [Run.Discard]
// gives them up. With [Job.OnFailure] a run with failures is held for that, and does not end before
// they are retried, discarded or accepted ([Run.Accept]). [Run.Redrive] starts a new run of the job
// with the failed tasks, or with those of some kinds or IDs. After a crash, call it again from any
// process: it continues, and adds no task twice. If more tasks failed than were kept, it returns an
// error, unless AllowPartial is set.
//
// # Tasks
//
// [Run.Tasks] lists the tasks of a run that wait, run or have failed. [TaskRef.State] finds one:
// where it is, its last attempts, and when it is tried next. A task carries its last five attempts
// that did not succeed. Nothing is stored of a task that has succeeded. [TaskRef.Cancel] cancels a
// task, wherever it waits or runs. [TaskRef.RunNow] and [TaskRef.Reschedule] change when a task is
// due that waits for a time.
//
// # Progress
//
// A handler calls Progress to report how far a long task is. This costs no round trip: the worker
// sends it with its heartbeat, about once a second. states.Run.Reporting shows at most 64 tasks of
// a run. [Run.Explain] and [Manager.Workers] show all.
//
// # A worker
//
// A worker has one session per partition of the store: a lease on everything that it fetched there.
// A session has four loops. The fetch loop asks for as many tasks as there is room for. It asks
// when a signal or a due time says that there is work, after a reply that had tasks, and otherwise
// every five seconds. The settle loop reports outcomes; those that arrive during one call are sent
// in the next. The heartbeat loop extends the lease after each third of its length, and learns
// which runs were stopped. The keep loop moves delayed tasks that are due to their queues, starts
// periodic jobs, and recovers the tasks of dead workers.
//
// A worker fetches ahead only what its handlers can run in about 20 ms, and nothing if they are
// slower. So other tasks stay free for other workers, and every job gets its share.
//
// When the store says that a session has expired, the contexts of its handlers end with the cause
// [ErrLeaseLost], their outcomes are dropped, and a new session begins. When the store does not
// answer, the worker continues and repeats its calls under the same number: only the store's clock
// decides when a lease ends.
//
// # Configuration
//
// Retries, timeouts, limits, parameters and the other attributes of a handler set can change
// without a restart. [Manager.Configure] changes them for a set, its kinds, or one run.
// [Manager.ResetConfiguration] goes back to the values in code. [Manager.History] says who changed
// what and why. Workers publish their sets, so operators need no registry: see [Manager.Sets].
// Package handlers says which level takes precedence. Attempts that start more than a second after
// a change use it. This costs no command per task.
//
// # Pauses and read-only mode
//
// [Manager.Pause] holds back the tasks and hooks of a queue or of a handler set, or the tasks of a
// kind, in all processes, until [Manager.Resume]. [Manager.Pauses] lists the pauses: since when, by
// whom and why. [Run.Pause] holds back one run. [Run.Explain] names everything that keeps a task
// from starting.
//
// [Manager.SetMode] with [ModeReadOnly] prepares a namespace for maintenance. Running tasks go on
// to their end. Workers fetch only tasks of sets with RunsInReadOnly. Periodic jobs start only for
// such sets, and package cron calls only runners with RunsInReadOnly. A gate obeys the mode only if
// its CanRun is [Manager.Writable].
//
// # Many jobs at once
//
// [Manager.StopAll], [Manager.EnableAll], [Manager.PauseAll], [Manager.ResumeAll],
// [Manager.RetryAll] and [Manager.DiscardAll] do to all jobs that a filter selects what the calls on
// one job do, one job after another. The filter is that of [Manager.Jobs]; everything must be asked
// for in words. A dry run says what a call would do. A call may be cancelled, and repeated.
//
// # Semaphores, limits and values
//
// [Manager.Semaphores] lists who holds and who waits for semaphores, [Manager.Limits] who uses the
// limits on sets and kinds, and [Manager.ListValues] which values there are.
// [Manager.ReleaseSemaphores] ends the leases of all semaphores with a prefix.
//
// # Periodic jobs
//
// [Manager.Ensure] declares a job with a [schedule.Schedule], and workers fire it. No worker leads.
// Each due time starts at most one run, by the store's clock. Overlap says what happens if a run is
// still active at a due time; a paused run is active. [Run.Stop] stops a run and keeps the
// schedule. [Manager.Stop] stops both, until [Manager.Enable]. In read-only mode due times wait;
// when the mode ends they start one run together.
//
// Package cron is different: it calls functions in one process, by the local clock. The schedulers
// of several processes are independent.
package syncjob
