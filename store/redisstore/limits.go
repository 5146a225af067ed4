package redisstore

import (
	"context"
	"strconv"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// Draw implements [store.Limits].
func (s *Store) Draw(ctx context.Context, p store.DrawParams) (store.DrawReply, error) {
	k := s.space(p.Limit)
	c := script.NewCall(k.Limit(p.Limit))
	c.Add(k.Channel, p.Limit, p.Holder).Int64(p.Number).Add(format.Millis(p.TTL)).Int(p.Max).Int(p.Keep).Int(p.Want)
	c.Int(p.Rate.Events).
		Add(strconv.FormatFloat(p.Rate.Per.Seconds()*1e3, 'g', -1, 64)).
		Int(p.Rate.Burst).
		Int(p.Tokens).
		Int(p.Unused)
	c.Int64(format.Instant(p.Used))
	c.Add(format.Millis(bounds.TokenTTL), format.Millis(bounds.MaxFill))
	word, rest, err := s.server.Word(ctx, script.Draw, c)
	switch {
	case err != nil:
		return store.DrawReply{}, err
	case word == "stale":
		return store.DrawReply{}, store.ErrStale
	case word != "ok" || len(rest) != 8:
		return store.DrawReply{}, script.Unexpected(script.Draw, word)
	}
	silent, err := rest[7].AsStrSlice()
	if err != nil {
		return store.DrawReply{}, script.Unexpected(script.Draw, word)
	}
	reply := store.DrawReply{
		Now: format.ParseMillis(
			script.Text(rest[0]),
		), Held: int(script.Number(rest[1])), Reuse: int(script.Number(rest[2])), Wanted: script.Number(rest[3]) == 1,
		Tokens: int(script.Number(rest[4])), Next: format.ParseMillis(script.Text(rest[6])),
	}
	if reply.Tokens > 0 {
		reply.Until = format.ParseMillis(script.Text(rest[5]))
	}
	for i := 0; i+1 < len(silent); i += 2 {
		n, _ := format.ParseInt(silent[i+1])
		reply.Silent = append(reply.Silent, store.Holding{Holder: strings.Clone(silent[i]), Number: n})
	}
	return reply, nil
}

// Forfeit implements [store.Limits].
func (s *Store) Forfeit(ctx context.Context, limit string, h store.Holding) error {
	k := s.space(limit)
	word, _, err := s.server.Word(
		ctx, script.Forfeit, script.NewCall(k.Limit(limit)).Add(k.Channel, limit, h.Holder).Int64(h.Number),
	)
	if err == nil && word != "ok" {
		err = script.Unexpected(script.Forfeit, word)
	}
	return err
}

// SessionsLeft implements [store.Sessions]. A session stays in leases until all its tasks are given
// back.
func (s *Store) SessionsLeft(ctx context.Context, partition int, prefix string) (int, error) {
	if err := s.server.Begin(ctx); err != nil {
		return 0, err
	}
	all, err := s.client.Do(ctx, s.client.B().Zrange().Key(s.spaces[partition].Leases).Min("0").Max("-1").Build()).
		AsStrSlice()
	if err = script.Empty(s.server.Translate(ctx, "list sessions", err)); err != nil {
		return 0, err
	}
	n := 0
	for _, id := range all {
		if strings.HasPrefix(id, prefix) {
			n++
		}
	}
	return n, nil
}
