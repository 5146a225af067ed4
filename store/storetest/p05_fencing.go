package storetest

import (
	"sync/atomic"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var fencing = []testCase{
	{"a session that expired can do nothing more", func(s *scene) {
		r := s.open("import")
		p, zombie := r.producer(), r.shortLived()
		p.add(r, tasks(scan, "t", 2)...)
		ds := zombie.take(2)
		s.lapse(zombie)
		refuses(s, r, zombie, ds)
	}},
	{"a session that was closed can do nothing more", func(s *scene) {
		r := s.open("import")
		p, zombie := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 2)...)
		ds := zombie.take(2)
		zombie.close()
		zombie.close() // if it is gone, closing changes nothing
		refuses(s, r, zombie, ds)
	}},
	{"a fetch tells of an answer that the store lost", func(s *scene) {
		requireKnown(s, func(w *worker, a store.Answered) error {
			w.fetches++
			p := w.params(1)
			p.Answered = a
			_, err := s.store.Fetch(s.ctx, p)
			return err
		})
	}},
	{"a settlement tells of an answer that the store lost", func(s *scene) {
		requireKnown(s, func(w *worker, a store.Answered) error {
			w.settles++
			_, err := s.store.Settle(s.ctx, store.SettleParams{Session: w.session, Number: w.settles, Answered: a})
			return err
		})
	}},
	{"a heartbeat tells of an answer that the store lost", func(s *scene) {
		requireKnown(s, func(w *worker, a store.Answered) error {
			_, err := s.store.Heartbeat(s.ctx, store.HeartbeatParams{Session: w.session, Answered: a, Lease: steady})
			return err
		})
	}},
	{"a session that was never opened can do nothing", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		d := w.one()
		stranger := &worker{
			s:       s,
			session: store.SessionID{Partition: r.partition, ID: "stranger"},
			queues:  everything(),
		}
		refuses(s, r, stranger, []store.Delivery{d})
		w.succeed(d)
		r.status(statuses.Succeeded)
	}},
	{"a late settlement does not touch the next delivery of the task", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		zombie, heir := r.worker(), r.worker()
		stale := zombie.one()
		zombie.close()
		current := heir.one()
		for _, o := range []store.Outcome{success(stale, task(file, "child")), failed(stale), retried(stale, 0), plain(stale, verdicts.StopRun)} {
			_, err := zombie.try(o)
			s.ErrorIs(err, store.ErrLeaseLost)
			r.counts(store.Counts{Running: 1}, "late settlement")
			r.status(statuses.Running)
		}
		heir.succeed(current)
		r.counts(store.Counts{Succeeded: 1}, "the heir settled")
	}},
	{"a lease of one session is worth nothing in another", func(s *scene) {
		r := s.open("import")
		p, owner, thief := r.producer(), r.worker(), r.worker()
		p.add(r, task(scan, "t"))
		d := owner.one()
		reply, err := thief.try(success(d, task(file, "child")))
		s.NoError(err)
		s.Equal([]int{0}, reply.Lost)
		s.ErrorIs(thief.stage(d, file, 0, task(file, "child")), store.ErrLeaseLost)
		r.counts(store.Counts{Running: 1}, "a stolen lease")
		owner.succeed(d)
		r.counts(store.Counts{Succeeded: 1}, "the owner settled")
	}},
	{"a lease is redeemed once, and other outcomes of the call still count", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 3)...)
		ds := w.take(3)
		w.succeed(ds[0])
		reply, err := w.try(success(ds[1]), success(ds[0], task(file, "child")), failed(ds[2]))
		s.NoError(err)
		s.Equal([]int{1}, reply.Lost)
		r.counts(store.Counts{Succeeded: 2, Failed: 1}, "an old lease among good ones")

		p.add(r, tasks(scan, "u", 3)...)
		ds = w.take(3)
		w.succeed(ds[0])
		reply, err = w.try(success(ds[1]), success(ds[0]), success(ds[2]))
		s.NoError(err)
		s.Len(reply.Lost, 1, "of plain successes, how many were lost is exact")
		r.counts(store.Counts{Succeeded: 5, Failed: 1}, "an old lease among plain successes")
		s.ErrorIs(w.stage(ds[1], file, 0, task(file, "child")), store.ErrLeaseLost)
	}},
	{"a task that is tried again in the same session has a new lease", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		stale := w.one()
		w.settle(retried(stale, 0))
		current := w.one()
		s.NotEqual(stale.Lease, current.Lease)
		reply, err := w.try(success(stale))
		s.NoError(err)
		s.Equal([]int{0}, reply.Lost)
		r.counts(store.Counts{Running: 1}, "the first attempt settled late")
		w.succeed(current)
	}},
	{"reclaim and settlement at the same moment: one of them wins", func(s *scene) {
		const n = 20
		r := s.open("import")
		p := r.producer()
		p.add(r, tasks(scan, "t", n)...)
		var settled atomic.Int64
		for range n {
			w, peer := r.worker(), r.worker()
			d := w.one()
			s.together(2, func(i int) error {
				if i == 0 {
					return s.store.CloseSession(s.ctx, w.session)
				}
				if reply, err := w.try(success(d)); err == nil && len(reply.Lost) == 0 {
					settled.Add(1)
				}
				return nil
			})
			peer.close()
			counts := r.record().Counts
			s.Equal(settled.Load(), counts.Succeeded)
			s.Zero(counts.Running)
		}
	}},
}

// requireKnown sends numbers of answered calls that the store knows, and later ones that it does
// not know, as after a server lost acknowledged writes.
func requireKnown(s *scene, call func(w *worker, a store.Answered) error) {
	s.tb.Helper()
	r := s.open("import")
	r.producer().add(r, tasks(scan, "t", 8)...)
	for _, lost := range []store.Answered{{Fetched: 1}, {Settled: 1}, {Fetched: 1, Settled: 1}} {
		w := r.worker()
		w.succeed(w.one())
		d := w.one()
		known := store.Answered{Fetched: d.Lease.Fetch, Settled: w.settles}
		s.NoError(call(w, store.Answered{}), "nothing is said to be answered")
		known.Settled = max(known.Settled, w.settles)
		s.NoError(call(w, known), "what was answered is known")
		before := len(w.held())
		lost.Fetched += w.fetches
		lost.Settled += w.settles
		s.ErrorIs(call(w, lost), store.ErrLeaseLost, "what is not known was lost: %+v", lost)
		s.Len(w.held(), before, "a call that is refused changes nothing")
		w.close()
	}
}

// refuses requires that the session can no longer settle, stage, fetch or send a heartbeat, and
// that these calls do not change the run.
func refuses(s *scene, r *run, w *worker, ds []store.Delivery) {
	s.tb.Helper()
	before := r.record().Counts
	for _, d := range ds {
		_, err := w.try(success(d, task(file, "child")))
		s.ErrorIs(err, store.ErrLeaseLost, "settle")
		s.ErrorIs(w.stage(d, file, 0, task(file, "child")), store.ErrLeaseLost, "stage")
	}
	_, err := w.heartbeat(r)
	s.ErrorIs(err, store.ErrLeaseLost, "heartbeat")
	_, err = w.tryFetch(4)
	s.ErrorIs(err, store.ErrLeaseLost, "fetch")
	_, err = s.store.Held(s.ctx, w.session, nil)
	s.ErrorIs(err, store.ErrLeaseLost, "held")
	s.Equal(before, r.record().Counts, "a session that is gone changes nothing")
}
