package filestore

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/rules"
)

// Audit reads a page of the audit.
func (b *backend) Audit(ctx context.Context, p store.AuditParams) ([]store.AuditLine, error) {
	return read(ctx, b, p, func(s *state, p store.AuditParams) ([]store.AuditLine, error) {
		return rules.AuditPage(s.Audit, p), nil
	})
}
