package redisstore

import (
	"context"
	"strconv"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// Draw implements [store.Limits].
func (s *Store) Draw(ctx context.Context, p store.DrawParams) (store.DrawReply, error) {
	k := s.space(p.Limit)
	c := script.NewCall(k.limit(p.Limit))
	c.Add(k.channel, p.Limit, p.Holder).Int64(p.Number).Add(formatMillis(p.TTL)).Int(p.Max).Int(p.Keep).Int(p.Want)
	c.Int(p.Rate.Events).Add(strconv.FormatFloat(p.Rate.Per.Seconds()*1e3, 'g', -1, 64)).Int(p.Rate.Burst).Int(p.Tokens).Int(p.Unused)
	c.Int64(instant(p.Used))
	c.Add(formatMillis(store.TokenTTL), formatMillis(store.MaxFill))
	word, rest, err := s.word(ctx, script.Draw, c)
	switch {
	case err != nil:
		return store.DrawReply{}, err
	case word == "stale":
		return store.DrawReply{}, store.ErrStale
	case word != "ok" || len(rest) != 8:
		return store.DrawReply{}, unexpected(script.Draw, word)
	}
	silent, err := rest[7].AsStrSlice()
	if err != nil {
		return store.DrawReply{}, unexpected(script.Draw, word)
	}
	reply := store.DrawReply{
		Now: parseMillis(text(rest[0])), Held: int(number(rest[1])), Reuse: int(number(rest[2])), Wanted: number(rest[3]) == 1,
		Tokens: int(number(rest[4])), Next: parseMillis(text(rest[6])),
	}
	if reply.Tokens > 0 {
		reply.Until = parseMillis(text(rest[5]))
	}
	for i := 0; i+1 < len(silent); i += 2 {
		n, _ := parseInt(silent[i+1])
		reply.Silent = append(reply.Silent, store.Holding{Holder: strings.Clone(silent[i]), Number: n})
	}
	return reply, nil
}

// Forfeit implements [store.Limits].
func (s *Store) Forfeit(ctx context.Context, limit string, h store.Holding) error {
	k := s.space(limit)
	word, _, err := s.word(ctx, script.Forfeit, script.NewCall(k.limit(limit)).Add(k.channel, limit, h.Holder).Int64(h.Number))
	if err == nil && word != "ok" {
		err = unexpected(script.Forfeit, word)
	}
	return err
}

// SessionsLeft implements [store.Sessions]. A session stays in leases until everything it held is given back.
func (s *Store) SessionsLeft(ctx context.Context, partition int, prefix string) (int, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	all, err := s.client.Do(ctx, s.client.B().Zrange().Key(s.spaces[partition].leases).Min("0").Max("-1").Build()).AsStrSlice()
	if err = empty(s.translateNil(ctx, "list sessions", err)); err != nil {
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
