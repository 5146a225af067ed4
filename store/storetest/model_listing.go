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
// sums with its counts. It returns the list.
func (m *machine) checkListing(r *modelRun) []store.TaskRecord {
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
	return all
}

// checkLedger compares the ledger of the store with the sums over the tasks that it lists, and with
// what the operations did.
func (m *machine) checkLedger(listed map[*modelRun][]store.TaskRecord) {
	s := m.s
	stats, err := s.store.QueueStats(s.ctx, 0)
	s.NoError(err)
	depths, figures := make(map[store.Route]store.QueueRecord), make(map[store.Route]store.QueueRecord)
	oldest := make(map[store.Route]int64)
	for _, q := range stats {
		s.NotContains(depths, q.Route)
		depths[q.Route], figures[q.Route] = depthsOf(q), figuresOf(q)
		if !q.Oldest.IsZero() {
			oldest[q.Route] = q.Oldest.UnixMilli()
		}
	}
	sums, first := make(map[store.Route]store.QueueRecord), make(map[store.Route]int64)
	for _, all := range listed {
		addListed(sums, first, all)
	}
	want := make(map[store.Route]store.QueueRecord)
	for r, q := range m.m.ledger {
		want[r] = *q
		if _, has := sums[r]; !has {
			sums[r] = store.QueueRecord{Route: r}
		}
	}
	s.Equal(sums, depths, "how many tasks there are")
	s.Equal(want, figures, "how many tasks there were")
	for r, at := range oldest {
		s.Contains(first, r)
		s.LessOrEqual(first[r], at, "the first of a lane is not older than all that is listed of %v", r)
	}
}

// addListed adds the tasks that are listed of a run, and since when the oldest waits.
func addListed(sums map[store.Route]store.QueueRecord, oldest map[store.Route]int64, all []store.TaskRecord) {
	waits := make(map[store.Route]bool)
	for i := range all {
		t := &all[i]
		if t.Status == store.TaskFailed {
			continue
		}
		q := sums[t.Route]
		q.Route = t.Route
		switch t.Status {
		case store.TaskWaiting:
			q.Waiting++
		case store.TaskHeld:
			q.Held++
		case store.TaskDelayed:
			q.Delayed++
		case store.TaskRetrying:
			q.Retrying++
		case store.TaskRunning:
			q.Running++
		}
		if t.Status == store.TaskWaiting || t.Status == store.TaskHeld {
			since := t.Task.WaitsSince()
			if old, has := oldest[t.Route]; !since.IsZero() && (!has || since.UnixMilli() < old) {
				oldest[t.Route] = since.UnixMilli()
			}
			if !waits[t.Route] {
				waits[t.Route] = true
				q.Runs++
			}
		}
		sums[t.Route] = q
	}
}
