package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// producerTTL is how long an unused producer stream is remembered.
const producerTTL = 24 * time.Hour

// OpenProducer implements [store.Producers].
func (s *Store) OpenProducer(ctx context.Context, partition int, stream string) error {
	c := script.NewCall(s.spaces[partition].Producer(stream)).Add(format.Millis(producerTTL))
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
	b := newBatch(s, k)
	c := b.Call
	c.Keys = append(c.Keys, k.Producer(p.Stream), k.Clock, k.Due, k.Routes, k.Hist, k.Trash, k.Idle)
	c.Add(k.Channel).Int64(p.Number).Add(format.Millis(producerTTL))

	// Runs in the order of their first mention; closing a hold may complete the
	// run, which needs the lane of its hook.
	runs := make(map[int64]int)
	var ids []int64
	mention := func(id store.RunID) {
		if n := number(id); runs[n] == 0 {
			ids = append(ids, n)
			runs[n] = len(ids)
		}
	}
	closes := make(map[int64]bool)
	opened, guarded := 0, 0
	for _, h := range p.Holds {
		if h.Guarded {
			guarded++
		}
		mention(h.Run)
		if h.Close {
			closes[number(h.Run)] = true
		} else {
			opened++
		}
	}
	for i := range p.Entries {
		mention(p.Entries[i].Run)
	}
	c.Int(len(ids))
	for _, n := range ids {
		id, post := format.RunID(n), ""
		if closes[n] {
			m, _, err := s.meta(ctx, k, n)
			if err != nil {
				return store.EnqueueReply{}, err
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

	c.Int(guarded)
	for _, h := range p.Holds {
		if h.Guarded {
			c.Int(runs[number(h.Run)]).Add(h.Name, h.From)
		}
	}
	c.Int(opened)
	for _, h := range p.Holds {
		if !h.Close {
			c.Int(runs[number(h.Run)]).Add(h.Name, h.Mark)
		}
	}

	groups := b.group(len(p.Entries), func(i int) (int64, *store.Item) {
		return number(p.Entries[i].Run), &p.Entries[i].Item
	})
	c.Int(len(groups))
	for _, g := range groups {
		c.Int(runs[g.run])
		length := c.Reserve()
		b.addGroup(g)
		c.Set(length, len(c.Args)-length-1)
	}
	c.Int(len(p.Holds) - opened)
	for _, h := range p.Holds {
		if h.Close {
			c.Int(runs[number(h.Run)]).Add(h.Name)
		}
	}

	word, rest, err := s.server.Word(ctx, script.Enqueue, c)
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
			return decodeEnqueueReply(p, script.Text(rest[0]), len(runs), func(id store.RunID) int { return runs[number(id)] }, b.specials)
		}
	}
	return store.EnqueueReply{}, script.Unexpected(script.Enqueue, word)
}

// decodeEnqueueReply reads "number word,word…|duplicate,duplicate…": a word per
// run, and positions among the entries that had a delay or a claimed ID.
func decodeEnqueueReply(
	p store.EnqueueParams, record string, runs int, ordinal func(store.RunID) int, specials []int,
) (store.EnqueueReply, error) {
	_, record, _ = strings.Cut(record, " ")
	words, dups, _ := strings.Cut(record, "|")
	byRun := strings.Split(words, ",")
	if len(byRun) < runs {
		return store.EnqueueReply{}, fmt.Errorf("%w: the reply to an enqueue is of another batch", store.ErrResultUnknown)
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
				return store.EnqueueReply{}, fmt.Errorf("%w: the reply to an enqueue is of another batch", store.ErrResultUnknown)
			}
			reply.Entries[specials[n-1]].Duplicate = true
		}
	}
	for _, h := range p.Holds {
		reply.Holds = append(reply.Holds, verdict(h.Run))
	}
	return reply, nil
}
