package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// activateSlice is how many staged children with a delay or a claimed ID are moved in one call.
const activateSlice = store.MaxBatch

// activate moves up staged children that cannot be popped as they are. It
// reports whether it, or somebody else, moved any.
func (s *Store) activate(ctx context.Context, k *keyspace, ses *session) (bool, error) {
	moved := false
	for _, h := range ses.hints {
		if h.marker == "" || h.marker[0] != 'x' {
			continue
		}
		id := runID(h.run)
		list := k.staged(id, stagedName(h.marker, h.route))
		b := s.client.B
		replies := s.client.DoMulti(ctx,
			b().Llen().Key(list).Build(),
			b().Lrange().Key(list).Start(0).Stop(activateSlice-1).Build(),
		)
		length, err := replies[0].AsInt64()
		if err != nil {
			return moved, s.translate(ctx, "read staged children", err)
		}
		stored, err := replies[1].ToArray()
		if err != nil {
			return moved, s.translate(ctx, "read staged children", err)
		}
		meta, ok, err := s.meta(ctx, k, h.run)
		if err != nil {
			return moved, err
		}
		if !ok || length == 0 {
			continue
		}
		items := make([]*store.Item, 0, len(stored))
		for _, m := range stored {
			items = append(items, decodeStaged(text(m), h.route))
		}
		bt := newBatch(s, k)
		c := bt.call
		c.keys = append(c.keys, k.clock, k.due, k.hist, k.trash, k.routes, k.run(id), k.lanes(id),
			k.waiting(laneName(id, meta.post)), k.ring(meta.post), list)
		c.add(k.channel, id, h.marker).int64(length).int(len(items))
		groups := bt.group(len(items), func(i int) (store.RunID, *store.Item) { return store.RunID{Number: h.run}, items[i] })
		bt.addGroup(groups[0]) // its lane is KEYS 11 to 14
		if _, _, err := s.word(ctx, activateScript, c); err != nil {
			return moved, err
		}
		moved = true
	}
	return moved, nil
}

// decodeStaged reads an entry of a list of special children: when it is due, a space, and its message.
func decodeStaged(stored string, route store.Route) *store.Item {
	due, message, _ := cutByte(stored, ' ')
	item := &store.Item{Route: route}
	task, err := decodeTask(message)
	if err != nil {
		task = store.Task{Headers: map[string]string{store.HeaderCorrupt: err.Error()}}
	}
	item.Task = task
	if due != "" {
		ms, _ := strconv.ParseInt(due, 10, 64)
		if due[0] == '+' {
			item.Delay = time.Duration(ms) * time.Millisecond
		} else {
			item.At = parseMillis(due)
		}
	}
	return item
}
