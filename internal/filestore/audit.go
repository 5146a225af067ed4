package filestore

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
)

// Audit reads a page of the audit.
func (b *backend) Audit(ctx context.Context, p store.AuditParams) ([]store.AuditLine, error) {
	return read(ctx, b, p, func(s *state, p store.AuditParams) ([]store.AuditLine, error) {
		return store.AuditPage(s.Audit, p), nil
	})
}
