package storetest

import (
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// statusOf is where the listing has a task that it lists.
func (m *machine) statusOf(r *modelRun, t *modelTask) statuses.TaskStatus {
	switch {
	case t.place == held:
		return statuses.TaskRunning
	case t.place == awaiting && t.retry > 0:
		return statuses.TaskRetrying
	case t.place == awaiting:
		return statuses.TaskDelayed
	case r.paused || r.status == statuses.Starting || m.m.pauses.cover(t.item.Route):
		return statuses.TaskHeld
	}
	return statuses.TaskWaiting
}

// checkListing compares the tasks that are listed of a run with those that are there, and their
// sums with its counts. It returns the list.
func (m *machine) checkListing(r *modelRun) []store.TaskRecord {
	s := m.s
	type listed struct {
		id     string
		route  store.Route
		status statuses.TaskStatus
	}
	want := make(map[listed]int)
	for _, t := range r.tasks {
		if t.item.Route.Counted() && t.place != ended {
			want[listed{t.item.Task.ID, t.item.Route, m.statusOf(r, t)}]++
		}
	}
	for _, f := range r.failures {
		want[listed{f.task.item.Task.ID, f.task.item.Route, statuses.TaskFailed}]++
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
		if t.Status == statuses.TaskFailed {
			continue
		}
		q := sums[t.Route]
		q.Route = t.Route
		switch t.Status {
		case statuses.TaskWaiting:
			q.Waiting++
		case statuses.TaskHeld:
			q.Held++
		case statuses.TaskDelayed:
			q.Delayed++
		case statuses.TaskRetrying:
			q.Retrying++
		case statuses.TaskRunning:
			q.Running++
		}
		if t.Status == statuses.TaskWaiting || t.Status == statuses.TaskHeld {
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
