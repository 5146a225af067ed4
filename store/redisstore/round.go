package redisstore

import (
	"context"
	"slices"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// found is what a round found, without its deliveries.
type found struct {
	learned bool // lanes that it could not read yet
	left    int  // lanes that left their ring, because they were empty or their run may not start
	more    bool // a ring is longer than the window
	window  int
}

// round is one call of the script fetch.
type round struct {
	session  *session
	params   *store.FetchParams
	skip     int           // lanes to read of each ring
	routes   []store.Route // routes that are asked for, in the numbering of the script
	declared []hint        // lanes that were known before
	known    map[hint]bool // known lanes that the call names
	found    found
}

// fetchOnce makes one round. In each ring it begins after the first skip lanes.
func (s *Store) fetchOnce(
	ctx context.Context, k *format.Keyspace, ses *session, p *store.FetchParams, skip int, reply *store.FetchReply,
) (found, error) {
	r := round{session: ses, params: p, skip: skip}
	word, rest, err := s.server.Word(ctx, script.Fetch, r.pack(s, k))
	switch {
	case err != nil:
		return r.found, err
	case word == "lost":
		return r.found, store.ErrLeaseLost
	case word == "stale":
		return r.found, store.ErrStale
	case len(rest) < 3:
		return r.found, script.Unexpected(script.Fetch, word)
	}
	reply.Now, reply.NextDue = format.ParseMillis(script.Text(rest[0])), format.ParseMillis(script.Text(rest[1]))
	s.observe(reply.Now)
	body, err := rest[2].ToArray()
	switch {
	case err != nil:
		return r.found, script.Unexpected(script.Fetch, word)
	case word == "replay":
		if len(rest) > 3 {
			reply.Pauses = script.Integer(rest[3])
		}
		if reply.Deliveries, err = s.held(ctx, k, p.Session.ID, body); err == nil {
			err = s.addConfigured(ctx, k, reply.Deliveries)
		}
		return r.found, err
	}
	if s.decodeLanes(k, p, r.routes, body, reply) != nil || !r.read(rest[3:], reply) {
		return r.found, script.Unexpected(script.Fetch, word)
	}
	return r.found, nil
}

// pack builds the call: the routes, the known lanes, and the bounds.
func (r *round) pack(s *Store, k *format.Keyspace) *script.Call {
	p := r.params
	c := script.NewCall(k.Session(p.Session.ID), k.Clock, k.Due, k.Pauses)
	c.Int64(p.Number).Answered(p.Answered).Int(p.Max).Int(p.MaxBytes).Flag(p.Recovered)
	window := c.Reserve()
	c.Int(r.skip)
	c.Int(len(p.Queues))
	for _, q := range p.Queues {
		c.Add(q.Queue).Int(len(q.Routes))
		for _, route := range q.Routes {
			name := format.RouteName(route)
			c.Key(k.Ring(name))
			c.Add(name, string(format.NeededState(route)))
			r.routes = append(r.routes, route)
		}
	}
	r.found.window = fetchWindow(len(r.routes))
	c.Set(window, r.found.window)
	r.packHints(c, s.metas[k.Partition], k)
	packBounds(c, p, r.routes)
	return c
}

// packHints declares the keys of the known lanes.
func (r *round) packHints(c *script.Call, metas *metaCache, k *format.Keyspace) {
	r.known = make(map[hint]bool, len(r.session.hints))
	r.declared = slices.Concat(r.session.hints, r.session.emptied)
	count := c.Reserve()
	n := 0
	for _, h := range r.declared {
		at := slices.Index(r.routes, h.route)
		if at < 0 {
			continue // the worker no longer serves the route
		}
		r.known[h] = true
		id := format.RunID(h.run)
		lane := format.LaneName(id, format.RouteName(h.route))
		c.Key(k.Run(id))
		c.Key(k.Waiting(lane))
		c.Key(k.Recovered(lane))
		c.Key(k.Markers(lane))
		if h.marker == "" {
			c.Key(k.Waiting(lane))
		} else {
			c.Key(k.Staged(id, format.StagedName(h.marker, h.route)))
		}
		weight := "1" // until the first visit
		if m, ok := metas.get(h.run); ok {
			weight = m.Weight
		}
		c.Int(at+1).Add(id, h.marker, weight)
		n++
	}
	c.Set(count, n)
}

// read reads what follows the deliveries in a reply: {route, run, marker …} of lanes, how many
// lanes left their ring, whether there are more, budgets that were too small, and the version of
// the pauses. It returns false if a part is missing.
func (r *round) read(rest []rueidis.RedisMessage, reply *store.FetchReply) bool {
	if len(rest) < 5 {
		return false
	}
	told, err := rest[0].ToArray()
	if err != nil {
		return false
	}
	r.learn(told)
	r.found.left, r.found.more = int(script.Number(rest[1])), script.Number(rest[2]) == 1
	reply.Drained = len(told) == 0 && r.skip == 0 && !r.found.more
	short, err := rest[3].AsIntSlice()
	if err != nil {
		return false
	}
	for _, budget := range short {
		if !slices.Contains(reply.Short, int(budget)) {
			reply.Short = append(reply.Short, int(budget))
		}
	}
	reply.Pauses = script.Integer(rest[4])
	if r.skip == 0 {
		r.session.stock.learn(r.routes, told)
	}
	return true
}

// learn remembers the lanes that the reply names.
func (r *round) learn(told []rueidis.RedisMessage) {
	ses := r.session
	ses.hints = ses.hints[:0]
	for i := 0; i+2 < len(told) && len(ses.hints) < maxHints-maxEmptied; i += 3 {
		h := hint{route: r.routes[script.Number(told[i])-1], marker: script.Text(told[i+2])}
		h.run, _ = format.ParseInt(script.Text(told[i+1]))
		ses.hints = append(ses.hints, h)
		r.found.learned = r.found.learned || !r.known[h] && affords(r.params, h.route)
	}
	ses.remember(r.declared)
}

// decodeLanes reads {route, run, job, routes, configured, {message …}} of each lane.
func (s *Store) decodeLanes(
	k *format.Keyspace, p *store.FetchParams, routes []store.Route, lanes []rueidis.RedisMessage,
	reply *store.FetchReply,
) error {
	groups := make([][]rueidis.RedisMessage, len(lanes))
	total := 0
	for i := range lanes {
		fields, err := lanes[i].ToArray()
		if err != nil {
			return err
		}
		if len(fields) != 6 {
			return store.ErrCorrupt
		}
		messages, err := fields[5].ToArray()
		if err != nil {
			return err
		}
		groups[i], total = messages, total+len(messages)
	}
	if total == 0 {
		return nil
	}
	reply.Deliveries = make([]store.Delivery, total)
	next := reply.Deliveries
	for i := range lanes {
		fields, _ := lanes[i].ToArray()
		route := routes[script.Number(fields[0])-1]
		run, _ := format.ParseInt(script.Text(fields[1]))
		meta, ok := s.metas[k.Partition].get(run)
		if !ok {
			meta = format.ParseMeta(script.Text(fields[2]), script.Text(fields[3]))
			s.metas[k.Partition].put(run, meta)
		}
		configured, tallied := script.Integer(fields[4]), p.Tallies(route)
		lane := store.Lane{Run: store.RunID{Job: meta.Job, Number: run}, Route: route}
		for j := range groups[i] {
			d := &next[j]
			d.Lease = store.Lease{
				Session: p.Session.ID,
				Lane:    lane,
				Fetch:   p.Number,
				Index:   total - len(next) + j,
				Tallied: tallied,
			}
			d.Configured = configured
			d.Task = s.decodeOrQuarantine(script.Text(groups[i][j]))
		}
		next = next[len(groups[i]):]
	}
	return nil
}

// decodeOrQuarantine decodes a message. If it cannot be read, the result is a task without an ID.
// The worker fails that task: it is counted, kept as a failure and reported. Other tasks are not
// affected.
func (s *Store) decodeOrQuarantine(message string) store.Task {
	t, err := format.DecodeTask(message)
	if err != nil {
		s.config.Logger.Error("a stored task cannot be decoded", "error", err)
		return store.Task{Headers: map[string]string{store.HeaderCorrupt: err.Error()}}
	}
	return t
}

// held decodes pairs of lease field and message.
func (s *Store) held(
	ctx context.Context, k *format.Keyspace, session string, pairs []rueidis.RedisMessage,
) ([]store.Delivery, error) {
	out := make([]store.Delivery, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		lease, ok := format.ParseLeaseField(session, script.Text(pairs[i]))
		if !ok {
			continue // one of the session's own fields
		}
		meta, _, err := s.meta(ctx, k, lease.Lane.Run.Number)
		if err != nil {
			return nil, err
		}
		lease.Lane.Run.Job = meta.Job
		out = append(out, store.Delivery{Lease: lease, Task: s.decodeOrQuarantine(script.Text(pairs[i+1]))})
	}
	return out, nil
}
