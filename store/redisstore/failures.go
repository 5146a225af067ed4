package redisstore

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// maxOffset is the largest place of an item in a list, or of a failure.
const maxOffset = 1 << 52

// Failures implements [store.Runs].
func (s *Store) Failures(ctx context.Context, p store.FailuresParams) ([]store.Failure, error) {
	if err := s.own(ctx, p.Run); err != nil {
		return nil, err
	}
	k, id := s.space(p.Run.Job), format.RunID(p.Run.Number)
	c := script.NewCall(k.Run(id), k.Dead(id)).Int64(max(-maxOffset, min(p.After, maxOffset)))
	if p.Before == 0 {
		c.Add("inf")
	} else {
		c.Int64(max(-maxOffset, min(p.Before, maxOffset)))
	}
	c.Flag(p.Newest).Int(p.Limit)
	word, rest, err := s.server.Word(ctx, script.ReadFailures, c)
	switch {
	case err != nil:
		return nil, err
	case word == "missing": // what own remembers may have expired
		return nil, store.ErrRunNotFound
	case word != "ok":
		return nil, script.Unexpected(script.ReadFailures, word)
	}
	stored := stringsOf(rest)
	out := make([]store.Failure, 0, len(stored))
	for _, text := range stored {
		f, err := format.DecodeFailure(p.Run, text)
		if err != nil {
			return out, err
		}
		out = append(out, f)
	}
	return out, nil
}

// FailingRuns implements [store.Runs].
func (s *Store) FailingRuns(ctx context.Context, p store.FailingRunsParams) ([]store.FailingRun, error) {
	if err := s.server.Begin(ctx); err != nil {
		return nil, err
	}
	k, b := s.spaces[p.Partition], s.client.B
	newest := "+inf"
	if !p.After.Last.IsZero() {
		newest = strconv.FormatInt(p.After.Last.UnixMilli(), 10)
	}
	var runs []store.FailingRun
	for offset := int64(0); len(runs) == 0; offset += int64(p.Limit) {
		cmd := b().Zrange().Key(k.Failing).Min(newest).Max("-inf").Byscore().Rev().
			Limit(offset, int64(p.Limit)).Withscores().Build()
		page, err := s.client.Do(ctx, cmd).AsZScores()
		if err = script.Empty(s.server.Translate(ctx, "list runs with failures", err)); err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		if runs, err = s.failingRuns(ctx, k, page, p.After); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// failingRuns reads the jobs of runs that keep failures. It leaves out those that are not behind
// the one that is named, and those without a record.
func (s *Store) failingRuns(
	ctx context.Context, k *format.Keyspace, page []rueidis.ZScore, after store.FailingRun,
) ([]store.FailingRun, error) {
	var runs []store.FailingRun
	var cmds rueidis.Commands
	for _, z := range page {
		n, err := format.ParseInt(z.Member)
		f := store.FailingRun{Run: store.RunID{Number: n}, Last: time.UnixMilli(int64(z.Score))}
		if err != nil || !f.Behind(after) {
			continue
		}
		runs = append(runs, f)
		cmds = append(cmds, s.client.B().Hmget().Key(k.Run(z.Member)).Field("job").Build())
	}
	known := runs[:0]
	for i, reply := range s.client.DoMulti(ctx, cmds...) {
		job, err := script.First(reply.ToArray())
		if err = s.server.Translate(ctx, "read a run", err); err != nil && !errors.Is(err, store.ErrCorrupt) {
			return nil, err
		}
		if job != "" {
			runs[i].Run.Job = job
			known = append(known, runs[i])
		}
	}
	return known, nil
}
