package redisstore

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/repair"
)

// Repair implements [store.Repairer].
func (s *Store) Repair(ctx context.Context, p store.RepairParams) (store.RepairReport, error) {
	return repair.Job(ctx, s.server, s.space(p.Job), p)
}
