package handlers_test

import (
	"context"
	"slices"
	"sync"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
)

// runtime is a [execute.Runtime] that records.
type runtime struct {
	run    store.RunRecord
	runErr error
	// onStage, if set, decides what a call of Stage returns.
	onStage func(ctx context.Context, s stageCall) error

	mu     sync.Mutex
	stages []stageCall
	now    []enqueue.Item
	meter  *execute.Meter // of the last attempt that reported progress
	told   int            // how often
}

type stageCall struct {
	lease  store.Lease
	route  store.Route
	offset int
	items  []store.Item
}

func (r *runtime) Run(context.Context, store.RunID) (store.RunRecord, error) { return r.run, r.runErr }

func (r *runtime) Stage(ctx context.Context, lease store.Lease, route store.Route, offset int, items []store.Item) error {
	call := stageCall{lease, route, offset, slices.Clone(items)}
	if r.onStage != nil {
		if err := r.onStage(ctx, call); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stages = append(r.stages, call)
	return nil
}

func (r *runtime) Progress(_ store.Lease, m *execute.Meter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.meter = m
	r.told++
}

func (r *runtime) EnqueueNow(_ context.Context, run store.RunID, _ string, it enqueue.Item) (enqueue.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = append(r.now, it)
	return enqueue.Receipt{Run: run, ID: "now"}, nil
}
