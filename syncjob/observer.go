package syncjob

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// Observer is told what happens in this process: for metrics. Each function may be nil, and costs nothing then. They are called
// from many goroutines at once, without any lock held, on the path of the work: they must not block or panic. What they are given is theirs.
//
// It sees one process, and a process that dies tells nothing more. For exact accounts read the states of runs.
type Observer struct {
	// AttemptStarted is told of each attempt of a task or hook that begins.
	AttemptStarted func(AttemptEvent)
	// AttemptDone is told of each attempt that has ended, before that is stored.
	AttemptDone func(AttemptEvent)
	// RunStarted is told of each run that a call in this process began, but for one with a key whose reply was lost.
	RunStarted func(RunEvent)
	// RunDone is told of each run that reached a final state by what a worker in this process settled, or by a call in this
	// process that stopped or sealed it; seldom of one in two processes. It costs a read of the run.
	RunDone func(RunState)
	// Fetched is told of each answer to a worker that looked for tasks, also if there were none.
	Fetched func(FetchEvent)
	// Settled is told of each batch of outcomes that was stored.
	Settled func(SettleEvent)
	// StoreRetry is told of each call of the store that failed and will be repeated; Config.Retry.OnRetry is told first.
	StoreRetry func(store.RetryEvent)
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
	// Wait is from when the task was enqueued to the start of the attempt, as far as clocks agree: for the first attempt of a task
	// without a delay how long it waited.
	Wait time.Duration

	// The rest is set for AttemptDone.

	// Verdict is what the attempt leads to. It is zero if the lease was lost.
	Verdict store.Verdict
	Took    time.Duration
	// Error is the text of its failure; empty if there was none.
	Error string
}

// RunEvent is a run that began.
type RunEvent struct {
	Job       string
	Run       int64 // its number
	Set       string
	RedriveOf int64 // number of the run whose failed tasks it runs again; 0 for none
}

// FetchEvent is one fetch.
type FetchEvent struct {
	Worker    string
	Partition int
	Tasks     int // that were delivered
	Took      time.Duration
}

// SettleEvent is one settlement.
type SettleEvent struct {
	Worker    string
	Partition int
	Outcomes  int // in the batch
	Lost      int // of them, since their lease was lost
	Took      time.Duration
}
