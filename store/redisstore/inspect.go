package redisstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/statuses"
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
	aside = aside && before.Status == statuses.Starting
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
	const commands = 7
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
			b().Lindex().Key(k.Recovered(lane)).Index(0).Build(),
		)
	}
	replies := s.client.DoMulti(ctx, cmds...)
	records := make([]store.LaneRecord, len(lanes))
	var staged rueidis.Commands
	type stagedList struct {
		lane    int // its index
		special bool
	}
	var lists []stagedList
	for i, l := range lanes {
		markers, err := s.decodeLane(ctx, replies[commands*i:commands*(i+1)], &records[i])
		if err != nil {
			return nil, err
		}
		records[i].Route, _ = format.ParseRoute(l.route)
		for _, m := range markers {
			key := k.Staged(l.run, m+"/"+l.route)
			staged = append(staged, b().Llen().Key(key).Build(), b().Lindex().Key(key).Index(0).Build())
			lists = append(lists, stagedList{i, strings.HasPrefix(m, "x")})
		}
	}
	replies = s.client.DoMulti(ctx, staged...)
	for i, list := range lists {
		n, err := replies[2*i].AsInt64()
		if err = script.Empty(s.server.Translate(ctx, "read staged children", err)); err != nil {
			return nil, err
		}
		records[list.lane].Staged += n
		records[list.lane].Oldest = earlier(records[list.lane].Oldest, waitsSince(replies[2*i+1], list.special))
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
	out.Oldest = earlier(waitsSince(replies[5], false), waitsSince(replies[6], false))
	return markers, nil
}

// waitsSince is since when the task of a message waits; zero if there is none, or it cannot be
// read. special says that the message is one of a list of staged children that are, which has the
// due time in front.
func waitsSince(r rueidis.RedisResult, special bool) time.Time {
	message, _ := r.ToString()
	if special {
		_, message, _ = strings.Cut(message, " ")
	}
	task, err := format.DecodeTask(message)
	if err != nil {
		return time.Time{}
	}
	return task.WaitsSince()
}

// earlier returns the earlier of two times. Zero means no time.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
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
