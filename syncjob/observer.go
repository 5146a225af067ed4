package syncjob

import (
	"log/slog"
	"time"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

// Observer is told what happens in this process: for metrics. Each function may be nil, and costs nothing then. They are called
// from many goroutines at once, without any lock held, on the path of the work, so they must not block. What they are given is theirs. A panic, or
// the end of the goroutine, is logged under [events.ObserverFailed], and the work goes on. One that blocks is left behind after a
// second, and is told of nothing more until it returns; how much it missed is logged then. AttemptStarted and AttemptDone are a part of
// the attempt: while they block, it lasts, and a shutdown gives them up as it does a handler.
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

// guarded returns an observer that cannot end what it is told of.
func (o *Observer) guarded(log *slog.Logger) Observer {
	return Observer{
		AttemptStarted: inPlace(log, "AttemptStarted", o.AttemptStarted),
		AttemptDone:    inPlace(log, "AttemptDone", o.AttemptDone),
		RunStarted:     apart(log, "RunStarted", o.RunStarted),
		RunDone:        apart(log, "RunDone", o.RunDone),
		Fetched:        apart(log, "Fetched", o.Fetched),
		Settled:        apart(log, "Settled", o.Settled),
		StoreRetry:     apart(log, "StoreRetry", o.StoreRetry),
	}
}

// apart returns a function that calls tell on a goroutine of its own, and logs how it failed; nil for nil.
func apart[E any](log *slog.Logger, name string, tell func(E)) func(E) {
	if tell == nil {
		return nil
	}
	failed := func(err error) { log.Error(events.ObserverFailed, "observer", name, "error", err) }
	patient := &guard.Patient{Late: failed}
	return func(e E) {
		if err := guard.Tell(patient, tell, e); err != nil {
			failed(err)
		}
	}
}

// inPlace is [apart] for what is told of each task: it calls tell on the goroutine of a slot, which survives its end.
func inPlace[E any](log *slog.Logger, name string, tell func(E)) func(E) {
	if tell == nil {
		return nil
	}
	failed := func(err error) { log.Error(events.ObserverFailed, "observer", name, "error", err) }
	return func(e E) {
		err := guard.Call(func() error {
			tell(e)
			return nil
		}, func() { failed(guard.ErrGoexit) })
		if err != nil {
			failed(err)
		}
	}
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
