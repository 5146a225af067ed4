package redisstore

import (
	"context"
	"strconv"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// Audit implements [store.Audit]. A line that cannot be read is logged, and has only its number.
func (s *Store) Audit(ctx context.Context, p store.AuditParams) ([]store.AuditLine, error) {
	if err := s.server.Begin(ctx); err != nil {
		return nil, err
	}
	k, before := s.spaces[p.Partition], "+inf"
	if p.Before > 0 {
		before = "(" + strconv.FormatInt(p.Before, 10)
	}
	cmd := s.client.B().Zrange().Key(k.Audit).Min(before).Max("-inf").Byscore().Rev().Limit(0, int64(p.Limit)).
		Withscores().Build()
	members, err := s.client.Do(ctx, cmd).AsZScores()
	if err = script.Empty(s.server.Translate(ctx, "read the audit", err, k.Audit)); err != nil {
		return nil, err
	}
	var lines []store.AuditLine
	for _, m := range members {
		l, err := format.ParseAuditLine(m.Member)
		if err != nil {
			s.config.Logger.ErrorContext(ctx, "a line of the audit cannot be read", "partition", p.Partition, "error", err)
			l = store.AuditLine{Number: int64(m.Score)}
		}
		lines = append(lines, l)
	}
	return lines, nil
}
