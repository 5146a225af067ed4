package redisstore

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// Results implements [store.Runs].
func (s *Store) Results(ctx context.Context, p store.ResultsParams) (store.ResultsReply, error) {
	k, id := s.space(p.Run.Job), format.RunID(p.Run.Number)
	group, place, _ := store.ParseResultCursor(p.After)
	c := script.NewCall(k.Results(id), k.Run(id)).Add(p.Run.Job, p.ID, p.Kind, group).Int64(place).Int(p.Limit)
	word, rest, err := s.server.Word(ctx, script.ReadResults, c)
	switch {
	case err != nil:
		return store.ResultsReply{}, err
	case word == "missing":
		return store.ResultsReply{}, store.ErrRunNotFound
	case word != "ok" || len(rest) < 2:
		return store.ResultsReply{}, script.Unexpected(script.ReadResults, word)
	}
	var reply store.ResultsReply
	if last := script.Text(rest[0]); last != "" {
		reply.Next = last + "/" + script.Text(rest[1])
	}
	for _, m := range rest[2:] {
		f, err := m.ToArray()
		if err != nil || len(f) != 5 {
			return store.ResultsReply{}, script.Unexpected(script.ReadResults, word)
		}
		route, _ := format.ParseRoute("/" + script.Text(f[1]))
		reply.Results = append(reply.Results, store.TaskResult{
			ID: script.Text(f[0]), Set: route.Set, Kind: route.Kind, At: format.ParseMillis(script.Text(f[3])),
			Data: []byte(script.Text(f[4])), Place: script.Number(f[2]),
		})
	}
	return reply, nil
}
