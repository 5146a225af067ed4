package storetest

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// ledger reads the ledger of the partition by route.
func (s *scene) ledger(partition int) map[store.Route]store.QueueRecord {
	s.tb.Helper()
	list, err := s.store.QueueStats(s.ctx, partition)
	s.NoError(err)
	byRoute := make(map[store.Route]store.QueueRecord)
	for _, q := range list {
		s.NotContains(byRoute, q.Route)
		byRoute[q.Route] = q
	}
	return byRoute
}

// did requires these figures of a route.
func (r *run) did(route store.Route, want store.QueueRecord, why string) {
	r.s.tb.Helper()
	want.Route = route
	r.s.Equal(want, figuresOf(r.s.ledger(r.partition)[route]), why)
}

// since is since when the first task of the run's partition under scan waits.
func (r *run) since() time.Time { return r.s.ledger(r.partition)[scan].Oldest }

// dated is an item that says when it is enqueued.
func (s *scene) dated(it store.Item) store.Item {
	it.Task.Enqueued = s.clock(s.partition("import"))
	return it
}

var ledgerContract = []testCase{
	{"depths are where the listing has the tasks", func(s *scene) {
		r, _ := s.mixture()
		want := map[store.Route]store.QueueRecord{
			scan: {Route: scan, Waiting: 8, Delayed: 2, Retrying: 1, Running: 2, Runs: 1},
			file: {Route: file, Waiting: 5, Delayed: 1, Runs: 1},
		}
		depths := func() map[store.Route]store.QueueRecord {
			all := s.ledger(r.partition)
			for route, q := range all {
				all[route] = depthsOf(q)
			}
			return all
		}
		s.Equal(want, depths())
		r.pause(true)
		for route, q := range want {
			q.Held, q.Waiting = q.Waiting, 0
			want[route] = q
		}
		s.Equal(want, depths(), "its run is paused")
		r.stop(true)
		s.Equal(map[store.Route]store.QueueRecord{
			scan: {Route: scan, Running: 2}, file: {Route: file},
		}, depths(), "its run is stopping")
	}},
	{"what became of tasks is counted by route, and outlasts the run", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "scan", 8)...)
		_, err := p.repeat()
		s.NoError(err)
		r.did(scan, store.QueueRecord{Enqueued: 8}, "a repeat adds nothing")
		ds := w.take(8)
		r.did(scan, store.QueueRecord{Enqueued: 8, Started: 8}, "they run")
		counted := counting(success(ds[1]), map[string]int64{"bytes": 1})
		outcomes := []store.Outcome{
			success(ds[0], tasks(file, "child", 2)...), counted, failed(ds[2]), retried(ds[3], never), retried(ds[4], 0),
			snoozed(ds[5], never), plain(ds[6], verdicts.Release), success(ds[7]),
		}
		w.settle(outcomes...)
		_, err = w.resettle(outcomes...)
		s.NoError(err)
		want := store.QueueRecord{Enqueued: 8, Started: 7, Succeeded: 3, Failed: 1, Retried: 2}
		r.did(scan, want, "a release is no attempt, and a repeat counts nothing")
		r.did(file, store.QueueRecord{Enqueued: 2}, "children are of their route")
		w.queues = only(scan)
		w.take(2)
		w.close()
		want.Started = 9
		r.did(scan, want, "attempts that end with their session are attempts")
		r.stop(false)
		s.sweep(r.partition)
		s.NoError(s.store.DeleteRun(s.ctx, r.id))
		r.did(scan, want, "the run is gone")
		r.did(file, store.QueueRecord{Enqueued: 2}, "what a stop drops ended in no attempt")
	}},
	{"an attempt that ends while its run is stopping is counted as what it was", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "scan", 5)...)
		ds := w.take(5)
		r.stop(true)
		w.settle(success(ds[0]), failed(ds[1]), retried(ds[2], 0), plain(ds[3], verdicts.Release))
		w.close()
		r.did(scan, store.QueueRecord{Enqueued: 5, Started: 4, Succeeded: 1, Failed: 1}, "it is not made again")
	}},
	{"the root is enqueued with its run, also one that waits for the pre-job hook", func(s *scene) {
		root := s.dated(task(scan, "root"))
		r := s.start(store.StartParams{Job: "import", PreJob: hook(preJob), Root: &root})
		q := s.ledger(r.partition)[scan]
		s.Equal(store.QueueRecord{Route: scan, Held: 1, Runs: 1, Oldest: q.Oldest, Enqueued: 1}, q)
		s.False(q.Oldest.IsZero())
		w := r.worker()
		w.settle(plain(w.one(), verdicts.Begin))
		q = s.ledger(r.partition)[scan]
		s.Equal(store.QueueRecord{Route: scan, Waiting: 1, Runs: 1, Oldest: q.Oldest, Enqueued: 1}, q)
		s.NotContains(s.ledger(r.partition), preJob, "a hook is in no ledger")
	}},
	{"a duplicate is not enqueued", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, claimed(scan, "mine", never), task(file, "parent"))
		w.queues = only(file)
		d := w.one()
		s.NoError(w.stage(d, scan, 0, claimed(scan, "mine", never), claimed(scan, "other", never)))
		w.settle(withStaged(success(d, claimed(scan, "other", never)), staged(scan, 2)))
		w.queues = only(scan)
		w.drain(wellDone)
		r.did(scan, store.QueueRecord{Enqueued: 2, Started: 2, Succeeded: 2}, "of four, two have an ID of their own")
	}},
	{"a task that is cancelled leaves its depth", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "retrying", 2)...)
		for _, d := range w.take(2) {
			w.settle(retried(d, never))
		}
		s.Equal(int64(2), s.ledger(r.partition)[scan].Retrying)
		p.add(r, task(scan, "waiting"), delayed(scan, "delayed", never))
		for _, id := range []string{"retrying/0", "waiting", "delayed"} {
			s.Equal(verdicts.ChangeCancelled, r.cancel(id))
		}
		s.Equal(store.QueueRecord{Route: scan, Retrying: 1}, depthsOf(s.ledger(r.partition)[scan]))
		r.did(scan, store.QueueRecord{Enqueued: 4, Started: 2, Retried: 2}, "it ended in no attempt")
	}},
	{"a cancelled task that its worker gives back was no attempt", func(s *scene) {
		r := s.open("import")
		w := r.worker()
		r.producer().add(r, tasks(scan, "scan", 2)...)
		ds := w.take(2)
		s.Equal(verdicts.ChangeRequested, r.cancel(ds[0].Task.ID))
		s.Equal(verdicts.ChangeRequested, r.cancel(ds[1].Task.ID))
		w.settle(plain(ds[0], verdicts.Release))
		r.did(scan, store.QueueRecord{Enqueued: 2, Started: 1}, "one runs")
		w.settle(retried(ds[1], 0))
		r.did(scan, store.QueueRecord{Enqueued: 2, Started: 1}, "its attempt ended, and is not made again")
	}},
	{"a root that is delayed waits since it is due", func(s *scene) {
		root := s.dated(delayed(scan, "root", tick))
		r := s.start(store.StartParams{Job: "import", Root: &root})
		s.Equal(store.QueueRecord{Route: scan, Delayed: 1}, depthsOf(s.ledger(r.partition)[scan]))
		s.h.Advance(s.tb, tick)
		s.until(r.partition, "it is due", func() bool { s.promote(r.partition); return !r.since().IsZero() })
		s.True(r.since().After(root.Task.Enqueued.Add(tick / 2)))
	}},
	{"a task that has expired is counted where it was", func(s *scene) {
		r := s.open("import")
		late, later := task(scan, "late"), delayed(scan, "later", never)
		late.Task.Expires, later.Task.Expires = s.clock(r.partition).Add(-time.Second), s.clock(r.partition).Add(-time.Second)
		r.producer().add(r, late, later)
		s.Equal(statuses.TaskExpired, statusesOf(r.list(store.TasksParams{}))["late"])
		s.Equal(store.QueueRecord{Route: scan, Waiting: 1, Delayed: 1, Runs: 1}, depthsOf(s.ledger(r.partition)[scan]))
	}},
	{"a task waits since it is ready", func(s *scene) {
		r := s.open("import")
		p, w, dead := r.producer(), r.worker(), r.worker()
		p.add(r, s.dated(task(scan, "first")))
		added := r.since()
		s.False(added.IsZero())
		s.h.Advance(s.tb, 2*tick)
		s.Equal(added, r.since(), "it goes on waiting")
		d := w.one()
		s.True(r.since().IsZero(), "none waits")
		w.settle(retried(d, 0))
		s.True(r.since().After(added), "it waits since its attempt failed")
		s.Equal(d.Task.Enqueued, w.one().Task.Enqueued, "since when it is there does not change")
		later := s.dated(delayed(scan, "later", tick))
		p.add(r, later)
		s.h.Advance(s.tb, tick)
		s.until(r.partition, "it is due", func() bool { s.promote(r.partition); return !r.since().IsZero() })
		s.True(r.since().After(later.Task.Enqueued.Add(tick/2)), "it waits since it was due")
		d = dead.one()
		s.h.Advance(s.tb, 2*tick)
		held := s.clock(r.partition)
		dead.close()
		s.False(r.since().Before(held.Truncate(time.Millisecond)), "it waits since its session ended")
		s.True(d.Task.Enqueued.Before(held))
	}},
}
