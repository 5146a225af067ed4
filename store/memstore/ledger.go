package memstore

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// QueueStats reads the ledger of a partition, in one step.
func (s *backend) QueueStats(ctx context.Context, partition int) ([]store.QueueRecord, error) {
	part, err := s.at(ctx, partition)
	if err != nil {
		return nil, err
	}
	defer part.unlock()
	stats := map[store.Route]*store.QueueRecord{}
	at := func(route store.Route) *store.QueueRecord {
		if stats[route] == nil {
			stats[route] = &store.QueueRecord{Route: route}
		}
		return stats[route]
	}
	for _, r := range part.active {
		if root := r.root; root != nil {
			at(root.Route).Held++
			at(root.Route).Oldest = earlier(at(root.Route).Oldest, root.Task.WaitsSince())
			if l := r.lanes[root.Route]; l == nil || l.waiting.n+l.recovered.n == 0 {
				at(root.Route).Runs++
			}
		}
		for route, l := range r.lanes {
			if route.Counted() {
				part.measure(l, at(route))
			}
		}
	}
	for _, sess := range part.sessions {
		for _, b := range sess.batches {
			b.each(func(_ int, h *holding) {
				if h.lane.route.Counted() {
					at(h.lane.route).Running++
				}
			})
		}
	}
	for route, f := range part.ledger.figures {
		at(route).Enter(f.Figures)
	}
	records := make([]store.QueueRecord, 0, len(stats))
	for _, rec := range stats {
		if *rec != (store.QueueRecord{Route: rec.Route}) {
			records = append(records, *rec)
		}
	}
	slices.SortFunc(records, func(a, b store.QueueRecord) int { return compareRoutes(a.Route, b.Route) })
	return records, nil
}

// measure adds the tasks of a lane to the record of its route.
func (p *partition) measure(l *lane, rec *store.QueueRecord) {
	rec.Delayed += int64(l.delayed.len()) - l.retrying
	rec.Retrying += l.retrying
	n := l.waiting.n + l.recovered.n
	if n == 0 {
		return
	}
	rec.Runs++
	rec.Oldest = earlier(rec.Oldest, l.oldest())
	if r := l.run; r.rec.Paused || r.rec.Status == statuses.Starting || len(p.pauses.Covering(l.route, nil)) > 0 {
		rec.Held += n
	} else {
		rec.Waiting += n
	}
}

// ReadHistory reads points of a partition.
func (s *backend) ReadHistory(ctx context.Context, p store.HistoryParams) ([]store.HistoryPoint, error) {
	part, err := s.at(ctx, p.Partition)
	if err != nil {
		return nil, err
	}
	defer part.unlock()
	all := part.history.minutes
	if p.Hours {
		all = part.history.hours
	}
	points := rules.PointsOf(slices.Clone(all), &p)
	for i := range points {
		points[i].Times = points[i].Times.Plus(store.Times{}) // a copy
	}
	return points, nil
}
