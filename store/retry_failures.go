package store

import "context"

func (r *front) Failures(ctx context.Context, p FailuresParams) ([]Failure, error) {
	return repeat(ctx, r, "Failures", p.Validate(), func(ctx context.Context) ([]Failure, error) {
		return r.Store.Failures(ctx, p)
	})
}

func (r *front) FailingRuns(ctx context.Context, p FailingRunsParams) ([]FailingRun, error) {
	bad := JoinFields(r.has("Partition", p.Partition), p.Validate())
	return repeat(ctx, r, "FailingRuns", bad, func(ctx context.Context) ([]FailingRun, error) {
		return r.Store.FailingRuns(ctx, p)
	})
}

func (r *front) RedoFailures(ctx context.Context, p RedoParams) (RedoReply, error) {
	bad := JoinFields(r.has("Partition", p.Partition), p.Validate())
	if bad == nil {
		bad = p.Run.validateIn(p.Partition, r.Partitions())
	}
	return repeat(ctx, r, "RedoFailures", bad, func(ctx context.Context) (RedoReply, error) {
		return r.Store.RedoFailures(ctx, p)
	})
}
