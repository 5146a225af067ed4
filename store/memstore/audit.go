package memstore

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/rules"
)

// Audit reads a page of the audit of a partition.
func (s *backend) Audit(ctx context.Context, p store.AuditParams) ([]store.AuditLine, error) {
	part, err := s.at(ctx, p.Partition)
	if err != nil {
		return nil, err
	}
	defer part.unlock()
	return rules.AuditPage(part.audit, p), nil
}
