package redisstore

import (
	"context"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// LostSessions implements [store.Sessions]. Its two reads share a round trip.
func (s *Store) LostSessions(ctx context.Context, partition int) ([]store.LostSession, error) {
	if err := s.server.Begin(ctx); err != nil {
		return nil, err
	}
	k := s.spaces[partition]
	b := s.client.B
	replies := s.client.DoMulti(ctx,
		b().Zrange().Key(k.Lost).Min("0").Max("-1").Withscores().Build(),
		b().Time().Build(), // of any node of a cluster: no decision depends on it
	)
	records, err := replies[0].AsZScores()
	if err = script.Empty(s.server.Translate(ctx, "list lost sessions", err, k.Lost)); err != nil {
		return nil, err
	}
	clock, err := replies[1].AsStrSlice()
	if err != nil || len(clock) != 2 {
		return nil, s.server.Translate(ctx, "read the clock", err)
	}
	seconds, _ := format.ParseInt(clock[0])
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
	return store.StillLost(lost, time.Unix(seconds, 0)), nil
}
