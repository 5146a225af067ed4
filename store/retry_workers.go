package store

import "context"

func (r *front) SetWorkerStatus(ctx context.Context, p WorkerStatusParams) error {
	p.Worker = validText(p.Worker)
	bad := JoinFields(r.has("Session.Partition", p.Session.Partition), p.Validate())
	return repeatErr(ctx, r, "SetWorkerStatus", bad, func(ctx context.Context) error {
		return r.Store.SetWorkerStatus(ctx, p)
	})
}

func (r *front) LiveSessions(ctx context.Context, partition int) ([]SessionRecord, error) {
	return repeat(
		ctx,
		r,
		"LiveSessions",
		r.has("Partition", partition),
		func(ctx context.Context) ([]SessionRecord, error) {
			return r.Store.LiveSessions(ctx, partition)
		},
	)
}

func (r *front) LostSessions(ctx context.Context, partition int) ([]LostSession, error) {
	bad := r.has("Partition", partition)
	return repeat(ctx, r, "LostSessions", bad, func(ctx context.Context) ([]LostSession, error) {
		return r.Store.LostSessions(ctx, partition)
	})
}
