// Package events has the messages of the log records that a manager and its workers write, so a log
// handler can compare them. EVENTS.md lists their levels and attributes.
package events

// Messages of the records for the Logger of a manager's Config. Records of single tasks have the
// level Debug, except those of tasks that failed for good. Payloads, arguments and headers are
// never logged.
const (
	RunStarted = "run started"
	JobFired   = "periodic job fired" // its run started at a due time
	DueSkipped = "due time skipped"   // because its last run was active
	// JobNotFired is logged once for each definition and reason. The job's state has the reason.
	JobNotFired = "cannot fire a periodic job"
	RunStopping = "run stopping" // a stop was accepted
	RunHeld     = "run held"     // what failed keeps it from its end: see Held of its state
	RunFinished = "run finished" // it reached a final state; RunDone of the Observer says who tells

	TaskEnqueued  = "task enqueued"  // from outside of handlers, or by EnqueueNow
	TasksEnqueued = "tasks enqueued" // by one EnqueueAll from outside of handlers

	TaskStarted   = "task started"
	TaskSucceeded = "task succeeded"
	TaskRetried   = "task retried" // the attempt failed, and another will follow
	TaskSnoozed   = "task snoozed"
	TaskFailed    = "task failed"    // for good
	TaskCancelled = "task cancelled" // its run is stopped, or it asked for that
	TaskExpired   = "task expired"   // it was not begun in time
	TaskReleased  = "task released"  // given back at shutdown
	TaskLost      = "task lost"      // its lease was lost: another worker has it

	HookStarted  = "hook started"
	HookPassed   = "hook passed"
	HookRetried  = "hook retried"
	HookFailed   = "hook failed" // for good
	HookSkipped  = "hook skipped its run"
	HookReleased = "hook released" // given back at shutdown, or its run was stopped

	TasksPaused  = "tasks paused"  // those of a scope; also by read-only mode
	TasksResumed = "tasks resumed" // likewise

	SemaphoreReleased = "semaphore released" // by an operator, before its leases ended

	WorkerStarted  = "worker started"
	WorkerStopped  = "worker stopped"
	WorkerStatus   = "status of a worker changed"             // in a partition: an operator asked for that
	SessionLost    = "session lost"                           // it expired in the store; the worker opens a new one
	TasksReclaimed = "tasks reclaimed"                        // from dead workers
	HandlerStuck   = "handler ignores the end of its context" // its timeout, too; once for an attempt
	PermitsTaken   = "took back the permits of a dead worker" // of the attribute MaxRunning

	Configured              = "configuration in force" // of a set, where it differs from the one before
	ConfigurationUnreadable = "stored configuration cannot be read; the last good one stays in force"
	// RunConfigurationUnreadable is the same for the configuration of one run.
	RunConfigurationUnreadable = "stored configuration of a run cannot be read; the last good one stays in force"

	RunnerFailed   = "runner failed"   // of a scheduler
	ObserverFailed = "observer failed" // it panicked, ended its goroutine, or blocked
)
