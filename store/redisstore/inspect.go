package redisstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// Inspect implements [store.Runs] with reads only. A script that reads every session would block
// the server. So Inspect reads the counts before and after.
func (s *Store) Inspect(ctx context.Context, id store.RunID) (store.Inspection, error) {
	before, err := s.Run(ctx, id)
	if err != nil {
		return store.Inspection{}, err
	}
	k, run := s.space(id.Job), format.RunID(id.Number)
	out := store.Inspection{}
	b := s.client.B
	replies := s.client.DoMulti(ctx,
		b().Smembers().Key(k.Lanes(run)).Build(),
		b().Hgetall().Key(k.Holds(run)).Build(),
		b().Zrange().Key(k.Leases).Min("0").Max("-1").Build(),
		b().Hexists().Key(k.Run(run)).Field("root").Build(),
	)
	routes, err := replies[0].AsStrSlice()
	if err = script.Empty(s.server.Translate(ctx, "list lanes", err)); err != nil {
		return out, err
	}
	holds, err := replies[1].AsStrMap()
	if err = script.Empty(s.server.Translate(ctx, "list holds", err)); err != nil {
		return out, err
	}
	sessions, err := replies[2].AsStrSlice()
	if err = script.Empty(s.server.Translate(ctx, "list sessions", err)); err != nil {
		return out, err
	}
	for name, since := range holds {
		since, mark, _ := strings.Cut(since, " ")
		out.Holds = append(out.Holds, store.HoldRecord{Name: name, Since: format.ParseMillis(since), Mark: mark})
	}
	aside, err := replies[3].AsBool()
	if err = s.server.Translate(ctx, "read a run", err); err != nil {
		return out, err
	}
	aside = aside && before.Status == store.StatusStarting
	if aside {
		// The root task waits in the run itself until the pre-job hook has passed.
		out.Lanes = append(out.Lanes, store.LaneRecord{Route: before.Root, Waiting: 1, Oldest: before.Created})
	}
	lanes := make([]storedLane, len(routes))
	for i, name := range routes {
		lanes[i] = storedLane{run, name}
	}
	err = s.inspectLanes(ctx, k, lanes, func(_ int, lane store.LaneRecord) {
		if aside && lane.Route == before.Root {
			lane.Waiting, lane.Oldest = lane.Waiting+1, before.Created
			out.Lanes[0] = lane // in addition to the root task
			return
		}
		out.Lanes = append(out.Lanes, lane)
	})
	if err != nil {
		return out, err
	}
	err = s.leases(ctx, k, sessions, func(session string, lane store.Lane) {
		if lane.Run.Number == id.Number {
			out.Held = countHeld(out.Held, session, lane.Route)
		}
	})
	if err != nil {
		return out, err
	}
	out.Run, err = s.Run(ctx, id)
	out.Stable = before.Counts == out.Run.Counts && before.Status == out.Run.Status
	return out, err
}

// storedLane is a lane of a run, by the name of its route.
type storedLane struct{ run, route string }

// lanesAtOnce is how many lanes one call reads: of each it gets the first message, which may be
// large.
const lanesAtOnce = 32

// inspectLanes reads lanes, and calls each with the record of each in their order.
func (s *Store) inspectLanes(
	ctx context.Context, k *format.Keyspace, lanes []storedLane, each func(i int, lane store.LaneRecord),
) error {
	n := 0
	for chunk := range slices.Chunk(lanes, lanesAtOnce) {
		records, err := s.readLanes(ctx, k, chunk)
		if err != nil {
			return err
		}
		for i := range records {
			each(n, records[i])
			n++
		}
	}
	return nil
}

// readLanes reads lanes in two round trips; in one where no staged children wait.
func (s *Store) readLanes(ctx context.Context, k *format.Keyspace, lanes []storedLane) ([]store.LaneRecord, error) {
	const commands = 6
	b := s.client.B
	cmds := make(rueidis.Commands, 0, commands*len(lanes))
	for _, l := range lanes {
		lane := format.LaneName(l.run, l.route)
		cmds = append(cmds,
			b().Llen().Key(k.Waiting(lane)).Build(),
			b().Llen().Key(k.Recovered(lane)).Build(),
			b().Zcard().Key(k.Delayed(lane)).Build(),
			b().Lrange().Key(k.Markers(lane)).Start(0).Stop(-1).Build(),
			b().Zrange().Key(k.Delayed(lane)).Min("0").Max("0").Withscores().Build(),
			b().Lindex().Key(k.Waiting(lane)).Index(0).Build(),
		)
	}
	replies := s.client.DoMulti(ctx, cmds...)
	records := make([]store.LaneRecord, len(lanes))
	var staged rueidis.Commands
	var owners []int // of the staged lists: indexes of their lanes
	for i, l := range lanes {
		markers, err := s.decodeLane(ctx, replies[commands*i:commands*(i+1)], &records[i])
		if err != nil {
			return nil, err
		}
		records[i].Route, _ = format.ParseRoute(l.route)
		for _, m := range markers {
			staged = append(staged, b().Llen().Key(k.Staged(l.run, m+"/"+l.route)).Build())
			owners = append(owners, i)
		}
	}
	for i, r := range s.client.DoMulti(ctx, staged...) {
		n, err := r.AsInt64()
		if err = script.Empty(s.server.Translate(ctx, "read staged children", err)); err != nil {
			return nil, err
		}
		records[owners[i]].Staged += n
	}
	return records, nil
}

// decodeLane reads the replies about one lane, and returns the markers of its staged lists.
func (s *Store) decodeLane(
	ctx context.Context, replies []rueidis.RedisResult, out *store.LaneRecord,
) (markers []string, err error) {
	for i, into := range []*int64{&out.Waiting, &out.Recovered, &out.Delayed} {
		n, err := replies[i].AsInt64()
		if err = script.Empty(s.server.Translate(ctx, "read a lane", err)); err != nil {
			return nil, err
		}
		*into = n
	}
	markers, err = replies[3].AsStrSlice()
	if err = script.Empty(s.server.Translate(ctx, "read a lane", err)); err != nil {
		return nil, err
	}
	first, err := replies[4].AsZScores()
	if err = script.Empty(s.server.Translate(ctx, "read a lane", err)); err != nil && !isNil(err) {
		return nil, err
	}
	if len(first) > 0 {
		out.NextDue = time.UnixMilli(int64(first[0].Score))
	}
	if message, err := replies[5].ToString(); err == nil {
		if task, err := format.DecodeTask(message); err == nil {
			out.Oldest = task.Enqueued
		}
	}
	return markers, nil
}

// QueueStats implements [store.Sessions]. If more than 1,000 runs have work under one route, it
// reads only the first of them. Routes are listed while they have a ring, and until a sweep has
// found that they have none.
func (s *Store) QueueStats(ctx context.Context, partition int) ([]store.QueueRecord, error) {
	if err := s.server.Begin(ctx); err != nil {
		return nil, err
	}
	k := s.spaces[partition]
	b := s.client.B
	routes, err := s.client.Do(ctx, b().Zrange().Key(k.Routes).Min("0").Max("-1").Build()).AsStrSlice()
	if err = script.Empty(s.server.Translate(ctx, "list routes", err)); err != nil {
		return nil, err
	}
	running, err := s.runningByRoute(ctx, k)
	if err != nil {
		return nil, err
	}
	for route := range running {
		routes = append(routes, format.RouteName(route))
	}
	slices.Sort(routes)
	var out []store.QueueRecord
	for chunk := range slices.Chunk(slices.Compact(routes), ringsAtOnce) {
		stats, err := s.queueStats(ctx, k, chunk)
		if err != nil {
			return nil, err
		}
		for _, q := range stats {
			if q.Running = running[q.Route]; q.Waiting+q.Running > 0 {
				out = append(out, q)
			}
		}
	}
	return out, nil
}

// ringsAtOnce is how many rings QueueStats reads in one call.
const ringsAtOnce = 128

// queueStats adds up the waiting tasks of each route. Names of hooks, and what is no name, are left
// out.
func (s *Store) queueStats(ctx context.Context, k *format.Keyspace, names []string) ([]store.QueueRecord, error) {
	b := s.client.B
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		route, ok := format.ParseRoute(name)
		return !ok || !route.Counted()
	})
	cmds := make(rueidis.Commands, 0, 2*len(names))
	for _, name := range names {
		cmds = append(cmds,
			b().Zcard().Key(k.Ring(name)).Build(),
			b().Zrange().Key(k.Ring(name)).Min("0").Max(maxQueueStatRuns).Build())
	}
	replies := s.client.DoMulti(ctx, cmds...)
	stats := make([]store.QueueRecord, len(names))
	var lanes []storedLane
	var owners []int // of the lanes: indexes of their routes
	for i, name := range names {
		q := &stats[i]
		q.Route, _ = format.ParseRoute(name)
		var err error
		q.Runs, err = replies[2*i].AsInt64()
		if err = script.Empty(s.server.Translate(ctx, "read a ring", err)); err != nil {
			return nil, err
		}
		runs, err := replies[2*i+1].AsStrSlice()
		if err = script.Empty(s.server.Translate(ctx, "read a ring", err)); err != nil {
			return nil, err
		}
		for _, run := range runs {
			lanes, owners = append(lanes, storedLane{run, name}), append(owners, i)
		}
	}
	return stats, s.addLanes(ctx, k, stats, lanes, owners)
}

// addLanes adds lanes to the routes that own them. It leaves out those of stopped runs: what is
// left in them never starts.
func (s *Store) addLanes(
	ctx context.Context, k *format.Keyspace, stats []store.QueueRecord, lanes []storedLane, owners []int,
) error {
	starts, err := s.startable(ctx, k, lanes)
	if err != nil {
		return err
	}
	var live []storedLane
	var of []int
	for i, l := range lanes {
		if !starts[l.run] {
			stats[owners[i]].Runs--
			continue
		}
		live, of = append(live, l), append(of, owners[i])
	}
	return s.inspectLanes(ctx, k, live, func(i int, lane store.LaneRecord) {
		q := &stats[of[i]]
		q.Waiting += lane.Waiting + lane.Recovered + lane.Staged
		if !lane.Oldest.IsZero() && (q.Oldest.IsZero() || lane.Oldest.Before(q.Oldest)) {
			q.Oldest = lane.Oldest
		}
	})
}

// maxQueueStatRuns is the last position of a ring that QueueStats reads.
const maxQueueStatRuns = "999"

func (s *Store) runningByRoute(ctx context.Context, k *format.Keyspace) (map[store.Route]int64, error) {
	sessions, err := s.client.Do(ctx, s.client.B().Zrange().Key(k.Leases).Min("0").Max("-1").Build()).AsStrSlice()
	if err = script.Empty(s.server.Translate(ctx, "list sessions", err)); err != nil {
		return nil, err
	}
	running := make(map[store.Route]int64)
	err = s.leases(ctx, k, sessions, func(_ string, lane store.Lane) { running[lane.Route]++ })
	return running, err
}

// leases calls each for every task that the sessions of the list hold, session by session.
func (s *Store) leases(
	ctx context.Context, k *format.Keyspace, sessions []string, each func(session string, lane store.Lane),
) error {
	cmds := make(rueidis.Commands, 0, len(sessions))
	for _, session := range sessions {
		cmds = append(cmds, s.client.B().Hkeys().Key(k.Session(session)).Build())
	}
	for i, r := range s.client.DoMulti(ctx, cmds...) {
		fields, err := r.AsStrSlice()
		if err = script.Empty(s.server.Translate(ctx, "list what a session holds", err)); err != nil {
			return err
		}
		for _, f := range fields {
			if lease, ok := format.ParseLeaseField(sessions[i], f); ok {
				each(sessions[i], lease.Lane)
			}
		}
	}
	return nil
}

// countHeld counts one more task of a route that a session holds. The records of a session are the
// last ones.
func countHeld(records []store.HeldRecord, session string, route store.Route) []store.HeldRecord {
	for i := len(records) - 1; i >= 0 && records[i].Session == session; i-- {
		if records[i].Route == route {
			records[i].Held++
			return records
		}
	}
	return append(records, store.HeldRecord{Session: session, Route: route, Held: 1})
}

// startable tells the runs of lanes that were not stopped: tasks of others never start.
func (s *Store) startable(ctx context.Context, k *format.Keyspace, lanes []storedLane) (map[string]bool, error) {
	starts := make(map[string]bool)
	var runs []string
	for _, l := range lanes {
		if _, known := starts[l.run]; !known {
			starts[l.run] = false
			runs = append(runs, l.run)
		}
	}
	for chunk := range slices.Chunk(runs, 500) {
		cmds := make(rueidis.Commands, 0, len(chunk))
		for _, run := range chunk {
			cmds = append(cmds, s.client.B().Hmget().Key(k.Run(run)).Field("state").Build())
		}
		for i, r := range s.client.DoMulti(ctx, cmds...) {
			state, err := script.First(r.ToArray())
			if err = s.server.Translate(ctx, "read a run", err); err != nil && !errors.Is(err, store.ErrCorrupt) {
				return nil, err
			}
			status := store.Status(state)
			starts[chunk[i]] = status == store.StatusStarting || status == store.StatusRunning
		}
	}
	return starts, nil
}
