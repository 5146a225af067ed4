package storetest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// CountTasks lists all tasks of a run that have not succeeded and counts them by route and status.
// While nothing moves, the sums are those of the run's counts: waiting and held tasks are the
// pending ones, delayed and retrying tasks the delayed ones. Of the failed tasks it counts those
// that the run keeps.
func CountTasks(
	ctx context.Context, s store.Store, run store.RunID,
) (map[store.Route]map[statuses.TaskStatus]int64, error) {
	all, err := listTasks(ctx, s, store.TasksParams{Run: run, Limit: bounds.MaxPage})
	return countTasks(all), err
}

func countTasks(all []store.TaskRecord) map[store.Route]map[statuses.TaskStatus]int64 {
	counts := make(map[store.Route]map[statuses.TaskStatus]int64)
	for i := range all {
		t := &all[i]
		if counts[t.Route] == nil {
			counts[t.Route] = make(map[statuses.TaskStatus]int64)
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
func countsOf(byRoute map[store.Route]map[statuses.TaskStatus]int64) (c store.Counts) {
	for _, by := range byRoute {
		c.Pending += by[statuses.TaskWaiting] + by[statuses.TaskHeld]
		c.Delayed += by[statuses.TaskDelayed] + by[statuses.TaskRetrying]
		c.Running += by[statuses.TaskRunning]
		c.Failed += by[statuses.TaskFailed]
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

// history sums up the points of minutes, or of hours, of about the last hour, by route.
func (s *scene) history(partition int, hours bool) map[store.Route]store.Figures {
	s.tb.Helper()
	sums := make(map[store.Route]store.Figures)
	for _, p := range s.points(partition, hours) {
		f := sums[p.Route]
		sums[p.Route] = store.Figures{
			Enqueued: f.Enqueued + p.Enqueued, Succeeded: f.Succeeded + p.Succeeded, Failed: f.Failed + p.Failed,
			Retried: f.Retried + p.Retried, Other: f.Other + p.Other,
		}
	}
	return sums
}

// took sums up their histograms.
func (s *scene) took(partition int, hours bool) map[store.Route]store.Times {
	s.tb.Helper()
	sums := make(map[store.Route]store.Times)
	for _, p := range s.points(partition, hours) {
		s.NoError(p.Wait.Validate())
		s.NoError(p.Run.Validate())
		if sum := sums[p.Route].Plus(p.Times); sum.Wait != nil || sum.Run != nil {
			sums[p.Route] = sum
		}
	}
	return sums
}

// points reads the points of minutes, or of hours, of about the last hour. Those of one time are
// there once.
func (s *scene) points(partition int, hours bool) []store.HistoryPoint {
	s.tb.Helper()
	promoted, err := s.store.Promote(s.ctx, partition)
	s.NoError(err)
	points, err := s.store.ReadHistory(s.ctx, store.HistoryParams{
		Partition: partition, Hours: hours, From: promoted.Now.Add(-time.Hour), To: promoted.Now.Add(2 * time.Minute),
	})
	s.NoError(err)
	type place struct {
		route store.Route
		at    int64
	}
	seen := make(map[place]bool)
	last := time.Time{}
	for _, p := range points {
		s.False(seen[place{p.Route, p.At.Unix()}], "two points of %v at %v", p.Route, p.At)
		seen[place{p.Route, p.At.Unix()}] = true
		s.True(p.At.Equal(p.At.Truncate(time.Minute)), "%v is no whole minute", p.At)
		s.False(p.At.Before(last), "%v is behind %v", p.At, last)
		last = p.At
	}
	return points
}

// mixture is a run with tasks in every place, and the session that runs some.
func (s *scene) mixture() (*run, *worker) {
	s.tb.Helper()
	r := s.open("import")
	p, w, dead := r.producer(), r.worker(), r.worker()
	p.add(r, task(scan, "failed"))
	w.settle(failed(w.one()))
	p.add(r, task(scan, "succeeded"))
	w.succeed(w.one())
	p.add(r, task(scan, "retrying"))
	w.settle(retried(w.one(), never))
	p.add(r, task(scan, "snoozed"))
	w.settle(snoozed(w.one(), never))
	p.add(r, task(scan, "recovered"))
	dead.one()
	dead.close()
	p.add(r, task(file, "parent"))
	w.queues = only(file)
	parent := w.one()
	s.NoError(w.stage(parent, file, 0, tasks(file, "child", 5)...))
	w.settle(withStaged(success(parent), staged(file, 5)))
	w.queues = only(scan)
	p.add(r, tasks(scan, "running", 2)...)
	ds := slices.DeleteFunc(w.take(3), func(d store.Delivery) bool {
		if d.Task.ID == "recovered" {
			w.settle(plain(d, verdicts.Release))
			return true
		}
		return false
	})
	s.NoError(w.stage(ds[0], scan, 0, task(scan, "invisible")))
	p.add(r, append(tasks(scan, "waiting", 7), delayed(scan, "delayed", never), delayed(file, "delayed too", never))...)
	return r, w
}

// mixed is what a mixture lists.
func mixed() map[string]statuses.TaskStatus {
	want := map[string]statuses.TaskStatus{
		"failed": statuses.TaskFailed, "retrying": statuses.TaskRetrying, "snoozed": statuses.TaskDelayed,
		"recovered": statuses.TaskWaiting, "running/0": statuses.TaskRunning, "running/1": statuses.TaskRunning,
		"delayed": statuses.TaskDelayed, "delayed too": statuses.TaskDelayed,
	}
	for i := range 5 {
		want[fmt.Sprint("child/", i)] = statuses.TaskWaiting
	}
	for i := range 7 {
		want[fmt.Sprint("waiting/", i)] = statuses.TaskWaiting
	}
	return want
}

func statusesOf(all []store.TaskRecord) map[string]statuses.TaskStatus {
	by := make(map[string]statuses.TaskStatus)
	for _, rec := range all {
		by[rec.Task.ID] = rec.Status
	}
	return by
}

func pickEven(i int, even, odd store.Outcome) store.Outcome {
	if i%2 == 0 {
		return even
	}
	return odd
}
