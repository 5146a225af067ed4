package redisstore

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// Held implements [store.Sessions].
func (s *Store) Held(ctx context.Context, id store.SessionID, except map[store.Lease]bool) ([]store.Delivery, error) {
	if err := s.server.Begin(ctx); err != nil {
		return nil, err
	}
	k := s.spaces[id.Partition]
	live, err := s.client.Do(ctx, s.client.B().Hexists().Key(k.Session(id.ID)).Field("fetch").Build()).AsBool()
	if err != nil {
		return nil, s.server.Translate(ctx, "list what a session holds", err, k.Session(id.ID))
	}
	if !live {
		return nil, store.ErrLeaseLost
	}
	held, err := s.heldPage(ctx, k, id.ID, except)
	if err != nil {
		return nil, err
	}
	return held, s.addStaged(ctx, k, held)
}

// addStaged adds to deliveries which children are staged for them.
func (s *Store) addStaged(ctx context.Context, k *format.Keyspace, held []store.Delivery) error {
	byName := make(map[string]*store.Delivery, len(held))
	byRun := make(map[string]bool)
	for i := range held {
		byName[format.DeliveryName(held[i].Lease)] = &held[i]
		byRun[format.RunID(held[i].Lease.Lane.Run.Number)] = true
	}
	for _, run := range slices.Sorted(maps.Keys(byRun)) {
		names, err := s.client.Do(ctx, s.client.B().Hkeys().Key(k.Stage(run)).Build()).AsStrSlice()
		if err = script.Empty(s.server.Translate(ctx, "list staged children", err)); err != nil {
			return err
		}
		for _, name := range names {
			marker, lane, _ := strings.Cut(name, "/")
			route, ok := format.ParseRoute(lane)
			if !ok || marker == "" || byName[marker[1:]] == nil {
				continue
			}
			n, err := s.client.Do(ctx, s.client.B().Llen().Key(k.Staged(run, name)).Build()).AsInt64()
			if err = script.Empty(s.server.Translate(ctx, "count staged children", err)); err != nil {
				return err
			}
			addStaged(byName[marker[1:]], route, int(n))
		}
	}
	return nil
}

// addStaged adds one of the two lists of a route to the staged children of a delivery.
func addStaged(d *store.Delivery, route store.Route, n int) {
	for i := range d.Staged {
		if d.Staged[i].Route == route {
			d.Staged[i].Count += n
			return
		}
	}
	d.Staged = append(d.Staged, store.Staged{Route: route, Count: n})
}

// heldPage reads about [bounds.PageBytes] of the deliveries of a session, live or closed. It reads
// the names first, because they are short.
func (s *Store) heldPage(
	ctx context.Context, k *format.Keyspace, session string, except map[store.Lease]bool,
) ([]store.Delivery, error) {
	names, err := s.client.Do(ctx, s.client.B().Hkeys().Key(k.Session(session)).Build()).AsStrSlice()
	if err != nil {
		return nil, s.server.Translate(ctx, "list what a session holds", err, k.Session(session))
	}
	var fields []string
	var out []store.Delivery
	for _, name := range names {
		lease, ok := format.ParseLeaseField(session, name)
		if !ok {
			continue // one of the session's own fields
		}
		meta, _, err := s.meta(ctx, k, lease.Lane.Run.Number)
		if err != nil {
			return nil, err
		}
		lease.Lane.Run.Job = meta.Job
		if !except[lease] {
			fields, out = append(fields, name), append(out, store.Delivery{Lease: lease})
		}
		if len(fields) == bounds.MaxBatch {
			break
		}
	}
	messages, err := s.readFields(ctx, k.Session(session), fields)
	if err != nil {
		return nil, err
	}
	held := out[:0]
	for i := range messages {
		if !messages[i].IsNil() { // or the task was settled meanwhile
			out[i].Task = s.decodeOrQuarantine(script.Text(messages[i]))
			held = append(held, out[i])
		}
	}
	return held, nil
}

// readFields reads the first fields of a hash: about [bounds.PageBytes] in all, but at least one
// field.
func (s *Store) readFields(ctx context.Context, key string, fields []string) ([]rueidis.RedisMessage, error) {
	if len(fields) == 0 {
		return nil, nil
	}
	word, rest, err := s.server.Word(ctx, script.ReadFields, script.NewCall(key).Add(fields...))
	if err == nil && word != "ok" {
		err = script.Unexpected(script.ReadFields, word)
	}
	return rest, err
}

// fitting returns how many of the first items fit in about [bounds.PageBytes]; at least one. The
// replies have the lengths of the parts of each item.
func fitting(lengths []rueidis.RedisResult, parts int) (int, error) {
	size := int64(0)
	for i := range lengths {
		n, err := lengths[i].AsInt64()
		if server, ok := rueidis.IsRedisErr(err); err != nil &&
			!(ok && strings.HasPrefix(server.Error(), "WRONGTYPE ")) {
			return 0, err
		}
		if size += n; size > bounds.PageBytes && i >= parts {
			return i / parts, nil
		}
	}
	return len(lengths) / parts, nil
}
