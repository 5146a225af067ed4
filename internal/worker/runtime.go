package worker

import (
	"context"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
)

// sessionRuntime is the [execute.Runtime] of the attempts of a session.
type sessionRuntime struct{ s *session }

func (r sessionRuntime) Run(ctx context.Context, id store.RunID) (store.RunRecord, error) {
	return r.s.e.runs.find(ctx, id)
}

func (r sessionRuntime) Stage(
	ctx context.Context, lease store.Lease, route store.Route, offset int, items []store.Item,
) error {
	return r.s.e.store.Stage(ctx, store.StageParams{
		Session: r.s.id, Lease: lease, Route: route, Offset: offset, Items: items,
	})
}

func (r sessionRuntime) Progress(lease store.Lease, m *execute.Meter) { r.s.meters.report(lease, m) }

func (r sessionRuntime) EnqueueNow(
	ctx context.Context, run store.RunID, set string, it enqueue.Item,
) (enqueue.Receipt, error) {
	return r.s.e.host.Enqueue(ctx, run, set, it)
}
