package store

import (
	"context"
)

func (r *front) Draw(ctx context.Context, p DrawParams) (DrawReply, error) {
	p.clamp()
	bad := p.Validate()
	p.Want = max(p.Want, p.Keep)
	return repeat(ctx, r, "Draw", bad, func(ctx context.Context) (DrawReply, error) {
		return r.Store.Draw(ctx, p)
	})
}

func (r *front) Forfeit(ctx context.Context, limit string, h Holding) error {
	bad := JoinFields(validateLimit(limit), h.Validate())
	return repeatErr(ctx, r, "Forfeit", bad, func(ctx context.Context) error {
		return r.Store.Forfeit(ctx, limit, h)
	})
}

func (r *front) Reconsider(ctx context.Context, partition int, routes []Route) error {
	bad := JoinFields(r.has("Partition", partition), validateRoutes("Routes", routes))
	return repeatErr(ctx, r, "Reconsider", bad, func(ctx context.Context) error {
		return r.Store.Reconsider(ctx, partition, routes)
	})
}

func (r *front) SessionsLeft(ctx context.Context, partition int, prefix string) (int, error) {
	return repeat(ctx, r, "SessionsLeft", r.has("Partition", partition), func(ctx context.Context) (int, error) {
		return r.Store.SessionsLeft(ctx, partition, prefix)
	})
}

func (r *front) Audit(ctx context.Context, p AuditParams) ([]AuditLine, error) {
	bad := JoinFields(r.has("Partition", p.Partition), p.Validate())
	return repeat(ctx, r, "Audit", bad, func(ctx context.Context) ([]AuditLine, error) { return r.Store.Audit(ctx, p) })
}
