package syncjob

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/worker"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/observe"
)

// workerHost is what the engine of a worker sees of the manager. It turns the engine's reports into
// log records and calls of the observer.
type workerHost struct {
	m       *Manager
	journal journal
	firings []*firing // by partition
}

func (h *workerHost) Listen(notify func(store.Signal)) (leave func()) { return h.m.hub.Listen(notify) }

func (h *workerHost) Every(d time.Duration) time.Duration { return h.m.hub.Every(d) }

func (h *workerHost) Fresh(ctx context.Context, changed func()) { h.m.sets.Watch(ctx, changed) }

func (h *workerHost) Configurations() map[string]int64 { return h.m.sets.Versions() }

func (h *workerHost) Publish(ctx context.Context, partition int) error {
	return h.m.sets.Publish(ctx, partition)
}

func (h *workerHost) Schedules(partition int, clock *worker.Clock) worker.Schedules {
	f := newFiring(h.m, h.journal, partition, clock)
	h.firings = append(h.firings, f)
	return f
}

func (h *workerHost) Enqueue(
	ctx context.Context, run store.RunID, set string, it enqueue.Item,
) (enqueue.Receipt, error) {
	receipt, err := h.m.enqueuer.Enqueue(ctx, run, set, it)
	if err == nil {
		h.journal.enqueued(ctx, run, receipt.ID, it.Kind(), receipt.Duplicate)
	}
	return receipt, err
}

func (h *workerHost) AttemptStarted(ctx context.Context, d *store.Delivery, at time.Time) {
	h.journal.attemptStarted(ctx, d, at)
}

func (h *workerHost) AttemptDone(ctx context.Context, d *store.Delivery, out *store.Outcome, began, ended time.Time) {
	h.journal.attemptDone(ctx, d, out, began, ended)
}

func (h *workerHost) Fetched(ctx context.Context, f *worker.Fetch) {
	tell := h.journal.obs.Fetched
	if tell == nil {
		return
	}
	var queues map[string]int
	for i := range f.Deliveries {
		if queues == nil {
			queues = make(map[string]int)
		}
		queues[f.Deliveries[i].Lease.Lane.Route.Queue]++
	}
	tell(ctx, observe.Fetch{
		Worker: h.journal.worker, Partition: f.Partition, Tasks: len(f.Deliveries), Queues: queues, Took: f.Took,
	})
}

func (h *workerHost) Settled(ctx context.Context, s *worker.Settlement) {
	tell := h.journal.obs.Settled
	if tell == nil {
		return
	}
	queues := make(map[string]int)
	for i := range s.Outcomes {
		queues[s.Outcomes[i].Lease.Lane.Route.Queue]++
	}
	tell(ctx, observe.Settle{
		Worker: h.journal.worker, Partition: s.Partition, Outcomes: len(s.Outcomes), Queues: queues, Lost: s.Lost, Took: s.Took,
	})
}

func (h *workerHost) Reclaimed(ctx context.Context, partition int, r *store.SweepReply) {
	if tell := h.journal.obs.Reclaimed; tell != nil {
		tell(ctx, observe.Reclaim{
			Worker: h.journal.worker, Partition: partition, Sessions: r.Sessions, Tasks: r.Reclaimed,
		})
	}
}

func (h *workerHost) RunsEnded(ctx context.Context, runs []store.RunID) (tell func(context.Context)) {
	if !h.m.journal.tellsRunDone(ctx) {
		return nil // it costs a read of each run
	}
	return func(ctx context.Context) {
		for _, id := range runs {
			h.m.tellEnd(ctx, id, true)
		}
	}
}
