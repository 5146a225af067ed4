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
	if before.Status == store.StatusStarting && before.Root != (store.Route{}) {
		// The root task waits in the run itself until the pre-job hook has passed.
		out.Lanes = append(out.Lanes, store.LaneRecord{Route: before.Root, Waiting: 1, Oldest: before.Created})
	}
	for _, name := range routes {
		lane, err := s.inspectLane(ctx, k, run, name)
		if err != nil {
			return out, err
		}
		if before.Status == store.StatusStarting && lane.Route == before.Root {
			lane.Waiting, lane.Oldest = lane.Waiting+1, before.Created
			out.Lanes[0] = lane // in addition to the root task
			continue
		}
		out.Lanes = append(out.Lanes, lane)
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

func (s *Store) inspectLane(ctx context.Context, k *format.Keyspace, run, name string) (store.LaneRecord, error) {
	route, _ := format.ParseRoute(name)
	out := store.LaneRecord{Route: route}
	lane := format.LaneName(run, name)
	b := s.client.B
	replies := s.client.DoMulti(ctx,
		b().Llen().Key(k.Waiting(lane)).Build(),
		b().Llen().Key(k.Recovered(lane)).Build(),
		b().Zcard().Key(k.Delayed(lane)).Build(),
		b().Lrange().Key(k.Markers(lane)).Start(0).Stop(-1).Build(),
		b().Zrange().Key(k.Delayed(lane)).Min("0").Max("0").Withscores().Build(),
		b().Lindex().Key(k.Waiting(lane)).Index(0).Build(),
	)
	for i, into := range []*int64{&out.Waiting, &out.Recovered, &out.Delayed} {
		n, err := replies[i].AsInt64()
		if err = script.Empty(s.server.Translate(ctx, "read a lane", err)); err != nil {
			return out, err
		}
		*into = n
	}
	markers, err := replies[3].AsStrSlice()
	if err = script.Empty(s.server.Translate(ctx, "read a lane", err)); err != nil {
		return out, err
	}
	first, err := replies[4].AsZScores()
	if err = script.Empty(s.server.Translate(ctx, "read a lane", err)); err != nil && !isNil(err) {
		return out, err
	}
	if len(first) > 0 {
		out.NextDue = time.UnixMilli(int64(first[0].Score))
	}
	if message, err := replies[5].ToString(); err == nil {
		if task, err := format.DecodeTask(message); err == nil {
			out.Oldest = task.Enqueued
		}
	}
	cmds := make(rueidis.Commands, 0, len(markers))
	for _, m := range markers {
		cmds = append(cmds, b().Llen().Key(k.Staged(run, m+"/"+name)).Build())
	}
	for _, r := range s.client.DoMulti(ctx, cmds...) {
		n, err := r.AsInt64()
		if err = script.Empty(s.server.Translate(ctx, "read staged children", err)); err != nil {
			return out, err
		}
		out.Staged += n
	}
	return out, nil
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
	for _, name := range slices.Compact(routes) {
		route, ok := format.ParseRoute(name)
		if !ok || !route.Counted() {
			continue
		}
		q, err := s.queueStats(ctx, k, route)
		if err != nil {
			return nil, err
		}
		if q.Running = running[route]; q.Waiting+q.Running > 0 {
			out = append(out, q)
		}
	}
	return out, nil
}

// queueStats adds up the waiting tasks of a route.
func (s *Store) queueStats(ctx context.Context, k *format.Keyspace, route store.Route) (store.QueueRecord, error) {
	q := store.QueueRecord{Route: route}
	name := format.RouteName(route)
	b := s.client.B
	replies := s.client.DoMulti(ctx,
		b().Zcard().Key(k.Ring(name)).Build(),
		b().Zrange().Key(k.Ring(name)).Min("0").Max(maxQueueStatRuns).Build(),
	)
	var err error
	q.Runs, err = replies[0].AsInt64()
	if err = script.Empty(s.server.Translate(ctx, "read a ring", err)); err != nil {
		return q, err
	}
	all, err := replies[1].AsStrSlice()
	if err = script.Empty(s.server.Translate(ctx, "read a ring", err)); err != nil {
		return q, err
	}
	runs, err := s.startable(ctx, k, all)
	if err != nil {
		return q, err
	}
	q.Runs -= int64(len(all) - len(runs))
	for _, run := range runs {
		lane, err := s.inspectLane(ctx, k, run, name)
		if err != nil {
			return q, err
		}
		q.Waiting += lane.Waiting + lane.Recovered + lane.Staged
		if !lane.Oldest.IsZero() && (q.Oldest.IsZero() || lane.Oldest.Before(q.Oldest)) {
			q.Oldest = lane.Oldest
		}
	}
	return q, nil
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

// startable leaves out stopped runs: tasks that are left in their lanes never start.
func (s *Store) startable(ctx context.Context, k *format.Keyspace, runs []string) ([]string, error) {
	cmds := make(rueidis.Commands, 0, len(runs))
	for _, run := range runs {
		cmds = append(cmds, s.client.B().Hmget().Key(k.Run(run)).Field("state").Build())
	}
	var out []string
	for i, r := range s.client.DoMulti(ctx, cmds...) {
		state, err := script.First(r.ToArray())
		if err = s.server.Translate(ctx, "read a run", err); err != nil && !errors.Is(err, store.ErrCorrupt) {
			return nil, err
		}
		if status := store.Status(state); status == store.StatusStarting || status == store.StatusRunning {
			out = append(out, runs[i])
		}
	}
	return out, nil
}
