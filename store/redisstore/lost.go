package redisstore

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/rules"
)

// LostSessions implements [store.Sessions].
func (s *Store) LostSessions(ctx context.Context, partition int) ([]store.LostSession, error) {
	k := s.spaces[partition]
	records, now, err := s.withClock(ctx, "list lost sessions", k.Lost,
		s.client.B().Zrange().Key(k.Lost).Min("0").Max("-1").Withscores().Build())
	if err != nil {
		return nil, err
	}
	var lost []store.LostSession
	for _, r := range slices.Backward(records) {
		l, err := format.ParseLost(r.Member, r.Score)
		if err != nil {
			s.config.Logger.ErrorContext(
				ctx, "the record of a lost session cannot be read", "partition", partition, "error", err,
			)
			continue
		}
		lost = append(lost, l)
	}
	return rules.StillLost(lost, now), nil
}
