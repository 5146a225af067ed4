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
	}
	e.Keys = append(e.Keys, k.Producer(p.Stream), k.Clock, k.Due, k.Routes, k.Hist, k.Trash, k.Index, k.Ledger)
	e.Add(k.Channel).Int64(p.Number).Add(format.Millis(bounds.StreamKept))
	if p.Audit != nil {
		e.Add(format.AuditLine(*p.Audit), format.RunID(p.Audit.Run))
	} else {
		e.Add("", "")
	}
	if err := e.packRuns(ctx, s); err != nil {
		return store.EnqueueReply{}, err
	}
	e.packHolds()
	e.packEntries()
	e.packCloses()
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

// enqueueing packs a call of the script enqueue, section by section.
type enqueueing struct {
	*batch
	holds   []store.HoldChange
	entries []store.Entry
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

// packRuns packs the keys of all runs in the order of their ordinals. They include the lane of the
// hook, because closing a hold may complete the run.
func (e *enqueueing) packRuns(ctx context.Context, s *Store) error {
	closes := make(map[int64]bool)
	for _, h := range e.holds {
		e.mention(h.Run)
		if h.Close {
			closes[e.number(h.Run)] = true
		}
	}
	for i := range e.entries {
		e.mention(e.entries[i].Run)
	}
	c, k := e.Call, e.space
	c.Int(len(e.ids))
	for _, n := range e.ids {
		id, post := format.RunID(n), ""
		if closes[n] {
			m, _, err := s.meta(ctx, k, n)
			if err != nil {
				return err
			}
			post = m.Post
		}
		base := c.Key(k.Run(id))
		c.Key(k.Lanes(id))
		c.Key(k.Holds(id))
		c.Key(k.Waiting(format.LaneName(id, post)))
		c.Key(k.Ring(post))
		c.Int(base).Add(id)
	}
	return nil
}

// packHolds packs the holds that must not have changed, and the holds to open.
func (e *enqueueing) packHolds() {
	guarded, n := e.Reserve(), 0
	for _, h := range e.holds {
		if h.Guarded {
			e.Int(e.ordinal(h.Run)).Add(h.Name, h.From)
			n++
		}
	}
	e.Set(guarded, n)
	opened, n := e.Reserve(), 0
	for _, h := range e.holds {
		if !h.Close {
			e.Int(e.ordinal(h.Run)).Add(h.Name, h.Mark)
			n++
		}
	}
	e.Set(opened, n)
}

// packEntries packs the tasks by lane.
func (e *enqueueing) packEntries() {
	groups := e.group(len(e.entries), func(i int) (int64, *store.Item) {
		return e.number(e.entries[i].Run), &e.entries[i].Item
	})
	e.Int(len(groups))
	for _, g := range groups {
		e.Int(e.runs[g.run])
		length := e.Reserve()
		e.addGroup(g)
		e.Set(length, len(e.Args)-length-1)
	}
}

// packCloses packs the holds to close.
func (e *enqueueing) packCloses() {
	closed, n := e.Reserve(), 0
	for _, h := range e.holds {
		if h.Close {
			e.Int(e.ordinal(h.Run)).Add(h.Name)
			n++
		}
	}
	e.Set(closed, n)
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
