package filestore

import (
	"context"
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// Inspect counts the tasks of a run.
func (b *backend) Inspect(ctx context.Context, id store.RunID) (store.Inspection, error) {
	return read(ctx, b, id, (*state).inspect)
}

func (s *state) inspect(id store.RunID) (store.Inspection, error) {
	r, err := s.run(id)
	if err != nil {
		return store.Inspection{}, err
	}
	in := store.Inspection{Run: s.record(r), Stable: true}
	for _, name := range slices.Sorted(maps.Keys(r.OpenHolds)) {
		in.Holds = append(in.Holds, r.OpenHolds[name])
	}
	for _, t := range r.Tasks {
		if t.Place == held {
			h := find(&in.Held, func(h *store.HeldRecord) bool {
				return h.Session == t.Lease.Session && h.Route == t.Route
			})
			h.Session, h.Route, h.Held = t.Lease.Session, t.Route, h.Held+1
			continue
		}
		if t.Place == staged || t.Place == aside && !t.Route.Counted() {
			continue // nobody counts them yet
		}
		l := find(&in.Lanes, func(l *store.LaneRecord) bool { return l.Route == t.Route })
		l.Route = t.Route
		switch t.Place {
		case delayed:
			l.Delayed++
			l.NextDue = earlier(l.NextDue, t.Due)
			continue
		case recovered:
			l.Recovered++
		default:
			l.Waiting++
		}
		l.Oldest = earlier(l.Oldest, t.Task.WaitsSince())
	}
	return in, nil
}
