package handlerstest

import (
	"context"
	"sync"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// recorder is an [execute.Runtime] that records what an attempt does.
type recorder struct {
	run     store.RunRecord
	enqueue enqueue.Config

	mu     sync.Mutex
	now    []Child
	staged []Child
	report []store.Progress
	events []Event
}

// Run implements [execute.Runtime].
func (r *recorder) Run(context.Context, store.RunID) (store.RunRecord, error) { return r.run, nil }

// Stage implements [execute.Runtime].
func (r *recorder) Stage(_ context.Context, _ store.Lease, _ store.Route, _ int, items []store.Item) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, it := range items {
		r.staged = append(r.staged, Child{Item: it})
	}
	return nil
}

// Progress implements [execute.Runtime].
func (r *recorder) Progress(_ store.Lease, m *execute.Meter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report = append(r.report, m.Read())
}

// EventDone implements [execute.EventWatcher].
func (r *recorder) EventDone(name string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, Event{name, err})
}

// EnqueueNow implements [execute.Runtime].
func (r *recorder) EnqueueNow(
	ctx context.Context, run store.RunID, set string, it enqueue.Item,
) (enqueue.Receipt, error) {
	item, err := enqueue.Encode(ctx, &r.enqueue, set, it)
	if err != nil {
		return enqueue.Receipt{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = append(r.now, Child{Item: item, Now: true})
	return enqueue.Receipt{Run: run, ID: item.Task.ID}, nil
}

// children returns the tasks that the attempt added to the run.
func (r *recorder) children(out store.Outcome) []Child {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.now
	if out.Verdict != verdicts.Success {
		return all
	}
	all = append(all, r.staged...)
	for _, it := range out.Children {
		all = append(all, Child{Item: it})
	}
	return all
}
