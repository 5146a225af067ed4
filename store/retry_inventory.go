package store

import "context"

// The calls that list what there is.

func (r *front) SemaphoreKeys(ctx context.Context, p KeysParams) ([]string, error) {
	bad := JoinFields(r.has("Partition", p.Partition), p.Validate())
	return repeat(ctx, r, "SemaphoreKeys", bad, func(ctx context.Context) ([]string, error) {
		return r.Store.SemaphoreKeys(ctx, p)
	})
}

func (r *front) Limit(ctx context.Context, limit string) (LimitRecord, error) {
	return repeat(ctx, r, "Limit", validateLimit(limit), func(ctx context.Context) (LimitRecord, error) {
		return r.Store.Limit(ctx, limit)
	})
}

func (r *front) badValues(p *ValuesParams) error {
	if bad := JoinFields(r.has("Partition", p.Partition), p.Validate()); bad != nil {
		return bad
	}
	if p.Scope.Of != ScopeNamespace && PartitionOf(p.Scope.Job, r.Partitions()) != p.Partition {
		return &FieldError{Field: "Partition", Reason: "is not that of the job"}
	}
	return nil
}

func (r *front) ListValues(ctx context.Context, p ValuesParams) (ValuesPage, error) {
	return repeat(ctx, r, "ListValues", r.badValues(&p), func(ctx context.Context) (ValuesPage, error) {
		return r.Store.ListValues(ctx, p)
	})
}

func (r *front) ReadHistory(ctx context.Context, p HistoryParams) ([]HistoryPoint, error) {
	bad := JoinFields(r.has("Partition", p.Partition), p.Validate())
	return repeat(ctx, r, "ReadHistory", bad, func(ctx context.Context) ([]HistoryPoint, error) {
		return r.Store.ReadHistory(ctx, p)
	})
}
