package worker

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
)

// Host is the process in which an engine works: what the engine asks of it, and what it tells it.
// All methods may be called concurrently. Those that tell are called on the path of the work, so
// they must not block.
type Host interface {
	// Listen has notify called for every signal of the store, until leave is called.
	Listen(notify func(store.Signal)) (leave func())
	// Every is how often to look for what nothing signalled: as often as asked, or rarely where
	// everything is signalled.
	Every(time.Duration) time.Duration
	// Fresh keeps what is configured of the worker's sets in force until ctx ends. It calls changed
	// when it is in force for the first time, and whenever it has changed.
	Fresh(ctx context.Context, changed func())
	// Publish tells whoever has no registry what the sets are that lie in a partition.
	Publish(ctx context.Context, partition int) error
	// Schedules returns what fires the periodic jobs of a partition. It is called once for each,
	// in order, before the engine runs.
	Schedules(partition int, clock *Clock) Schedules
	// Enqueue adds a task of an attempt at once.
	Enqueue(ctx context.Context, run store.RunID, set string, it enqueue.Item) (enqueue.Receipt, error)

	// AttemptStarted is told of each attempt right before it begins.
	AttemptStarted(ctx context.Context, d *store.Delivery, at time.Time)
	// AttemptDone is told of each attempt that has ended, before that is stored.
	AttemptDone(ctx context.Context, d *store.Delivery, out *store.Outcome, began, ended time.Time)
	// Fetched is told of each answer to a fetch.
	Fetched(Fetch)
	// Settled is told of each batch of outcomes that was stored.
	Settled(Settlement)
	// RunsEnded is told of runs that a settlement ended. What takes time about that it returns as a
	// function, which holds up nothing; nil for nothing.
	RunsEnded(ctx context.Context, runs []store.RunID) (tell func(context.Context))
}

// Schedules fires the periodic jobs of a partition.
type Schedules interface {
	// Fire makes of the due time of each job what its schedule says. What fails is told of again.
	Fire(ctx context.Context, jobs []string)
	// Moved is readable when something that due jobs wait for has moved.
	Moved() <-chan struct{}
	// FireWaiting fires the jobs whose wait may be over.
	FireWaiting(ctx context.Context)
	// Notify is told of every signal of the partition. It does not block.
	Notify(store.Signal)
}

// Fetch is one answer to a fetch.
type Fetch struct {
	Partition int
	Tasks     int // that were delivered
	Took      time.Duration
}

// Settlement is one batch of outcomes that was stored.
type Settlement struct {
	Partition int
	Outcomes  int
	Lost      int // of them, since their lease was lost
	Took      time.Duration
}
