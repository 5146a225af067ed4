package redisstore

import (
	"context"
	"strconv"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// activateSlice is how many staged children with a delay or a claimed ID one call moves.
const activateSlice = bounds.MaxBatch

// activate moves staged children with a delay or a claimed ID to their lane. It reports whether it,
// or another worker, moved any.
func (s *Store) activate(ctx context.Context, k *format.Keyspace, ses *session) (bool, error) {
	moved := false
	for _, h := range ses.hints {
		if h.marker == "" || h.marker[0] != 'x' {
			continue
		}
		id := format.RunID(h.run)
		list := k.Staged(id, format.StagedName(h.marker, h.route))
		length, stored, err := s.readStaged(ctx, k, id, list)
		if err != nil {
			return moved, err
		}
		meta, ok, err := s.meta(ctx, k, h.run)
		if err != nil {
			return moved, err
		}
		if !ok || length > 0 && len(stored) == 0 { // another worker moved the rest meanwhile
			continue
		}
		items := make([]*store.Item, 0, len(stored))
		for _, child := range stored {
			items = append(items, decodeStaged(child, h.route))
		}
		bt := newBatch(s, k)
		c := bt.Call
		c.Keys = append(c.Keys, k.Clock, k.Due, k.Hist, k.Trash, k.Routes, k.Index, k.Run(id), k.Lanes(id),
			k.Waiting(format.LaneName(id, meta.Post)), k.Ring(meta.Post), list, k.Ledger,
			k.Markers(format.LaneName(id, format.RouteName(h.route))))
		c.Add(k.Channel, id, h.marker, format.RouteName(h.route)).Int64(length).Int(len(items))
		if length > 0 { // otherwise only the marker is removed, which must not hide later ones
			bt.addGroup(bt.group(len(items), func(i int) (int64, *store.Item) { return h.run, items[i] })[0])
		}
		if _, _, err := s.server.Word(ctx, script.Activate, c); err != nil {
			return moved, err
		}
		moved = true
	}
	return moved, nil
}

// readStaged reads the length of a staged list and its first children, as many as one call may
// have.
func (s *Store) readStaged(
	ctx context.Context, k *format.Keyspace, run, list string,
) (length int64, children []string, err error) {
	b := s.client.B
	replies := s.client.DoMulti(ctx,
		b().Llen().Key(list).Build(),
		b().Hmget().Key(k.Run(run)).Field("maxlen").Build(),
	)
	if length, err = replies[0].AsInt64(); err != nil || length == 0 {
		return 0, nil, script.Empty(s.server.Translate(ctx, "read staged children", err))
	}
	longest, err := script.First(replies[1].ToArray())
	if err != nil {
		return 0, nil, s.server.Translate(ctx, "read staged children", err)
	}
	n := int64(activateSlice)
	if each, _ := format.ParseInt(longest); each > 0 {
		n = min(n, max(1, bounds.DefaultMaxPayload/each))
	}
	children, err = s.client.Do(ctx, b().Lrange().Key(list).Start(0).Stop(n-1).Build()).AsStrSlice()
	return length, children, s.server.Translate(ctx, "read staged children", err)
}

// decodeStaged reads an entry of a list of special children: the due time, a space, and the
// message.
func decodeStaged(stored string, route store.Route) *store.Item {
	due, message, _ := format.CutByte(stored, ' ')
	item := &store.Item{Route: route}
	task, err := format.DecodeTask(message)
	if err != nil {
		task = store.Task{Headers: map[string]string{store.HeaderCorrupt: err.Error()}}
	}
	item.Task = task
	if due != "" {
		ms, _ := strconv.ParseInt(due, 10, 64)
		if due[0] == '+' {
			item.Delay = format.Duration(ms)
		} else {
			item.At = format.ParseMillis(due)
		}
	}
	return item
}
