package worker

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
)

// Host is the process in which an engine works. The engine calls it to ask for something and to
// report something. All methods may be called concurrently. Those that report are called while
// tasks wait, so they must not block.
type Host interface {
	// Listen calls notify for every signal of the store, until leave is called.
	Listen(notify func(store.Signal)) (leave func())
	// Every returns how often to look without a signal: at the given interval, or rarely if the store
	// signals everything.
	Every(time.Duration) time.Duration
	// Fresh keeps the configurations of the worker's sets in force until ctx ends. It calls changed
	// when they are in force for the first time, and after each change.
	Fresh(ctx context.Context, changed func())
	// Configurations returns the versions of the configurations in force, by set.
	Configurations() map[string]int64
	// Publish writes descriptions of the sets that are kept in this partition, for processes without a
	// registry.
	Publish(ctx context.Context, partition int) error
	// Schedules returns the object that fires the periodic jobs of a partition. It is called once for
	// each partition, in order, before the engine runs.
	Schedules(partition int, clock *Clock) Schedules
	// Enqueue adds a task of an attempt at once.
	Enqueue(ctx context.Context, run store.RunID, set string, it enqueue.Item) (enqueue.Receipt, error)

	// AttemptStarted is called for each attempt directly before it begins.
	AttemptStarted(ctx context.Context, d *store.Delivery, at time.Time)
	// AttemptDone is called for each attempt that has ended, before its outcome is stored.
	AttemptDone(ctx context.Context, d *store.Delivery, out *store.Outcome, began, ended time.Time)
	// Fetched is called for each answer to a fetch.
	Fetched(context.Context, *Fetch)
	// Settled is called for each batch of outcomes that was stored.
	Settled(context.Context, *Settlement)
	// Reclaimed is told of what a sweep took back from workers that are dead.
	Reclaimed(ctx context.Context, partition int, r *store.SweepReply)
	// RunsEnded is called for runs that ended when outcomes were stored, or at their times, and for
	// those that outcomes made held. It may return a function for work that takes time; the engine
	// calls it on another goroutine.
	RunsEnded(ctx context.Context, runs []store.RunID) (tell func(context.Context))
}

// Schedules fires the periodic jobs of a partition.
type Schedules interface {
	// Fire fires each due job by its schedule. If a job fails, the store returns it again.
	Fire(ctx context.Context, jobs []string)
	// Moved receives when a run or the mode that due jobs wait for has changed.
	Moved() <-chan struct{}
	// FireWaiting fires the jobs that waited and may be able to start now.
	FireWaiting(ctx context.Context)
	// Notify is called for every signal of the partition. It does not block.
	Notify(store.Signal)
}

// Fetch is one answer to a fetch.
type Fetch struct {
	Partition  int
	Deliveries []store.Delivery
	Took       time.Duration
}

// Settlement is one batch of outcomes that was stored.
type Settlement struct {
	Partition int
	Outcomes  []store.Outcome
	Lost      int // of them, since their lease was lost
	Took      time.Duration
}
