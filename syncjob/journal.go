package syncjob

import (
	"context"
	"log/slog"
	"time"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/internal/recent"
	"github.com/rollcall-go/rollcall/internal/worker"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob/events"
	"github.com/rollcall-go/rollcall/syncjob/observe"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// journal reports events to the log and the observer. If neither wants an event, it costs little:
// for each task, two checks for nil and a check of the log level.
type journal struct {
	log    *slog.Logger
	obs    *observe.Observer
	worker string // "" outside of workers

	told *toldRuns
}

// on returns a journal for a worker.
func (j journal) on(log *slog.Logger, worker string) journal {
	j.log, j.worker = log, worker
	return j
}

// attemptStarted reports an attempt that is about to begin.
func (j *journal) attemptStarted(ctx context.Context, d *store.Delivery, at time.Time) {
	if j.obs.AttemptStarted != nil {
		j.obs.AttemptStarted(ctx, j.attempt(d, at))
	}
	if !guard.Enabled(ctx, j.log, slog.LevelDebug) {
		return
	}
	event := events.TaskStarted
	if !d.Lease.Lane.Route.Counted() {
		event = events.HookStarted
	}
	j.log.LogAttrs(ctx, slog.LevelDebug, event, //nolint:sloglint // one of the constants in events
		attemptAttrs(d, slog.Duration("wait", waited(d, at)))...)
}

// attemptDone reports an attempt that has ended.
func (j *journal) attemptDone(ctx context.Context, d *store.Delivery, out *store.Outcome, began, ended time.Time) {
	if j.obs.AttemptDone != nil {
		e := j.attempt(d, began)
		e.Verdict, e.Took, e.Error = out.Verdict, ended.Sub(began), out.Error
		j.obs.AttemptDone(ctx, e)
	}
	event, level := outcomeEvent(out)
	if !guard.Enabled(ctx, j.log, level) {
		return
	}
	attrs := attemptAttrs(d, slog.Duration("took", ended.Sub(began)))
	switch out.Verdict {
	case verdicts.Retry, verdicts.Snooze:
		attrs = append(attrs, slog.Duration("delay", out.Delay))
	}
	if out.Error != "" {
		attrs = append(attrs, slog.String("error", out.Error))
	}
	j.log.LogAttrs(ctx, level, event, attrs...) //nolint:sloglint // likewise
}

func (j *journal) attempt(d *store.Delivery, began time.Time) observe.Attempt {
	run, route := &d.Lease.Lane.Run, &d.Lease.Lane.Route
	return observe.Attempt{
		Worker: j.worker,
		Job:    run.Job,
		Run:    run.Number,
		Set:    route.Set,
		Kind:   route.Kind,
		Queue:  route.Queue,
		TaskID: d.Task.ID,
		Retry:  d.Task.Retry,
		Wait:   waited(d, began),
	}
}

func attemptAttrs(d *store.Delivery, more slog.Attr) []slog.Attr {
	run, route := &d.Lease.Lane.Run, &d.Lease.Lane.Route
	return append(make([]slog.Attr, 0, 10), // more if the outcome adds some
		slog.String("job", run.Job), slog.Int64("run", run.Number), slog.String("task", d.Task.ID),
		slog.String("kind", route.Kind), slog.String("queue", route.Queue), slog.Int("retry", d.Task.Retry), more)
}

func waited(d *store.Delivery, began time.Time) time.Duration {
	since := d.Task.WaitsSince()
	if since.IsZero() {
		return 0
	}
	return max(0, began.Sub(since))
}

func (j *journal) enqueued(ctx context.Context, run store.RunID, task, kind string, duplicate bool) {
	if guard.Enabled(ctx, j.log, slog.LevelDebug) {
		j.log.LogAttrs(
			ctx, slog.LevelDebug, events.TaskEnqueued, slog.String("job", run.Job), slog.Int64("run", run.Number),
			slog.String("task", task), slog.String("kind", kind), slog.Bool("duplicate", duplicate),
		)
	}
}

func (j *journal) enqueuedAll(ctx context.Context, run store.RunID, tasks, duplicates int) {
	if guard.Enabled(ctx, j.log, slog.LevelDebug) {
		j.log.LogAttrs(
			ctx, slog.LevelDebug, events.TasksEnqueued, slog.String("job", run.Job), slog.Int64("run", run.Number),
			slog.Int("tasks", tasks), slog.Int("duplicates", duplicates),
		)
	}
}

func (j *journal) runStarted(ctx context.Context, id store.RunID, p *store.StartParams) {
	if j.obs.RunStarted != nil {
		j.obs.RunStarted(ctx, observe.Run{Job: id.Job, Run: id.Number, Set: p.Set, RedriveOf: p.RedriveOf})
	}
	if j.obs.Enqueued != nil && p.Root != nil {
		route := &p.Root.Route
		j.obs.Enqueued(ctx, observe.Enqueue{
			Job: id.Job, Run: id.Number, Set: route.Set, Kind: route.Kind, Queue: route.Queue, Tasks: 1,
		})
	}
	if !j.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	attrs := []slog.Attr{slog.String("job", id.Job), slog.Int64("run", id.Number), slog.String("set", p.Set)}
	if p.RedriveOf != 0 {
		attrs = append(attrs, slog.Int64("redrive_of", p.RedriveOf))
	}
	j.log.LogAttrs(ctx, slog.LevelInfo, events.RunStarted, attrs...)
}

func (j *journal) runStopping(ctx context.Context, p store.StopParams) {
	j.log.LogAttrs(
		ctx, slog.LevelInfo, events.RunStopping, slog.String("job", p.Run.Job), slog.Int64("run", p.Run.Number),
		slog.Bool("graceful", p.Graceful), slog.String("reason", p.Reason),
	)
}

// paused logs that a scope was paused.
func (j *journal) paused(ctx context.Context, p store.Pause) {
	j.log.LogAttrs(
		ctx, slog.LevelInfo, events.TasksPaused, slog.String("scope", p.Scope.String()), slog.String("by", p.By),
		slog.String("reason", p.Reason),
	)
}

// resumed logs that the pause of a scope has ended.
func (j *journal) resumed(ctx context.Context, scope store.PauseScope, by string) {
	j.log.LogAttrs(
		ctx, slog.LevelInfo, events.TasksResumed, slog.String("scope", scope.String()), slog.String("by", by),
	)
}

// released logs that an operator ended the leases of a semaphore.
func (j *journal) released(ctx context.Context, key string, leases int, by, reason string) {
	j.log.LogAttrs(
		ctx, slog.LevelWarn, events.SemaphoreReleased, slog.String("semaphore", key), slog.Int("leases", leases),
		slog.String("by", by), slog.String("reason", reason),
	)
}

// tellsRunDone reports whether the log or the observer wants to know of runs that ended, or are
// held. The event costs a read of the run.
func (j *journal) tellsRunDone(ctx context.Context) bool {
	return j.obs.RunDone != nil || j.obs.RunHeld != nil || j.log.Enabled(ctx, slog.LevelInfo)
}

// runDone reports once that a run has ended.
func (j *journal) runDone(ctx context.Context, rec store.RunRecord) {
	if !rec.Status.Final() || !j.first(toldRun{id: rec.ID}) {
		return
	}
	state := runState(rec, time.Now())
	if j.obs.RunDone != nil {
		j.obs.RunDone(ctx, state)
	}
	j.tell(ctx, events.RunFinished, &state)
}

// runHeld reports that a run is held: each time if the store says that a call of this process made
// it so, else unless that was reported.
func (j *journal) runHeld(ctx context.Context, rec store.RunRecord, anew bool) {
	if !rec.Held() || !j.first(toldRun{rec.ID, rec.Counts, rec.Retried, rec.HookError}) && !anew {
		return
	}
	state := runState(rec, time.Now())
	if j.obs.RunHeld != nil {
		j.obs.RunHeld(ctx, state)
	}
	j.tell(ctx, events.RunHeld, &state)
}

// tell logs an event with the state of a run.
func (j *journal) tell(ctx context.Context, event string, state *states.Run) {
	if !j.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	c := &state.Counts
	attrs := []slog.Attr{
		slog.String("job", state.Job), slog.Int64("run", state.Number), slog.String("set", state.Set),
		slog.String("status", string(state.Status)), slog.Int64("total", c.Total), slog.Int64("succeeded", c.Succeeded),
		slog.Int64("failed", c.Failed), slog.Int64("cancelled", c.Cancelled), slog.Int64("retried", state.Retried),
		slog.Duration("elapsed", state.Elapsed),
	}
	for _, said := range []struct{ key, text string }{{"error", state.LastError}, {"hook_error", state.HookErr}, {"reason", state.Reason}} {
		if said.text != "" {
			attrs = append(attrs, slog.String(said.key, said.text))
		}
	}
	j.log.LogAttrs(ctx, slog.LevelInfo, event, attrs...) //nolint:sloglint // one of the constants in events
}

// maxToldRuns is how many runs toldRuns remembers.
const maxToldRuns = 4096

// toldRuns remembers what was reported of runs. The calls that settle the last task and the
// post-job hook may both find that the run has ended.
type toldRuns = recent.Map[toldRun, struct{}]

// toldRun is the end of a run, or with more than its ID that it was held like this.
type toldRun struct {
	id      store.RunID
	counts  store.Counts
	retried int64
	hook    string
}

// first reports whether this was not reported before.
func (j *journal) first(t toldRun) bool {
	_, told := j.told.FindOr(t, func() struct{} { return struct{}{} })
	return !told
}

// ended reports that a run has ended, or is held, if the log or the observer wants to know. It does
// so even if the caller's context ends meanwhile.
func (m *Manager) ended(ctx context.Context, id store.RunID) {
	if m.journal.tellsRunDone(ctx) {
		m.tellEnd(context.WithoutCancel(ctx), id, false)
	}
}

// tellEnd reads the run and reports that it has ended, or is held: see runHeld. If it cannot read
// the run, it reports nothing.
func (m *Manager) tellEnd(ctx context.Context, id store.RunID, anew bool) {
	ctx, cancel := context.WithTimeout(ctx, worker.ReadTime)
	defer cancel()
	if rec, err := m.store.Run(ctx, id); err == nil {
		m.journal.runDone(ctx, rec)
		m.journal.runHeld(ctx, rec, anew)
	}
}

// outcomeEvent returns the event for an outcome.
func outcomeEvent(out *store.Outcome) (event string, level slog.Level) {
	hook := !out.Lease.Lane.Route.Counted()
	level = slog.LevelDebug
	switch out.Verdict {
	case verdicts.Success:
		event = events.TaskSucceeded
	case verdicts.Snooze:
		event = events.TaskSnoozed
	case verdicts.Fail:
		event, level = events.TaskFailed, slog.LevelWarn
	case verdicts.StopRun:
		event = events.TaskCancelled
	case verdicts.Begin:
		event = events.HookPassed
	case verdicts.Skip:
		event = events.HookSkipped
	case verdicts.Abort:
		event, level = events.HookFailed, slog.LevelWarn
	case verdicts.HookDone:
		if event = events.HookPassed; out.Error != "" {
			event, level = events.HookFailed, slog.LevelWarn
		}
	case verdicts.Retry:
		if event = events.TaskRetried; hook {
			event = events.HookRetried
		}
	case verdicts.Cancel, verdicts.Release:
		switch {
		case hook:
			event = events.HookReleased
		case out.Verdict == verdicts.Cancel:
			event = events.TaskCancelled
		default:
			event = events.TaskReleased
		}
	default:
		event = events.TaskLost
	}
	return event, level
}
