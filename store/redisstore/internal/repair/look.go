package repair

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/damage"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// stagedLists fixes staged lists that have no marker.
func (x *examination) stagedLists(ctx context.Context) error {
	k := x.k
	for _, key := range x.found.keys[x.id] {
		name, ok := strings.CutPrefix(key, "S:"+x.id+"/")
		marker, lane, ok2 := strings.Cut(name, "/")
		route, ok3 := format.ParseRoute(lane)
		if !ok || !ok2 || !ok3 || marker == "" || x.found.isWrong(key) {
			continue
		}
		// A delivery is named SESSION.FETCH.INDEX, and a session may have dots in its name.
		session, position := marker[1:], ""
		for range 2 {
			if i := strings.LastIndexByte(session, '.'); i >= 0 {
				session, position = session[:i], session[i+1:]+"."+position
			}
		}
		c := script.NewCall(
			k.Run(x.id), k.Prefix+key, k.Stage(x.id), k.Markers(format.LaneName(x.id, lane)), k.Session(session), k.Clock,
			k.Ring(lane), k.Lanes(x.id), k.Routes,
		)
		c.Add(k.Channel, x.id).Flag(x.p.DryRun).Add(name, marker, lane, route.Queue, position)
		reply, err := x.exec(ctx, script.RepairStaged, c, x.id, func(reply []rueidis.RedisMessage) bool {
			return script.Text(reply[0]) != "sound"
		})
		if err != nil {
			return err
		}
		switch word := script.Text(reply[0]); {
		case word == "dropped":
			x.add(damage.Orphan, x.id, "staged children of lane "+lane, "their parent is gone: they are removed")
		case word == "marked" && len(reply) == 2:
			x.add(
				damage.Index, x.id, "staged children of lane "+lane,
				"their parent succeeded and nothing leads to them: they wait again",
			)
			if x.p.DryRun {
				x.marked[route] += script.Number(reply[1])
			}
		}
	}
	return nil
}

// readSessions counts the tasks that sessions hold. It reads the list of sessions again.
func (x *examination) readSessions(ctx context.Context) error {
	if err := x.listed(ctx, &x.found); err != nil {
		return err
	}
	sessions := slices.DeleteFunc(sorted(x.found.sessions), func(id string) bool { return x.found.isWrong("L:" + id) })
	for chunk := range slices.Chunk(sessions, 16) {
		cmds := make(rueidis.Commands, 0, len(chunk))
		for _, id := range chunk {
			cmds = append(cmds, x.server.Client.B().Hgetall().Key(x.k.Session(id)).Build())
		}
		for i, reply := range x.server.Client.DoMulti(ctx, cmds...) {
			h, err := reply.AsStrMap()
			if err = x.server.Translate(ctx, "read a session", err); isCorrupt(err) {
				continue
			} else if err != nil {
				return err
			}
			for field, message := range h {
				lease, ok := format.ParseLeaseField(chunk[i], field)
				if !ok || format.RunID(lease.Lane.Run.Number) != x.id {
					continue
				}
				if !lease.Lane.Route.Counted() {
					x.hooks[lease.Lane.Route.Kind] = true
					continue
				}
				x.is.running++
				if lease.Tallied {
					x.tallies["n:"+lease.Lane.Route.Set+"/"+lease.Lane.Route.Kind]++
				}
				if task, err := format.DecodeTask(message); err == nil && task.Claimed {
					x.claim(task.ID)
				}
			}
		}
	}
	return nil
}

func (x *examination) claim(id string) {
	d, _ := format.Digest(id)
	x.claims[d] = true
}

func (x *examination) readLanes(ctx context.Context) error {
	names, err := x.server.Client.Do(ctx, x.server.Client.B().Smembers().Key(x.k.Lanes(x.id)).Build()).AsStrSlice()
	if err = x.server.Translate(ctx, "list lanes", err); err != nil && !isCorrupt(err) {
		return err
	}
	names = append(names, x.found.lanes[x.id]...)
	if post := x.h["postroute"]; post != "" {
		names = append(names, post)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		route, ok := format.ParseRoute(name)
		if !ok {
			continue
		}
		if err := x.readLane(ctx, name, route); err != nil {
			return err
		}
	}
	return nil
}

func (x *examination) readLane(ctx context.Context, name string, route store.Route) error {
	lane := format.LaneName(x.id, name)
	l := examinedLane{route: route}
	b := x.server.Client.B
	replies := x.server.Client.DoMulti(ctx, // in the reverse order of a task's way
		b().Zcard().Key(x.k.Delayed(lane)).Build(),
		b().Llen().Key(x.k.Recovered(lane)).Build(),
		b().Llen().Key(x.k.Waiting(lane)).Build(),
		b().Lrange().Key(x.k.Markers(lane)).Start(0).Stop(-1).Build(),
	)
	for i, into := range []*int64{&l.delayed, &l.recovered, &l.waiting} {
		n, err := replies[i].AsInt64()
		if err = x.server.Translate(ctx, "read a lane", err); err != nil && !isCorrupt(err) {
			return err
		}
		*into = n
	}
	markers, err := replies[3].AsStrSlice()
	if err = x.server.Translate(ctx, "read a lane", err); err != nil && !isCorrupt(err) {
		return err
	}
	l.markers = int64(len(markers))
	for _, m := range markers {
		n, err := x.server.Client.Do(ctx, b().Llen().Key(x.k.Staged(x.id, format.StagedName(m, route))).Build()).
			AsInt64()
		if err = x.server.Translate(ctx, "read staged children", err); err != nil && !isCorrupt(err) {
			return err
		}
		l.staged += n
	}
	if l.waiting+l.recovered+l.delayed > 0 && !route.Counted() {
		x.hooks[route.Kind] = true
	}
	x.lanes = append(x.lanes, l)
	if x.p.Quick || x.status.Final() || x.status == statuses.Stopping {
		if retrying := "y:" + name; x.h[retrying] != "" { // nobody counts it again
			x.tallies[retrying], _ = format.ParseInt(x.h[retrying])
		}
		return nil
	}
	return errors.Join(
		x.readTasks(ctx, x.k.Waiting(lane), "pending", route), x.readTasks(ctx, x.k.Recovered(lane), "pending", route),
		x.readTasks(ctx, x.k.Delayed(lane), "delayed", route),
	)
}

// readTasks decodes all waiting tasks of a key.
func (x *examination) readTasks(ctx context.Context, key, where string, route store.Route) error {
	if !route.Counted() {
		where = ""
	}
	const page = 500
	for start := int64(0); ; start += page {
		cmd := x.server.Client.B().Lrange().Key(key).Start(start).Stop(start + page - 1).Build()
		if strings.HasPrefix(key, x.k.Prefix+"D:") {
			cmd = x.server.Client.B().
				Arbitrary("ZRANGE").
				Keys(key).
				Args(fmt.Sprint(start), fmt.Sprint(start+page-1)).
				Build()
		}
		messages, err := x.server.Client.Do(ctx, cmd).AsStrSlice()
		if err = x.server.Translate(ctx, "read a lane", err); isCorrupt(err) {
			return nil
		} else if err != nil {
			return err
		}
		for _, m := range messages {
			if where == "delayed" && format.Retried(m) {
				x.tallies["y:"+format.RouteName(route)]++
			}
			task, err := format.DecodeTask(m)
			switch {
			case err != nil:
				x.broken = append(x.broken, brokenTask{key, m, where, route, err})
			case task.Claimed:
				x.claim(task.ID)
			}
		}
		if len(messages) < page {
			return nil
		}
	}
}
