package storetest

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var atLeastOnce = []testCase{
	{"every accepted task is delivered until it succeeds", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		p, w := r.producer(), r.worker()
		items := append(tasks(scan, "scan", 300), tasks(file, "file", 300)...)
		p.add(r, items...)

		got := w.drain(wellDone)
		s.Equal(named(append(items, task(scan, "root"))...), ids(got))
		r.status(statuses.Succeeded)
		r.counts(store.Counts{Succeeded: 601}, "everything was run")
	}},
	{"a task comes back after its session died", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		dead, heir := r.shortLived(), r.worker()
		lost := dead.one()
		r.counts(store.Counts{Running: 1}, "fetch")

		s.lapse(dead)
		r.counts(store.Counts{Pending: 1}, "the session was swept")
		again := heir.one()
		s.Equal(lost.Task.ID, again.Task.ID)
		s.Equal(lost.Task.Payload, again.Task.Payload)
		s.NotEqual(lost.Lease, again.Lease, "a lease never matches a later delivery")
		s.Zero(again.Task.Retry, "the death of a session costs no retry")
		heir.succeed(again)
		r.status(statuses.Succeeded)
	}},
	{"a task comes back though sweeps are rare", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		dead := r.shortLived()
		dead.one()
		s.sweep(r.partition)
		for range 4 {
			// So rare that each could be taken for the first after a stall.
			s.h.Advance(s.tb, 3*s.h.SweepInterval+tick)
			s.sweep(r.partition)
		}
		r.counts(store.Counts{Pending: 1}, "a dead session is given more time once, not at every sweep")
	}},
	{"a sweep says how many dead sessions it closed and tasks it gave back", func(s *scene) {
		r := s.open("import")
		p, dead := r.producer(), r.shortLived()
		p.add(r, tasks(scan, "t", 7)...)
		dead.take(5)
		var total store.SweepReply
		for range patience {
			reply, err := s.store.Sweep(s.ctx, r.partition)
			s.NoError(err)
			total.Sessions += reply.Sessions
			total.Reclaimed += reply.Reclaimed
			if total.Sessions > 0 && !reply.More {
				break
			}
			s.h.Advance(s.tb, tick)
		}
		s.Equal(store.SweepReply{Sessions: 1, Reclaimed: 5}, total)
		r.counts(store.Counts{Pending: 7}, "the session was swept")
	}},
	{"a task comes back after its session was closed", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		closing, heir := r.worker(), r.worker()
		lost := closing.one()
		closing.close()
		r.counts(store.Counts{Pending: 1}, "the session was closed")
		s.Equal(lost.Task.ID, heir.one().Task.ID)
	}},
	{"a session that is heard from keeps its tasks", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		alive, dead := r.shortLived(), r.shortLived()
		d := alive.one()
		_, err := alive.heartbeat()
		s.NoError(err)
		s.lapse(dead)
		s.Len(alive.held(), 1)
		alive.succeed(d)
		r.status(statuses.Succeeded)
	}},
	{"a failed attempt is tried again", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		for attempt := range 4 {
			d := w.one()
			s.Equal(attempt, d.Task.Retry)
			w.settle(retried(d, 0))
			s.Equal(int64(1), r.record().Counts.Remaining())
		}
		w.succeed(w.one())
		rec := r.record()
		s.Equal(statuses.Succeeded, rec.Status)
		s.Equal(int64(4), rec.Retried)
	}},
	{"a delayed task waits for its time, and then comes", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, delayed(scan, "soon", 2*tick), delayed(scan, "someday", never))
		r.counts(store.Counts{Delayed: 2}, "enqueue with a delay")

		var got []store.Delivery
		s.until(r.partition, "the task is due", func() bool {
			got = w.fetch(bounds.MaxBatch)
			return len(got) > 0
		})
		s.Equal([]string{"soon"}, ids(got))
		r.counts(store.Counts{Delayed: 1, Running: 1}, "one is due")
	}},
	{"an attempt that backs off or snoozes comes when its delay is over", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 2)...)
		ds := w.take(2)
		w.settle(retried(ds[0], 2*tick), snoozed(ds[1], 2*tick))

		var got []store.Delivery
		s.until(r.partition, "both are due", func() bool {
			got = append(got, w.fetch(bounds.MaxBatch)...)
			return len(got) == 2
		})
		retries := map[string]int{got[0].Task.ID: got[0].Task.Retry, got[1].Task.ID: got[1].Task.Retry}
		s.Equal(
			map[string]int{ds[0].Task.ID: 1, ds[1].Task.ID: 0}, retries, "a retry costs an attempt, a snooze does not",
		)
		s.Equal(int64(1), r.record().Retried)
	}},
	{"a released task is given out again, untouched and first", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 3)...)
		d := w.one()
		w.settle(plain(d, verdicts.Release))
		r.counts(store.Counts{Pending: 3}, "release")
		again := w.one()
		s.Equal(d.Task.ID, again.Task.ID, "released to the front")
		s.Zero(again.Task.Retry)
		s.Zero(again.Task.Crashes)
	}},
	{"a fetch whose reply was lost gives the same tasks again", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 20)...)
		first := w.fetch(10)
		again, err := w.refetch(10)
		s.NoError(err)
		s.Equal(ids(first), ids(again))
		s.Equal(leases(first), leases(again))

		w.succeed(first[0])
		again, err = w.refetch(10)
		s.NoError(err)
		s.Equal(ids(first[1:]), ids(again), "less those settled since")
		s.ElementsMatch(ids(again), ids(w.held()))
	}},
	{"a worker that lost its replies finds what it holds", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 5)...)
		ds := w.take(3)
		beat, err := w.heartbeat(r)
		s.NoError(err)
		s.Equal(3, beat.Held)
		held := w.held()
		s.Equal(ids(ds), ids(held))
		w.succeed(held...)
		r.counts(store.Counts{Pending: 2, Succeeded: 3}, "what was found is settled")
	}},
	{"a lane is served in order", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		items := tasks(scan, "t", 40)
		p.add(r, items...)
		for i, d := range w.take(40) {
			s.Equal(items[i].Task.ID, d.Task.ID)
		}
	}},
	{"a task enqueued for a time comes at that time of the store's clock", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		reply, err := s.store.Fetch(s.ctx, store.FetchParams{Session: w.session, Number: 1, Max: 1, Queues: w.queues})
		s.NoError(err)
		w.fetches = 1
		at := task(scan, "at")
		at.At = reply.Now.Add(2 * tick)
		past := task(scan, "past")
		past.At = reply.Now.Add(-time.Hour)
		p.add(r, at, past)
		var got []store.Delivery
		s.until(r.partition, "both are due", func() bool {
			got = append(got, w.fetch(bounds.MaxBatch)...)
			return len(got) == 2
		})
	}},
}

// leases returns the leases of the deliveries, in their order.
func leases(ds []store.Delivery) []store.Lease {
	list := make([]store.Lease, len(ds))
	for i, d := range ds {
		list[i] = d.Lease
	}
	return list
}
