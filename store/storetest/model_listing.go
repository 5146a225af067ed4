package storetest

import (
	"github.com/rollcall-go/rollcall/store"
)

// statusOf is where the listing has a task that it lists.
func (m *machine) statusOf(r *modelRun, t *modelTask) store.TaskStatus {
	switch {
	case t.place == held:
		return store.TaskRunning
	case t.place == awaiting && t.retry > 0:
		return store.TaskRetrying
	case t.place == awaiting:
		return store.TaskDelayed
	case r.paused || r.status == store.StatusStarting || m.m.pauses.cover(t.item.Route):
		return store.TaskHeld
	}
	return store.TaskWaiting
}

// checkListing compares the tasks that are listed of a run with those that are there, and their
// sums with its counts.
func (m *machine) checkListing(r *modelRun) {
	s := m.s
	type listed struct {
		id     string
		route  store.Route
		status store.TaskStatus
	}
	want := make(map[listed]int)
	for _, t := range r.tasks {
		if t.item.Route.Counted() && t.place != ended {
			want[listed{t.item.Task.ID, t.item.Route, m.statusOf(r, t)}]++
		}
	}
	for _, f := range r.failures {
		want[listed{f.task.item.Task.ID, f.task.item.Route, store.TaskFailed}]++
	}
	got := make(map[listed]int)
	all, err := listTasks(s.ctx, s.store, store.TasksParams{Run: r.id, Limit: 7})
	s.NoError(err)
	for _, rec := range all {
		got[listed{rec.Task.ID, rec.Route, rec.Status}]++
	}
	c, sum := r.counts(), countsOf(countTasks(all))
	c.Failed = int64(len(r.failures)) // only these are kept
	s.Equal(want, got, "the tasks of %v", r.id)
	s.Equal(store.Counts{Pending: c.Pending, Delayed: c.Delayed, Running: c.Running, Failed: c.Failed}, sum)
}
