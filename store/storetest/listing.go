package storetest

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// CountTasks lists all tasks of a run that have not succeeded and counts them by route and status.
// While nothing moves, the sums are those of the run's counts: waiting and held tasks are the
// pending ones, delayed and retrying tasks the delayed ones. Of the failed tasks it counts those
// that the run keeps.
func CountTasks(
	ctx context.Context, s store.Store, run store.RunID,
) (map[store.Route]map[store.TaskStatus]int64, error) {
	all, err := listTasks(ctx, s, store.TasksParams{Run: run, Limit: bounds.MaxPage})
	return countTasks(all), err
}

func countTasks(all []store.TaskRecord) map[store.Route]map[store.TaskStatus]int64 {
	counts := make(map[store.Route]map[store.TaskStatus]int64)
	for i := range all {
		t := &all[i]
		if counts[t.Route] == nil {
			counts[t.Route] = make(map[store.TaskStatus]int64)
		}
		counts[t.Route][t.Status]++
	}
	return counts
}

// listTasks reads all pages.
func listTasks(ctx context.Context, s store.Runs, p store.TasksParams) (all []store.TaskRecord, err error) {
	for {
		page, err := s.Tasks(ctx, p)
		if err != nil {
			return all, err
		}
		all = append(all, page.Tasks...)
		if p.Cursor = page.Next; p.Cursor == "" {
			return all, nil
		}
	}
}

// countsOf sums up a listing as a run counts.
func countsOf(byRoute map[store.Route]map[store.TaskStatus]int64) (c store.Counts) {
	for _, by := range byRoute {
		c.Pending += by[store.TaskWaiting] + by[store.TaskHeld]
		c.Delayed += by[store.TaskDelayed] + by[store.TaskRetrying]
		c.Running += by[store.TaskRunning]
		c.Failed += by[store.TaskFailed]
	}
	return c
}

// list reads the tasks of the run that p selects. Without a limit, a page looks at as many as it
// may.
func (r *run) list(p store.TasksParams) []store.TaskRecord {
	r.s.tb.Helper()
	if p.Run = r.id; p.Limit == 0 {
		p.Limit = bounds.MaxPage
	}
	all, err := listTasks(r.s.ctx, r.s.store, p)
	r.s.NoError(err)
	return all
}

// listed requires that the listing has as many tasks as the run counts, and returns it by ID.
func (r *run) listed() map[string]store.TaskRecord {
	r.s.tb.Helper()
	c := r.record().Counts
	by, err := CountTasks(r.s.ctx, r.s.store, r.id)
	r.s.NoError(err)
	r.s.Equal(
		store.Counts{Pending: c.Pending, Delayed: c.Delayed, Running: c.Running, Failed: c.Failed}, countsOf(by),
		"the listing has what the run counts",
	)
	all := make(map[string]store.TaskRecord)
	for _, rec := range r.list(store.TasksParams{Payload: true}) {
		all[rec.Task.ID] = rec
	}
	return all
}
