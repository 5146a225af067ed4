package syncjob

import (
	"log/slog"

	"github.com/rollcall-go/rollcall/store"
)

// What [Config.Logger] is told under fixed names. EVENTS.md lists their levels and attributes. At [slog.LevelInfo] ordinary tasks are
// silent: what concerns a single one is told at [slog.LevelDebug], but for tasks that failed for good. Payloads, arguments and
// headers are never told.
const (
	EventRunStarted = "run started"
	EventJobFired   = "periodic job fired" // its run started at a due time
	EventDueSkipped = "due time skipped"   // as its last run was active
	// EventJobNotFired is told once for each definition and reason; [JobState] has the reason.
	EventJobNotFired = "cannot fire a periodic job"
	EventRunStopping = "run stopping" // a stop was accepted
	EventRunFinished = "run finished" // it reached a final state; [Observer.RunDone] says who tells

	EventTaskEnqueued  = "task enqueued"  // from outside of handlers, or by EnqueueNow
	EventTasksEnqueued = "tasks enqueued" // by one EnqueueAll from outside of handlers

	EventTaskStarted   = "task started"
	EventTaskSucceeded = "task succeeded"
	EventTaskRetried   = "task retried" // the attempt failed, and another will follow
	EventTaskSnoozed   = "task snoozed"
	EventTaskFailed    = "task failed"    // for good
	EventTaskCancelled = "task cancelled" // its run is stopped, or it asked for that
	EventTaskReleased  = "task released"  // given back at shutdown
	EventTaskLost      = "task lost"      // with its lease: it is somebody else's by now

	EventHookStarted  = "hook started"
	EventHookPassed   = "hook passed"
	EventHookRetried  = "hook retried"
	EventHookFailed   = "hook failed" // for good
	EventHookSkipped  = "hook skipped its run"
	EventHookReleased = "hook released" // given back at shutdown, or its run was stopped

	EventWorkerStarted  = "worker started"
	EventWorkerStopped  = "worker stopped"
	EventSessionLost    = "session lost"                           // the store took the worker for dead; it begins anew
	EventTasksReclaimed = "tasks reclaimed"                        // from workers that died
	EventHandlerStuck   = "handler ignores the end of its context" // its timeout, too; once for an attempt
	EventPermitsTaken   = "took back the permits of a dead worker" // of [handlers.Attributes].MaxRunning

	EventConfigured              = "configuration in force" // of a set, where it differs from the one before
	EventConfigurationUnreadable = "stored configuration cannot be read; the last good one stays in force"
	// EventRunConfigurationUnreadable is the same of what one run has of its own.
	EventRunConfigurationUnreadable = "stored configuration of a run cannot be read; the last good one stays in force"

	EventRunnerFailed   = "runner failed"   // of a [Scheduler]
	EventObserverFailed = "observer failed" // it panicked, or ended its goroutine
)

// outcomeEvent names what an attempt led to.
func outcomeEvent(out *store.Outcome) (event string, level slog.Level) {
	hook := !out.Lease.Lane.Route.Counted()
	level = slog.LevelDebug
	switch out.Verdict {
	case store.VerdictSuccess:
		event = EventTaskSucceeded
	case store.VerdictSnooze:
		event = EventTaskSnoozed
	case store.VerdictFail:
		event, level = EventTaskFailed, slog.LevelWarn
	case store.VerdictStopRun:
		event = EventTaskCancelled
	case store.VerdictBegin:
		event = EventHookPassed
	case store.VerdictSkip:
		event = EventHookSkipped
	case store.VerdictAbort:
		event, level = EventHookFailed, slog.LevelWarn
	case store.VerdictHookDone:
		if event = EventHookPassed; out.Error != "" {
			event, level = EventHookFailed, slog.LevelWarn
		}
	case store.VerdictRetry:
		if event = EventTaskRetried; hook {
			event = EventHookRetried
		}
	case store.VerdictCancel, store.VerdictRelease:
		switch {
		case hook:
			event = EventHookReleased
		case out.Verdict == store.VerdictCancel:
			event = EventTaskCancelled
		default:
			event = EventTaskReleased
		}
	default:
		event = EventTaskLost
	}
	return event, level
}
