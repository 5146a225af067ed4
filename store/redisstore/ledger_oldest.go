package redisstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// readOldest reads the first tasks of lanes, those of the oldest runs first. No task waits for
// longer than its run is there. So it ends at the first run that began later than a task that was
// found waits. A message is read as a whole, so it looks only at some that may be long.
func (d *depths) readOldest(ctx context.Context) error {
	for _, q := range d.routes {
		slices.SortFunc(q.fronts, func(a, b waitingLane) int { return cmp.Compare(a.number, b.number) })
	}
	for n, more := frontsAtOnce, true; more; n *= 4 {
		more = false
		var lanes []waitingLane
		for _, q := range d.routes {
			for i := 0; i < n && len(q.fronts) > 0; i++ {
				front := q.fronts[0]
				if !q.Oldest.IsZero() && front.number > q.Oldest.UnixMicro() {
					q.fronts = nil
					break
				}
				more = true
				if q.fronts = q.fronts[1:]; front.longest > longMessage {
					if d.long += front.longest; d.long > longBytes {
						continue
					}
				}
				lanes = append(lanes, front)
			}
		}
		for some := range slices.Chunk(lanes, runsAtOnce) {
			if err := d.readFronts(ctx, some); err != nil {
				return err
			}
		}
	}
	return nil
}

// readFronts notes since when the first tasks of lanes wait. Where none waits in the list, others
// of the lane do.
func (d *depths) readFronts(ctx context.Context, lanes []waitingLane) error {
	cmds := make(rueidis.Commands, len(lanes))
	for i, l := range lanes {
		cmds[i] = d.client.B().Lindex().Key(d.k.Waiting(format.LaneName(l.run, l.route))).Index(0).Build()
	}
	var others []storedLane
	for i, r := range d.client.DoMulti(ctx, cmds...) {
		q := d.at(lanes[i].route)
		switch err := r.Error(); {
		case isNil(err):
			others = append(others, lanes[i].storedLane)
		case script.Empty(d.server.Translate(ctx, "read a lane", err)) != nil:
			return d.server.Translate(ctx, "read a lane", err)
		default:
			q.Oldest = earlier(q.Oldest, waitsSince(r, false))
		}
	}
	return d.inspectLanes(ctx, d.k, others, func(i int, lane store.LaneRecord) {
		q := d.at(others[i].route)
		q.Oldest = earlier(q.Oldest, lane.Oldest)
	})
}
