package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// OpenProducer implements [store.Producers].
func (s *Store) OpenProducer(ctx context.Context, partition int, stream string) error {
	c := script.NewCall(s.spaces[partition].Producer(stream)).Add(format.Millis(bounds.StreamKept))
	word, _, err := s.server.Word(ctx, script.OpenProducer, c)
	if err == nil && word != "ok" {
		err = script.Unexpected(script.OpenProducer, word)
	}
	return err
}

// CloseProducer implements [store.Producers].
func (s *Store) CloseProducer(ctx context.Context, partition int, stream string) error {
	if err := s.server.Begin(ctx); err != nil {
		return err
	}
	cmd := s.client.B().Unlink().Key(s.spaces[partition].Producer(stream)).Build()
	return s.server.Translate(ctx, "close a producer", s.client.Do(ctx, cmd).Error())
}

// Enqueue implements [store.Producers].
func (s *Store) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	k := s.spaces[p.Partition]
	number, err := s.numbers(ctx, k, func(see func(store.RunID)) {
		for i := range p.Holds {
			see(p.Holds[i].Run)
		}
		for i := range p.Entries {
			see(p.Entries[i].Run)
		}
	})
	if err != nil {
		return store.EnqueueReply{}, err
	}
	e := enqueueing{
		batch: newBatch(s, k), holds: p.Holds, entries: p.Entries, number: number, runs: make(map[int64]int),
		more: len(p.Holds) > 0 || p.Audit != nil,
	}
	e.Keys = append(e.Keys, k.Producer(p.Stream), k.Clock, k.Due, k.Routes, k.Ledger)
	e.Add(k.Channel).Int64(p.Number).Add(format.Millis(bounds.StreamKept)).Flag(e.more)
	if e.more {
		e.Keys = append(e.Keys, k.Hist, k.Trash, k.Index)
		e.packAudit(p.Audit)
	}
	if err := e.packRuns(ctx, s); err != nil {
		return store.EnqueueReply{}, err
	}
	if p.Audit != nil {
		e.Key(k.Audit)
	}

	word, rest, err := s.server.Word(ctx, script.Enqueue, e.Call)
	if err != nil {
		return store.EnqueueReply{}, err
	}
	switch word {
	case "unknown":
		return store.EnqueueReply{}, store.ErrResultUnknown
	case "stale":
		return store.EnqueueReply{}, store.ErrStale
	case "ok":
		if len(rest) == 1 {
			return decodeEnqueueReply(p, script.Text(rest[0]), len(e.runs), e.ordinal, e.specials)
		}
	}
	return store.EnqueueReply{}, script.Unexpected(script.Enqueue, word)
}

// enqueueing packs a call of the script enqueue, run by run.
type enqueueing struct {
	*batch
	holds   []store.HoldChange
	entries []store.Entry
	more    bool // the call changes holds, or is written into the audit
	number  func(store.RunID) int64
	runs    map[int64]int // ordinals by number, in the order in which runs first appear
	ids     []int64       // their numbers in that order
}

// mention gives a run an ordinal when it first appears.
func (e *enqueueing) mention(id store.RunID) {
	if n := e.number(id); e.runs[n] == 0 {
		e.ids = append(e.ids, n)
		e.runs[n] = len(e.ids)
	}
}

// ordinal returns the ordinal of a run.
func (e *enqueueing) ordinal(id store.RunID) int { return e.runs[e.number(id)] }

// packAudit packs the line of the audit, and its run.
func (e *enqueueing) packAudit(line *store.AuditLine) {
	if line == nil {
		e.Add("", "")
		return
	}
	e.Add(format.AuditLine(*line), format.RunID(line.Run))
}

// packRuns packs all runs in the order of their ordinals: their keys, holds and tasks.
func (e *enqueueing) packRuns(ctx context.Context, s *Store) error {
	for _, h := range e.holds {
		e.mention(h.Run)
	}
	for i := range e.entries {
		e.mention(e.entries[i].Run)
	}
	groups := e.group(len(e.entries), func(i int) (int64, *store.Item) {
		return e.number(e.entries[i].Run), &e.entries[i].Item
	})
	e.Int(len(e.ids))
	for _, n := range e.ids {
		id := format.RunID(n)
		e.Int(e.Key(e.space.Run(id))).Add(id)
		e.Key(e.space.Lanes(id))
		if e.more {
			if err := e.packHolds(ctx, s, n); err != nil {
				return err
			}
		}
		e.packGroups(groups, n)
	}
	return nil
}

// packHolds packs the holds of a run: those that must not have changed, those to open, and those to
// close. The keys include the lane of the hook, because closing a hold may complete the run.
func (e *enqueueing) packHolds(ctx context.Context, s *Store, run int64) error {
	guards, opens, closes := script.NewCall(), script.NewCall(), script.NewCall()
	for _, h := range e.holds {
		if e.number(h.Run) != run {
			continue
		}
		if h.Guarded {
			guards.Add(h.Name, h.From)
		}
		if h.Close {
			closes.Add(h.Name)
		} else {
			opens.Add(h.Name, h.Mark)
		}
	}
	post := ""
	if len(closes.Args) > 0 {
		m, _, err := s.meta(ctx, e.space, run)
		if err != nil {
			return err
		}
		post = m.Post
	}
	id := format.RunID(run)
	e.Key(e.space.Holds(id))
	e.Key(e.space.Waiting(format.LaneName(id, post)))
	e.Key(e.space.Ring(post))
	e.Int(len(guards.Args) / 2).Add(guards.Args...)
	e.Int(len(opens.Args) / 2).Add(opens.Args...)
	e.Int(len(closes.Args)).Add(closes.Args...)
	return nil
}

// packGroups packs the tasks of a run, by lane.
func (e *enqueueing) packGroups(groups []*group, run int64) {
	count, n := e.Reserve(), 0
	for _, g := range groups {
		if g.run == run {
			length := e.Reserve()
			e.addGroup(g)
			e.Set(length, len(e.Args)-length-1)
			n++
		}
	}
	e.Set(count, n)
}

// decodeEnqueueReply reads "number word,word…|duplicate,duplicate…": a word for each run, and
// positions among the entries with a delay or a claimed ID.
func decodeEnqueueReply(
	p store.EnqueueParams, record string, runs int, ordinal func(store.RunID) int, specials []int,
) (store.EnqueueReply, error) {
	_, record, _ = strings.Cut(record, " ")
	words, dups, _ := strings.Cut(record, "|")
	byRun := strings.Split(words, ",")
	if len(byRun) < runs {
		return store.EnqueueReply{}, fmt.Errorf(
			"%w: the reply to an enqueue is of another batch", store.ErrResultUnknown,
		)
	}
	verdict := func(id store.RunID) error {
		switch byRun[ordinal(id)-1] {
		case "ok":
			return nil
		case "stopped":
			return store.ErrJobStopped
		case "finished":
			return store.ErrRunFinished
		case "moved":
			return store.ErrHoldLost
		}
		return store.ErrRunNotFound
	}
	reply := store.EnqueueReply{Entries: make([]store.EnqueueResult, len(p.Entries))}
	for i := range p.Entries {
		reply.Entries[i].Err = verdict(p.Entries[i].Run)
	}
	if dups != "" {
		for d := range strings.SplitSeq(dups, ",") {
			n, err := strconv.Atoi(d)
			if err != nil || n < 1 || n > len(specials) {
				return store.EnqueueReply{}, fmt.Errorf(
					"%w: the reply to an enqueue is of another batch", store.ErrResultUnknown,
				)
			}
			reply.Entries[specials[n-1]].Duplicate = true
		}
	}
	for _, h := range p.Holds {
		reply.Holds = append(reply.Holds, verdict(h.Run))
	}
	return reply, nil
}
