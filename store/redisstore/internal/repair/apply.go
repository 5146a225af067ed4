package repair

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store/damage"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// apply passes the data that was read to the script. The script checks that it has not changed.
func (x *examination) apply(ctx context.Context, fixes []fix) (string, error) {
	k, id := x.k, x.id
	post := x.h["postroute"]
	c := script.NewCall(
		k.Run(id), k.Clock, k.Due, k.Routes, k.Hist, k.Trash, k.Lanes(id), k.Holds(id),
		k.Waiting(format.LaneName(id, post)), k.Ring(post), k.Kept,
		k.Dead(id), k.Failing, k.Index, k.Job(x.p.Job),
	)
	c.Add(k.Channel, id).Flag(x.p.DryRun).Flag(id == x.found.newest())
	x.record(c)
	c.Int(len(fixes))
	for _, f := range fixes {
		c.Add(f.name, f.seen, f.set)
	}
	c.Int(len(x.lanes))
	for _, l := range x.lanes {
		name := format.RouteName(l.route)
		lane := format.LaneName(id, name)
		base := c.Key(k.Waiting(lane))
		c.Key(k.Recovered(lane))
		c.Key(k.Delayed(lane))
		c.Key(k.Markers(lane))
		c.Key(k.Ring(name))
		c.Int(base).
			Add(name, l.route.Queue, string(format.NeededState(l.route))).
			Int64(l.waiting).
			Int64(l.recovered).
			Int64(l.delayed).
			Int64(l.markers)
	}
	set, why := countFixes(x.h, x.status, x.is, x.tallies)
	c.Int(len(set)/2).Add(set...).Add(why, x.missingHook())
	if err := x.buckets(ctx, c); err != nil {
		return "", err
	}
	x.leftovers(c)
	reply, err := x.exec(ctx, script.RepairRun, c, id, func(reply []rueidis.RedisMessage) bool {
		return slices.ContainsFunc(reply, func(m rueidis.RedisMessage) bool {
			list, err := m.ToArray()
			return err == nil && len(list) > 0
		})
	})
	if err != nil {
		return "", err
	}
	if len(reply) != 3 {
		return "", script.Unexpected(script.RepairRun, script.Text(reply[0]))
	}
	wrong, err := reply[1].ToArray()
	if err != nil {
		return "", script.Unexpected(script.RepairRun, "")
	}
	for _, at := range wrong {
		x.add(damage.Record, id, "record", fixes[script.Number(at)-1].detail)
	}
	found, err := reply[2].ToArray()
	if err != nil {
		return "", script.Unexpected(script.RepairRun, "")
	}
	x.addFound(id, found)
	return script.Text(reply[0]), nil
}

// record packs the data that must not have changed: counters, state, and virtual times.
func (x *examination) record(c *script.Call) {
	names := []string{
		"state",
		"paused",
		"total",
		"pending",
		"delayed",
		"running",
		"succeeded",
		"failed",
		"cancelled",
		"retried",
		"duplicates",
		"holds",
		"hookerror",
	}
	times := 0
	for name := range x.h {
		if strings.HasPrefix(name, "v:") {
			names = append(names, name)
			times++
		}
	}
	c.Int(times).Int(len(names))
	for _, name := range names {
		c.Add(name, x.h[name])
	}
}

// buckets packs the claimed IDs whose tasks are gone, and the buckets there are.
func (x *examination) buckets(ctx context.Context, c *script.Call) error {
	claims := c.Reserve()
	var gone []string
	index := make(map[string]int)
	for _, name := range x.found.keys[x.id] {
		bucket, ok := strings.CutPrefix(name, "ids:")
		if !ok || x.status.Final() || x.found.isWrong(name) {
			continue
		}
		index[bucket] = c.Key(x.k.Prefix + name)
		claimed, err := x.server.Client.Do(ctx, x.server.Client.B().Zrangebyscore().Key(x.k.Prefix+name).Min("9e15").Max("+inf").Build()).
			AsStrSlice()
		if err != nil {
			return x.server.Translate(ctx, "list claimed IDs", err)
		}
		for _, d := range claimed {
			if !x.claims[d] && x.status == statuses.Running {
				c.Int(index[bucket]).Add(d)
				gone = append(gone, d)
			}
		}
	}
	c.Set(claims, len(gone))
	c.Int(len(index))
	for _, name := range sorted(index) {
		c.Int(index[name]).Add(name)
	}
	return nil
}

// leftovers packs what is stored of the run without its record.
func (x *examination) leftovers(c *script.Call) {
	names := x.found.keys[x.id]
	if len(names) > 1000 {
		names = names[:1000] // one is enough
	}
	c.Int(len(names) + 3)
	for _, key := range []string{x.k.Lanes(x.id), x.k.Holds(x.id), x.k.Stage(x.id)} {
		c.Int(c.Key(key))
	}
	for _, name := range names {
		c.Int(c.Key(x.k.Prefix + name))
	}
}
