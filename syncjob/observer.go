package syncjob

import (
	"context"
	"log/slog"
	"time"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

// Observer has callbacks for what happens in this process, for metrics. Each may be nil; then it
// costs nothing. They are called concurrently, without any lock held. The work waits for them, so
// they must not block. They may keep and change their arguments. If one panics or ends its
// goroutine, this is logged as events.ObserverFailed, and the work goes on. If one blocks for a
// second, the work goes on without it: it is not called again until it returns, and then the number
// of missed calls is logged. AttemptStarted and AttemptDone are different. They are part of the
// attempt: while they block, the attempt goes on, and a shutdown treats them like a handler.
//
// An Observer sees one process, and misses events when the process crashes. For exact numbers read
// the states of runs.
type Observer struct {
	// Enqueued is called for each kind of task that a call of the store added to a run: a root task,
	// tasks that this process enqueued, and children of a task that succeeded here. It is not called
	// if the reply was lost.
	Enqueued func(context.Context, EnqueueEvent)
	// AttemptStarted is called when an attempt of a task or hook begins.
	AttemptStarted func(context.Context, AttemptEvent)
	// AttemptDone is called when an attempt has ended, before the outcome is stored.
	AttemptDone func(context.Context, AttemptEvent)
	// RunStarted is called for each run that a call in this process started. It is not called for a
	// run with a key if the reply was lost.
	RunStarted func(context.Context, RunEvent)
	// RunDone is called when a run reached a final state because a worker in this process settled a
	// task, or a call in this process stopped or sealed it. Rarely, two processes report the same
	// run. It costs a read of the run.
	RunDone func(context.Context, RunState)
	// Fetched is called after each fetch that the store answered, also if it returned no task.
	Fetched func(context.Context, FetchEvent)
	// Settled is called after each batch of outcomes that was stored.
	Settled func(context.Context, SettleEvent)
	// Reclaimed is called after a worker in this process recovered the tasks of dead workers.
	Reclaimed func(context.Context, ReclaimEvent)
	// StoreRetry is called when a call of the store failed and will be repeated, after
	// Config.Retry.OnRetry.
	StoreRetry func(store.RetryEvent)
}

// guarded returns an observer that cannot end what it is told of.
func (o *Observer) guarded(log *slog.Logger) Observer {
	return Observer{
		Enqueued:       apart(log, "Enqueued", o.Enqueued),
		AttemptStarted: inPlace(log, "AttemptStarted", o.AttemptStarted),
		AttemptDone:    inPlace(log, "AttemptDone", o.AttemptDone),
		RunStarted:     apart(log, "RunStarted", o.RunStarted),
		RunDone:        apart(log, "RunDone", o.RunDone),
		Fetched:        apart(log, "Fetched", o.Fetched),
		Settled:        apart(log, "Settled", o.Settled),
		Reclaimed:      apart(log, "Reclaimed", o.Reclaimed),
		StoreRetry:     retryApart(log, "StoreRetry", o.StoreRetry),
	}
}

// apart returns a function that calls tell on a goroutine of its own, and logs how it failed; nil
// for nil.
func apart[E any](log *slog.Logger, name string, tell func(context.Context, E)) func(context.Context, E) {
	if tell == nil {
		return nil
	}
	failed := func(err error) { log.Error(events.ObserverFailed, "observer", name, "error", err) }
	patient := &guard.Patient{Late: failed}
	return func(ctx context.Context, e E) {
		if err := guard.Tell(patient, func(e E) { tell(ctx, e) }, e); err != nil {
			failed(err)
		}
	}
}

// retryApart is [apart] for what has no context.
func retryApart(log *slog.Logger, name string, tell func(store.RetryEvent)) func(store.RetryEvent) {
	if tell == nil {
		return nil
	}
	told := apart(log, name, func(_ context.Context, e store.RetryEvent) { tell(e) })
	return func(e store.RetryEvent) { told(context.Background(), e) }
}

// inPlace is [apart] for what is told of each task: it calls tell on the goroutine of a slot, which
// survives its end.
func inPlace[E any](log *slog.Logger, name string, tell func(context.Context, E)) func(context.Context, E) {
	if tell == nil {
		return nil
	}
	failed := func(err error) { log.Error(events.ObserverFailed, "observer", name, "error", err) }
	return func(ctx context.Context, e E) {
		err := guard.Call(func() error {
			tell(ctx, e)
			return nil
		}, func() { failed(guard.ErrGoexit) })
		if err != nil {
			failed(err)
		}
	}
}

// EnqueueEvent reports tasks of one kind that one call of the store added to a run.
type EnqueueEvent struct {
	Job        string
	Run        int64 // its number
	Set        string
	Kind       string
	Queue      string
	Tasks      int // added ones
	Duplicates int // not added, because the run has a task with their ID. Not known for children.
}

// AttemptEvent is one attempt of a task, or of a hook.
type AttemptEvent struct {
	Worker string
	Job    string
	Run    int64 // number of the run
	Set    string
	Kind   string // [store.KindPreJob] and [store.KindPostJob] for hooks
	Queue  string
	TaskID string
	Retry  int // failed attempts before this one
	// Wait is the time from the enqueue of the task to the start of the attempt. It includes delays
	// and earlier attempts. It is exact only as far as the clocks of store and worker agree.
	Wait time.Duration

	// The other fields are set only for AttemptDone.

	// Verdict is the result of the attempt. It is zero if the lease was lost.
	Verdict store.Verdict
	Took    time.Duration
	// Error is the text of the error; empty if there was none.
	Error string
}

// RunEvent is a run that started.
type RunEvent struct {
	Job       string
	Run       int64 // its number
	Set       string
	RedriveOf int64 // number of the run whose failed tasks this one runs again; 0 for none
}

// FetchEvent is one fetch.
type FetchEvent struct {
	Worker    string
	Partition int
	Tasks     int            // delivered ones
	Queues    map[string]int // how many of each queue; nil if there were none
	Took      time.Duration
}

// SettleEvent is one batch of outcomes that was stored.
type SettleEvent struct {
	Worker    string
	Partition int
	Outcomes  int            // in the batch
	Queues    map[string]int // how many of each queue
	Lost      int            // outcomes that were dropped because their lease was lost
	Took      time.Duration
}

// ReclaimEvent reports what one sweep recovered from dead workers.
type ReclaimEvent struct {
	Worker    string // that made the sweep
	Partition int
	Sessions  int // of the dead workers
	Tasks     int // that they held; they run again
}
