package repair

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// repairTries is how often a run is counted that moves while it is.
const repairTries = 5

func isCorrupt(err error) bool { return errors.Is(err, store.ErrCorrupt) }

// run repairs one run of the job.
func (r *repair) run(ctx context.Context, id string) error {
	if r.found.isWrong("run:" + id) {
		return nil // it has no record any more
	}
	before := len(r.report.Damage)
	for try := 1; ; try++ {
		r.report.Damage = r.report.Damage[:before]
		x := &examination{repair: r, id: id}
		word, err := x.examine(ctx)
		if err != nil {
			return err
		}
		if word == "missing" {
			if r.p.Run != 0 {
				return store.ErrRunNotFound
			}
			return nil
		}
		if word == "still" || try == repairTries {
			if word == "moving" {
				n, _ := format.ParseInt(id)
				r.report.Moving = append(r.report.Moving, store.RunID{Job: r.p.Job, Number: n})
			}
			return x.quarantine(ctx)
		}
		if !r.p.DryRun {
			before = len(r.report.Damage) // what was mended stays mended
		}
	}
}

// examination is one look at a run: its record first, then what sessions hold of it, then
// its lanes, against the way of a task, so that none is seen twice unless a fetch came between.
type examination struct {
	*repair
	id      string
	h       map[string]string
	status  store.Status
	lanes   []examinedLane
	is      counted
	hooks   map[string]bool       // kinds of hooks that were seen
	claims  map[string]bool       // digests of IDs whose tasks were seen
	tallies map[string]int64      // leased tasks that the run counts by kind, by field
	marked  map[store.Route]int64 // staged children that a dry run would have marked again
	broken  []brokenTask          // that cannot be decoded
}

type examinedLane struct {
	route                                store.Route
	waiting, recovered, delayed, markers int64
	staged                               int64
}

// brokenTask is a message that cannot be decoded, and where it waits.
type brokenTask struct {
	key, message, where string
	route               store.Route
	err                 error
}

func (x *examination) examine(ctx context.Context) (string, error) {
	k, b := x.k, x.server.Client.B
	x.tallies = make(map[string]int64)
	x.hooks, x.claims, x.marked = make(map[string]bool), make(map[string]bool), make(map[store.Route]int64)
	var err error
	if x.h, err = x.server.Client.Do(ctx, b().Hgetall().Key(k.Run(x.id)).Build()).AsStrMap(); err != nil {
		return "", x.server.Translate(ctx, "read a run", err)
	}
	if len(x.h) == 0 {
		return "missing", nil
	}
	fixes := runFixes(x.id, x.h)
	x.status = store.Status(x.h["state"])
	for _, f := range fixes {
		if f.name == "state" {
			x.status = store.Status(f.set)
		}
	}
	if !x.status.Final() {
		if err := x.stagedLists(ctx); err != nil {
			return "", err
		}
		if err := x.readSessions(ctx); err != nil {
			return "", err
		}
	}
	if err := x.readLanes(ctx); err != nil {
		return "", err
	}
	x.count()
	if newest, err := x.server.Client.Do(ctx, b().Zrange().Key(k.Dead(x.id)).Min("-1").Max("-1").Withscores().Build()).AsZScores(); err == nil && len(newest) > 0 {
		x.is.letters = int64(newest[0].Score) // its place: as many failed
	}
	return x.apply(ctx, fixes)
}

// stagedLists looks after staged lists that nothing leads to.
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
		c := script.NewCall(k.Run(x.id), k.Prefix+key, k.Stage(x.id), k.Markers(format.LaneName(x.id, lane)), k.Session(session), k.Clock, k.Ring(lane), k.Lanes(x.id), k.Routes)
		c.Add(k.Channel, x.id).Flag(x.p.DryRun).Add(name, marker, lane, route.Queue, position)
		reply, err := x.exec(ctx, script.RepairStaged, c)
		if err != nil {
			return err
		}
		switch word := script.Text(reply[0]); {
		case word == "dropped":
			x.add(store.DamageOrphan, x.id, "staged children of lane "+lane, "their parent is gone: they are removed")
		case word == "marked" && len(reply) == 2:
			x.add(store.DamageIndex, x.id, "staged children of lane "+lane, "their parent succeeded and nothing leads to them: they wait again")
			if x.p.DryRun {
				x.marked[route] += script.Number(reply[1])
			}
		}
	}
	return nil
}

// readSessions counts what sessions hold. Those that are listed are read anew.
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
	replies := x.server.Client.DoMulti(ctx, // against the way of a task
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
		n, err := x.server.Client.Do(ctx, b().Llen().Key(x.k.Staged(x.id, format.StagedName(m, route))).Build()).AsInt64()
		if err = x.server.Translate(ctx, "read staged children", err); err != nil && !isCorrupt(err) {
			return err
		}
		l.staged += n
	}
	if l.waiting+l.recovered+l.delayed > 0 && !route.Counted() {
		x.hooks[route.Kind] = true
	}
	x.lanes = append(x.lanes, l)
	if x.p.Quick || x.status.Final() || x.status == store.StatusStopping {
		return nil
	}
	return errors.Join(
		x.readTasks(ctx, x.k.Waiting(lane), "pending", route),
		x.readTasks(ctx, x.k.Recovered(lane), "pending", route),
		x.readTasks(ctx, x.k.Delayed(lane), "delayed", route),
	)
}

// readTasks decodes every task that waits under a key.
func (x *examination) readTasks(ctx context.Context, key, where string, route store.Route) error {
	if !route.Counted() {
		where = ""
	}
	const page = 500
	for start := int64(0); ; start += page {
		cmd := x.server.Client.B().Lrange().Key(key).Start(start).Stop(start + page - 1).Build()
		if strings.HasPrefix(key, x.k.Prefix+"D:") {
			cmd = x.server.Client.B().Arbitrary("ZRANGE").Keys(key).Args(fmt.Sprint(start), fmt.Sprint(start+page-1)).Build()
		}
		messages, err := x.server.Client.Do(ctx, cmd).AsStrSlice()
		if err = x.server.Translate(ctx, "read a lane", err); isCorrupt(err) {
			return nil
		} else if err != nil {
			return err
		}
		for _, m := range messages {
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

// count sums up what was seen. Before its pre-job hook has passed, the root waits in the record.
func (x *examination) count() {
	if x.status != store.StatusStarting && x.status != store.StatusRunning {
		return // what its lanes still hold is not part of it any more
	}
	for _, l := range x.lanes {
		if l.route.Counted() {
			x.is.pending += l.waiting + l.recovered + l.staged
			x.is.delayed += l.delayed
		}
	}
	for _, n := range x.marked {
		x.is.pending += n
	}
	if x.h["root"] != "" {
		x.is.pending++
	}
}

// missingHook is the kind of the hook that is due and was not seen.
func (x *examination) missingHook() string {
	switch {
	case x.status == store.StatusFinishing && !x.hooks[store.KindPostJob]:
		return "post"
	case x.status == store.StatusStarting && !x.hooks[store.KindPreJob]:
		return "pre"
	}
	return ""
}

// apply hands what was seen to the script, which makes sure that it still holds.
func (x *examination) apply(ctx context.Context, fixes []fix) (string, error) {
	k, id := x.k, x.id
	post := x.h["postroute"]
	c := script.NewCall(k.Run(id), k.Clock, k.Due, k.Routes, k.Hist, k.Trash, k.Idle, k.Lanes(id), k.Holds(id), k.Waiting(format.LaneName(id, post)), k.Ring(post), k.Kept)
	c.Add(k.Channel, id).Flag(x.p.DryRun)
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
		c.Int(base).Add(name, l.route.Queue, string(format.NeededState(l.route))).Int64(l.waiting).Int64(l.recovered).Int64(l.delayed).Int64(l.markers)
	}
	set, why := countFixes(x.h, x.status, x.is, x.tallies)
	c.Int(len(set)/2).Add(set...).Add(why, x.missingHook())
	if err := x.buckets(ctx, c); err != nil {
		return "", err
	}
	x.leftovers(c)
	reply, err := x.exec(ctx, script.RepairRun, c)
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
		x.add(store.DamageRecord, id, "record", fixes[script.Number(at)-1].detail)
	}
	found, err := reply[2].ToArray()
	if err != nil {
		return "", script.Unexpected(script.RepairRun, "")
	}
	x.addFound(id, found)
	return script.Text(reply[0]), nil
}

// record packs what must stand still: counters, state, and virtual times.
func (x *examination) record(c *script.Call) {
	names := []string{"state", "paused", "total", "pending", "delayed", "running", "succeeded", "failed", "cancelled", "retried", "duplicates", "holds"}
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
		claimed, err := x.server.Client.Do(ctx, x.server.Client.B().Zrangebyscore().Key(x.k.Prefix+name).Min("9e15").Max("+inf").Build()).AsStrSlice()
		if err != nil {
			return x.server.Translate(ctx, "list claimed IDs", err)
		}
		for _, d := range claimed {
			if !x.claims[d] && x.status == store.StatusRunning {
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

// leftovers packs what is stored of the run beside its record.
func (x *examination) leftovers(c *script.Call) {
	names := x.found.keys[x.id]
	if len(names) > 1000 {
		names = names[:1000] // one would do
	}
	c.Int(len(names) + 3)
	for _, key := range []string{x.k.Lanes(x.id), x.k.Holds(x.id), x.k.Stage(x.id)} {
		c.Int(c.Key(key))
	}
	for _, name := range names {
		c.Int(c.Key(x.k.Prefix + name))
	}
}

// quarantine takes out what cannot be decoded.
func (x *examination) quarantine(ctx context.Context) error {
	k, id, post := x.k, x.id, x.h["postroute"]
	hooks := false
	for _, t := range x.broken {
		if !x.p.DryRun {
			letter := format.EncodeFailure(&store.Outcome{
				Lease: store.Lease{Lane: store.Lane{Route: t.route}}, Error: t.err.Error(),
				Task: store.Task{Headers: map[string]string{store.HeaderCorrupt: t.err.Error()}},
			}, "repair")
			c := script.NewCall(t.key, k.Run(id), k.Dead(id), k.Hist, k.Trash, k.Clock, k.Lanes(id),
				k.Waiting(format.LaneName(id, post)), k.Ring(post), k.Routes)
			c.Add(k.Channel, id, t.message, t.where, letter, t.err.Error())
			reply, err := x.exec(ctx, script.Quarantine, c)
			if err != nil {
				return err
			}
			if len(reply) != 1 || script.Number(reply[0]) != 1 {
				continue // a worker was faster
			}
			hooks = hooks || t.where == ""
		}
		becomes := "it has failed"
		if t.where == "" {
			becomes = "it is removed, and the hook is due again"
		}
		x.add(store.DamageTask, id, "a task of lane "+format.RouteName(t.route), fmt.Sprintf("%v: %s", t.err, becomes))
	}
	if !hooks {
		return nil
	}
	told := x.report.Damage
	again := &examination{repair: x.repair, id: id}
	_, err := again.examine(ctx)
	x.report.Damage = told
	return err
}
