package store

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/store/verdicts"
)

// QueueRecord is the ledger of one route in one partition. Hooks are not in it.
type QueueRecord struct {
	Route Route

	// How many tasks there are now. Each is where [Runs.Tasks] lists it; see [statuses.TaskStatus]. One that
	// has expired is counted where it was, until a worker fetches it.
	Waiting  int64
	Held     int64
	Delayed  int64
	Retrying int64
	Running  int64     // leased by sessions
	Runs     int64     // runs with waiting or held tasks
	Oldest   time.Time // since when the first task of any of their lanes waits; zero if there is none

	// How many there were since the store first heard of the route. A failed task that is retried by
	// RedoFailures is not enqueued again, and stays in Failed.
	Enqueued  int64 // tasks added to a run: its root, from outside, or by a task that succeeded
	Started   int64 // attempts: those that ended, in whatever way, and Running
	Succeeded int64 // attempts that succeeded, and so tasks
	Failed    int64 // likewise those that failed for good
	Retried   int64 // attempts that failed, and are made again
}

// Figures are what a store keeps for the lower half of a [QueueRecord]. It is for implementers.
type Figures struct {
	Enqueued, Succeeded, Failed, Retried int64

	// Other attempts ended in another way: snoozed, cancelled, stopping their run, or with their
	// session. One that was released was none.
	Other int64
}

// Enter adds figures to the record, once Running is set.
func (q *QueueRecord) Enter(f Figures) {
	q.Enqueued, q.Succeeded, q.Failed, q.Retried = f.Enqueued, f.Succeeded, f.Failed, f.Retried
	q.Started = f.Succeeded + f.Failed + f.Retried + f.Other + q.Running
}

// Attempted counts an attempt that ended with a verdict. cancels says that its run is
// stopping, or that its cancellation was requested: then it is not made again.
func (f *Figures) Attempted(v verdicts.Verdict, cancels bool) {
	switch {
	case v == verdicts.Release:
	case v == verdicts.Success:
		f.Succeeded++
	case v == verdicts.Fail:
		f.Failed++
	case v == verdicts.Retry && !cancels:
		f.Retried++
	default:
		f.Other++
	}
}

// Ledger says how much there is to do, and what was done.
type Ledger interface {
	// QueueStats reads the ledger of a partition: a record for each route that has tasks or figures,
	// in no order.
	//
	// Depths are read where the tasks are, in several steps. While nothing moves they are exact: they
	// are the sums over Tasks of all runs. A task that moves meanwhile may be missing, or be counted
	// twice. Oldest may leave out lanes with long messages.
	//
	// Figures change in the same step as the counts of the run, so each attempt is counted once,
	// whatever happens to replies. They only grow, with two exceptions. Enqueued may fall when a
	// staged child turns out to be a duplicate, since it was counted with its parent. Started is the
	// sum of what is kept and of Running, so it may fall when a release takes back an attempt, or when
	// an attempt ends between two steps of a reading. A repair that fails tasks which are nowhere does
	// not say of which route they were.
	//
	// A route without waiting tasks keeps its figures while it is among the [bounds.MaxIdleRoutes] of
	// its partition that had some last. Then they are forgotten, and begin at 0 if it is used again.
	//
	// The time grows with the number of lanes that have tasks, not with the number of tasks.
	QueueStats(ctx context.Context, partition int) ([]QueueRecord, error)
}
