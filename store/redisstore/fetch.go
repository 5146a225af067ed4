package redisstore

import (
	"context"
	"slices"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// session returns the memory of a session.
func (s *Store) session(id store.SessionID) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses := s.sessions[id]
	if ses == nil {
		ses = &session{aside: make(asides)}
		s.sessions[id] = ses
	}
	return ses
}

func (s *Store) forgetSession(id store.SessionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, id)
}

// A fetch that delivered nothing goes again, with the same number, which is not
// used up: to look into lanes that it learned of, to look again where lanes left
// their place, and to look behind the window. Others may keep moving the rings,
// so there is a bound; what is left then is found by the next fetch.
const (
	fetchLearns = 6   // rounds that only learn
	fetchRounds = 200 // rounds in all
)

// fetchWindow is how many lanes of a ring one round looks at: fewer where there are many rings, so that
// a round stays short.
func fetchWindow(routes int) int { return min(32, max(4, 256/max(routes, 1))) }

// Fetch implements [store.Sessions].
func (s *Store) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	if p.MaxBytes <= 0 {
		p.MaxBytes = store.DefaultMaxPayload
	}
	k := s.spaces[p.Session.Partition]
	ses := s.session(p.Session)
	ses.fetching.Lock()
	defer ses.fetching.Unlock()
	var reply store.FetchReply
	named := p
	ses.stock.begin(p.Queues, s.hub.synced(k.Partition))
	for more := true; more && len(reply.Deliveries) == 0; {
		named.Queues, more = ses.stock.narrow(p.Queues)
		if err := s.fetchNamed(ctx, k, ses, &named, &reply); err != nil {
			if isLost(err) {
				s.forgetSession(p.Session)
			}
			return store.FetchReply{}, err
		}
	}
	return reply, nil
}

// fetchNamed makes rounds until something is delivered or the routes of p have nothing more.
func (s *Store) fetchNamed(
	ctx context.Context, k *format.Keyspace, ses *session, p *store.FetchParams, reply *store.FetchReply,
) error {
	skip, learns := 0, 0
	for range fetchRounds {
		found, err := s.fetchOnce(ctx, k, ses, p, skip, reply)
		if err != nil {
			return err
		}
		moved, err := s.activate(ctx, k, ses)
		if err != nil && len(reply.Deliveries) == 0 {
			return err
		}
		switch {
		case len(reply.Deliveries) > 0:
			return nil
		case found.left > 0 || moved: // that much less to look at next time
		case found.learned && learns < fetchLearns:
			learns++
		case found.more:
			skip += found.window
			learns = 0
		default:
			return nil
		}
	}
	return nil
}

// found is what a round that may have delivered nothing has found.
type found struct {
	learned bool // lanes that it could not look into yet
	left    int  // lanes that had nothing, or whose run may not start, and left their ring
	more    bool // a ring is longer than the window
	window  int
}

// fetchOnce makes one round over the lanes that come after the first skip of each ring.
func (s *Store) fetchOnce(ctx context.Context, k *format.Keyspace, ses *session, p *store.FetchParams, skip int, reply *store.FetchReply) (found found, err error) {
	c := script.NewCall(k.Session(p.Session.ID), k.Clock, k.Due, k.Meta)
	c.Int64(p.Number).Answered(p.Answered).Int(p.Max).Int(p.MaxBytes).Flag(p.Recovered)
	window := c.Reserve()
	c.Int(skip)
	var routes []store.Route
	c.Int(len(p.Queues))
	for _, q := range p.Queues {
		c.Add(q.Queue).Int(len(q.Routes))
		for _, r := range q.Routes {
			name := format.RouteName(r)
			c.Key(k.Ring(name))
			c.Add(name, string(format.NeededState(r)))
			routes = append(routes, r)
		}
	}
	found.window = fetchWindow(len(routes))
	c.Set(window, found.window)
	known := make(map[hint]bool, len(ses.hints))
	count := c.Reserve()
	n := 0
	declared := slices.Concat(ses.hints, ses.emptied)
	for _, h := range declared {
		at := indexOf(routes, h.route)
		if at < 0 {
			continue // the worker no longer serves it
		}
		known[h] = true
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
		if m, ok := s.metas[k.Partition].get(h.run); ok {
			weight = m.Weight
		}
		c.Int(at+1).Add(id, h.marker, weight)
		n++
	}
	c.Set(count, n)
	bounds(c, p, routes)

	word, rest, err := s.server.Word(ctx, script.Fetch, c)
	switch {
	case err != nil:
		return found, err
	case word == "lost":
		return found, store.ErrLeaseLost
	case word == "stale":
		return found, store.ErrStale
	case len(rest) < 3:
		return found, script.Unexpected(script.Fetch, word)
	}
	reply.Now, reply.NextDue = format.ParseMillis(script.Text(rest[0])), format.ParseMillis(script.Text(rest[1]))
	s.observe(reply.Now)
	body, err := rest[2].ToArray()
	if err != nil {
		return found, script.Unexpected(script.Fetch, word)
	}
	if word == "replay" {
		if reply.Deliveries, err = s.held(ctx, k, p.Session.ID, body); err == nil {
			err = s.addConfigured(ctx, k, reply.Deliveries)
		}
		return found, err
	}
	if err := s.decodeLanes(k, p, routes, body, reply); err != nil {
		return found, script.Unexpected(script.Fetch, word)
	}
	if len(rest) < 8 {
		return found, script.Unexpected(script.Fetch, word)
	}
	told, err := rest[3].ToArray()
	if err != nil {
		return found, script.Unexpected(script.Fetch, word)
	}
	ses.hints = ses.hints[:0]
	for i := 0; i+2 < len(told) && len(ses.hints) < maxHints-maxEmptied; i += 3 {
		h := hint{route: routes[script.Number(told[i])-1], marker: script.Text(told[i+2])}
		h.run, _ = format.ParseInt(script.Text(told[i+1]))
		ses.hints = append(ses.hints, h)
		found.learned = found.learned || !known[h] && affords(p, h.route)
	}
	ses.remember(declared)
	found.left, found.more = int(script.Number(rest[4])), script.Number(rest[5]) == 1
	short, err := rest[6].AsIntSlice()
	if err != nil {
		return found, script.Unexpected(script.Fetch, word)
	}
	for _, budget := range short {
		if !slices.Contains(reply.Short, int(budget)) {
			reply.Short = append(reply.Short, int(budget))
		}
	}
	reply.ReadOnly = script.Number(rest[7]) == 1
	if skip == 0 {
		ses.stock.learn(routes, told, reply.ReadOnly)
	}
	return found, nil
}

// decodeLanes reads {route, run, job, routes, configured, {message …}} of each lane.
func (s *Store) decodeLanes(k *format.Keyspace, p *store.FetchParams, routes []store.Route, lanes []rueidis.RedisMessage, reply *store.FetchReply) error {
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
			d.Lease = store.Lease{Session: p.Session.ID, Lane: lane, Fetch: p.Number, Index: total - len(next) + j, Tallied: tallied}
			d.Configured = configured
			d.Task = s.decodeOrQuarantine(script.Text(groups[i][j]))
		}
		next = next[len(groups[i]):]
	}
	return nil
}

// decodeOrQuarantine turns a message that cannot be read into a task without an ID, which the worker
// fails: it is counted, kept among the failures and reported, and everything else goes on.
func (s *Store) decodeOrQuarantine(message string) store.Task {
	t, err := format.DecodeTask(message)
	if err != nil {
		s.config.Logger.Error("a stored task cannot be decoded", "error", err)
		return store.Task{Headers: map[string]string{store.HeaderCorrupt: err.Error()}}
	}
	return t
}

// held decodes pairs of lease field and message.
func (s *Store) held(ctx context.Context, k *format.Keyspace, session string, pairs []rueidis.RedisMessage) ([]store.Delivery, error) {
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

func indexOf(routes []store.Route, r store.Route) int {
	for i := range routes {
		if routes[i] == r {
			return i
		}
	}
	return -1
}
