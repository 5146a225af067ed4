package redisstore

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// readRuns counts the tasks of each run in the lanes that the indexes name, and reads all lanes of
// those of which it did not find all.
func (d *depths) readRuns(ctx context.Context) error {
	var whole []storedLane
	for ids := range slices.Chunk(slices.Collect(maps.Keys(d.runs)), runsAtOnce) {
		more, err := d.readSome(ctx, ids)
		if err != nil {
			return err
		}
		cmds := make(rueidis.Commands, len(more))
		for i, id := range more {
			cmds[i] = d.client.B().Smembers().Key(d.k.Lanes(id)).Build()
		}
		for i, r := range d.client.DoMulti(ctx, cmds...) {
			routes, err := r.AsStrSlice()
			if err = script.Empty(d.server.Translate(ctx, "list lanes", err)); err != nil {
				return err
			}
			for _, name := range routes {
				whole = append(whole, storedLane{more[i], name})
			}
		}
	}
	return d.inspectLanes(ctx, d.k, whole, func(i int, lane store.LaneRecord) {
		q := d.at(whole[i].route)
		if n := lane.Waiting + lane.Recovered + lane.Staged; q != nil && n > 0 {
			d.runs[whole[i].run].wait(q, n)
			q.Oldest = earlier(q.Oldest, lane.Oldest)
		}
	})
}

// wait counts tasks of a run that wait under a route, apart from its root.
func (r *runDepth) wait(q *depth, n int64) {
	if q != r.root {
		q.Runs++
	}
	if r.held || q.closed {
		q.Held += n
	} else {
		q.Waiting += n
	}
}

// readSome counts the tasks of some runs. It returns those of which more wait, or fewer, than it
// found; of these it counts no waiting tasks.
func (d *depths) readSome(ctx context.Context, ids []string) (more []string, err error) {
	b := d.client.B
	var cmds rueidis.Commands
	for _, id := range ids {
		r := d.runs[id]
		fields := append(make([]string, 0, 8), "state", "paused", "pending", "maxlen")
		for _, name := range r.delays {
			fields = append(fields, "y:"+name)
		}
		if r.starting {
			fields = append(fields, "routes", "root")
		}
		cmds = append(cmds, b().Hmget().Key(d.k.Run(id)).Field(fields...).Build())
		for _, name := range r.measured() {
			cmds = append(cmds, b().Llen().Key(d.k.Waiting(format.LaneName(id, name))).Build())
		}
		for _, name := range r.delays {
			cmds = append(cmds, b().Zcard().Key(d.k.Delayed(format.LaneName(id, name))).Build())
		}
	}
	replies := d.client.DoMulti(ctx, cmds...)
	for _, id := range ids {
		r := d.runs[id]
		n := 1 + len(r.measured()) + len(r.delays)
		found, err := d.count(ctx, id, r, replies[:n])
		if err != nil {
			return nil, err
		}
		if !found {
			more = append(more, id)
		}
		replies = replies[n:]
	}
	return more, nil
}

// isSimple reports whether all that waits in a run waits in its one lane.
func (r *runDepth) isSimple() bool { return len(r.waits) == 1 && !r.starting }

// measured are the lanes with waiting tasks whose length must be asked for.
func (r *runDepth) measured() []string {
	if r.isSimple() {
		return nil
	}
	return r.waits
}

// count counts the tasks of a run, and reports whether those that wait are as many as the run says.
// A run that ended, or is stopping, has none, whatever is left in its lanes.
func (d *depths) count(
	ctx context.Context,
	id string,
	r *runDepth,
	replies []rueidis.RedisResult,
) (found bool, err error) {
	v, err := replies[0].ToArray()
	if err = d.server.Translate(ctx, "read a run", err); errors.Is(err, store.ErrCorrupt) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	state := statuses.Status(script.Text(v[0]))
	if state != statuses.Running && state != statuses.Starting {
		return true, nil
	}
	r.held = state == statuses.Starting || !v[1].IsNil()
	sizes, err := d.sizes(ctx, replies[1:])
	if err != nil {
		return false, err
	}
	lengths := sizes[len(sizes)-len(r.delays):]
	for i, name := range r.delays {
		q, all := d.at(name), lengths[i]
		retrying := min(script.Integer(v[4+i]), all)
		q.Retrying += retrying
		q.Delayed += all - retrying
	}
	pending := script.Integer(v[2])
	if r.isSimple() {
		if r.held { // other lanes may be in no ring
			return false, nil
		}
		sizes = []int64{pending}
	}
	if state == statuses.Starting && r.starting {
		n := len(v)
		pending -= d.root(r, script.Text(v[n-2]), script.Text(v[n-1]))
	}
	for i := range r.waits {
		pending -= sizes[i]
	}
	if pending != 0 {
		return false, nil
	}
	number, _ := format.ParseInt(id)
	for i, name := range r.waits {
		if q := d.at(name); sizes[i] > 0 {
			r.wait(q, sizes[i])
			q.fronts = append(q.fronts, waitingLane{storedLane{id, name}, number, script.Integer(v[3])})
		}
	}
	return true, nil
}

// sizes reads the sizes of places.
func (d *depths) sizes(ctx context.Context, replies []rueidis.RedisResult) (sizes []int64, err error) {
	sizes = make([]int64, len(replies))
	for i, r := range replies {
		if sizes[i], err = r.AsInt64(); err == nil {
			continue
		}
		if err = script.Empty(d.server.Translate(ctx, "read a lane", err)); err != nil {
			return nil, err
		}
	}
	return sizes, nil
}

// root counts the root task of a run whose pre-job hook has not passed. It returns 0 if there is
// none.
func (d *depths) root(r *runDepth, routes, message string) int64 {
	q := d.at(format.ParseMeta("", routes).Root)
	if message == "" || q == nil {
		return 0
	}
	r.wait(q, 1)
	r.root = q
	if task, err := format.DecodeTask(message); err == nil {
		q.Oldest = earlier(q.Oldest, task.WaitsSince())
	}
	return 1
}
