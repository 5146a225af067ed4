package observe

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob/states"
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
	Enqueued func(context.Context, Enqueue)
	// AttemptStarted is called when an attempt of a task or hook begins.
	AttemptStarted func(context.Context, Attempt)
	// AttemptDone is called when an attempt has ended, before the outcome is stored.
	AttemptDone func(context.Context, Attempt)
	// RunStarted is called for each run that a call in this process started. It is not called for a
	// run with a key if the reply was lost.
	RunStarted func(context.Context, Run)
	// RunDone is called when a run reached a final state because a worker in this process settled a
	// task, or ended a run that was idle or at its deadline, or a call in this process stopped or
	// sealed it. Rarely, two processes report the same run. It costs a read of the run.
	RunDone func(context.Context, states.Run)
	// RunHeld is called when a run became held, by its failures or by its post-job hook (see
	// [states.Run.Held]), because a worker in this process settled a task, or a call in this process
	// sealed it. It is called each time: also after a retry that failed. Rarely, it is called twice.
	// It costs a read of the run.
	RunHeld func(context.Context, states.Run)
	// Fetched is called after each fetch that the store answered, also if it returned no task.
	Fetched func(context.Context, Fetch)
	// Settled is called after each batch of outcomes that was stored.
	Settled func(context.Context, Settle)
	// Reclaimed is called after a worker in this process recovered the tasks of dead workers.
	Reclaimed func(context.Context, Reclaim)
	// StoreRetry is called when a call of the store failed and will be repeated, after
	// Config.Retry.OnRetry.
	StoreRetry func(store.RetryEvent)
}

// Enqueue reports tasks of one kind that one call of the store added to a run.
type Enqueue struct {
	Job        string
	Run        int64 // its number
	Set        string
	Kind       string
	Queue      string
	Tasks      int // added ones
	Duplicates int // not added, because the run has a task with their ID. Not known for children.
}

// Attempt is one attempt of a task, or of a hook.
type Attempt struct {
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
	Verdict verdicts.Verdict
	Took    time.Duration
	// Error is the text of the error; empty if there was none.
	Error string
}

// Run is a run that started.
type Run struct {
	Job       string
	Run       int64 // its number
	Set       string
	RedriveOf int64 // number of the run whose failed tasks this one runs again; 0 for none
}

// Fetch is one fetch.
type Fetch struct {
	Worker    string
	Partition int
	Tasks     int            // delivered ones
	Queues    map[string]int // how many of each queue; nil if there were none
	Took      time.Duration
}

// Settle is one batch of outcomes that was stored.
type Settle struct {
	Worker    string
	Partition int
	Outcomes  int            // in the batch
	Queues    map[string]int // how many of each queue
	Lost      int            // outcomes that were dropped because their lease was lost
	Took      time.Duration
}

// Reclaim reports what one sweep recovered from dead workers.
type Reclaim struct {
	Worker    string // that made the sweep
	Partition int
	Sessions  int // of the dead workers
	Tasks     int // that they held; they run again
}
