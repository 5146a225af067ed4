package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// Inspect counts the tasks of a run in its sets, without using the counters. Here it is atomic, so
// the reply is always stable.
func (s *backend) Inspect(ctx context.Context, id store.RunID) (store.Inspection, error) {
	part, err := s.of(ctx, id.Job)
	if err != nil {
		return store.Inspection{}, err
	}
	defer part.unlock()
	r, err := part.run(id)
	if err != nil {
		return store.Inspection{}, err
	}
	return store.Inspection{
		Run:    copyRecord(r.rec),
		Stable: true,
		Holds:  r.holdRecords(),
		Lanes:  r.laneRecords(),
		Held:   part.heldRecords(r),
	}, nil
}

func (r *run) holdRecords() []store.HoldRecord {
	records := make([]store.HoldRecord, 0, len(r.holds))
	for _, h := range r.holds {
		records = append(records, h)
	}
	slices.SortFunc(records, func(a, b store.HoldRecord) int { return cmp.Compare(a.Name, b.Name) })
	return records
}

// laneRecords counts a root task that waits for the pre-job hook as waiting in its lane, as the
// counters do.
func (r *run) laneRecords() []store.LaneRecord {
	records := make([]store.LaneRecord, 0, len(r.lanes)+1)
	for _, l := range r.lanes {
		records = append(records, l.record())
	}
	if r.root != nil {
		i := slices.IndexFunc(records, func(l store.LaneRecord) bool { return l.Route == r.root.Route })
		if i < 0 {
			i = len(records)
			records = append(records, store.LaneRecord{Route: r.root.Route})
		}
		records[i].Waiting++
		records[i].Oldest = earlier(records[i].Oldest, r.root.Task.WaitsSince())
	}
	slices.SortFunc(records, func(a, b store.LaneRecord) int { return compareRoutes(a.Route, b.Route) })
	return records
}

func (l *lane) record() store.LaneRecord {
	rec := store.LaneRecord{
		Route:     l.route,
		Waiting:   l.waiting.n,
		Recovered: l.recovered.n,
		Delayed:   int64(l.delayed.len()),
		Oldest:    l.oldest(),
	}
	if rec.Delayed > 0 {
		rec.NextDue = l.delayed.top().due
	}
	return rec
}

// oldest returns since when the first task of the lane waits.
func (l *lane) oldest() time.Time {
	var t time.Time
	if l.waiting.n > 0 {
		t = l.waiting.front().WaitsSince()
	}
	if l.recovered.n > 0 {
		t = earlier(t, l.recovered.front().WaitsSince())
	}
	return t
}

// earlier returns the earlier of two times. A zero time means none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (p *partition) heldRecords(r *run) []store.HeldRecord {
	type key struct {
		session string
		route   store.Route
	}
	held := map[key]int64{}
	for _, sess := range p.sessions {
		for _, b := range sess.batches {
			b.each(func(_ int, h *holding) {
				if h.lane.run == r {
					held[key{sess.id.ID, h.lane.route}]++
				}
			})
		}
	}
	records := make([]store.HeldRecord, 0, len(held))
	for k, n := range held {
		records = append(records, store.HeldRecord{Session: k.session, Route: k.route, Held: n})
	}
	slices.SortFunc(records, func(a, b store.HeldRecord) int {
		return cmp.Or(cmp.Compare(a.Session, b.Session), compareRoutes(a.Route, b.Route))
	})
	return records
}

func compareRoutes(a, b store.Route) int {
	return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Set, b.Set), cmp.Compare(a.Kind, b.Kind))
}
