package filestore

import (
	"context"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// QueueStats sums up the tasks of all runs, and adds the figures.
func (b *backend) QueueStats(ctx context.Context, _ int) ([]store.QueueRecord, error) {
	return read(ctx, b, 0, func(s *state, _ int) (all []store.QueueRecord, err error) {
		of := func(r store.Route) *store.QueueRecord {
			rec := find(&all, func(rec *store.QueueRecord) bool { return rec.Route == r })
			rec.Route = r
			return rec
		}
		early := *s
		early.now = time.Time{} // then nothing has expired: it is counted where it lies
		for _, r := range s.Runs {
			waits := map[store.Route]bool{}
			for _, t := range early.listing(r, &store.TasksParams{}) {
				rec := of(t.Route)
				depth := map[statuses.TaskStatus]*int64{
					statuses.TaskWaiting: &rec.Waiting, statuses.TaskHeld: &rec.Held, statuses.TaskDelayed: &rec.Delayed,
					statuses.TaskRetrying: &rec.Retrying, statuses.TaskRunning: &rec.Running,
				}[t.Status]
				if depth == nil { // it has ended
					continue
				}
				*depth++
				if t.Status == statuses.TaskWaiting || t.Status == statuses.TaskHeld {
					rec.Oldest = earlier(rec.Oldest, t.Task.WaitsSince())
					if !waits[t.Route] {
						waits[t.Route] = true
						rec.Runs++
					}
				}
			}
		}
		for _, f := range s.Figures {
			of(f.Route).Enter(f.Figures)
		}
		return all, nil
	})
}

// ReadHistory reads points.
func (b *backend) ReadHistory(ctx context.Context, p store.HistoryParams) ([]store.HistoryPoint, error) {
	return read(ctx, b, p, func(s *state, p store.HistoryParams) ([]store.HistoryPoint, error) {
		all := s.Minutes
		if p.Hours {
			all = s.Hours
		}
		return rules.PointsOf(slices.Clone(all), &p), nil
	})
}
