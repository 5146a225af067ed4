package storetest

import (
	"runtime"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var stopping = []testCase{
	{"waiting, delayed, staged and recovered task tasks are cancelled at once", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PostJob: hook(postJob)})
		p, w, crashing := r.producer(), r.worker(), r.worker()
		parent := w.one()
		s.NoError(w.stage(parent, file, 0, tasks(file, "staged", 44)...))
		w.settle(withStaged(success(parent), staged(file, 44)))
		p.add(r, task(scan, "recovered"))
		crashing.queues = only(scan)
		crashing.one()
		crashing.close()
		p.add(r, append(tasks(scan, "t", 10), delayed(scan, "d", tick))...)

		r.stop(false)
		rec := r.record()
		s.Equal(statuses.Stopped, rec.Status)
		s.Equal("enough", rec.Reason)
		s.False(rec.Ended.IsZero())
		r.counts(store.Counts{Succeeded: 1, Cancelled: 12 + 44}, "stop")
		s.h.Advance(s.tb, 2*tick)
		w.none("the run is stopped")
		r.counts(store.Counts{Succeeded: 1, Cancelled: 12 + 44}, "the delay of a cancelled task is over")
	}},
	{"a run with very many waiting tasks", stopOfMany},
	{"running tasks settle, and the last one makes the run stopped", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 9)...)
		ds := w.take(7)
		r.stop(false)
		r.status(statuses.Stopping)
		r.counts(store.Counts{Running: 7, Cancelled: 2}, "stop")

		dropped := success(ds[0], tasks(file, "child", 3)...)
		w.settle(
			dropped, failed(ds[1]), retried(ds[2], 0), snoozed(ds[3], 0), plain(ds[4], verdicts.Release),
			plain(ds[5], verdicts.Cancel),
		)
		r.counts(
			store.Counts{Running: 1, Succeeded: 1, Failed: 1, Cancelled: 6}, "settled while stopping; children are dropped",
		)
		r.status(statuses.Stopping)
		reply := w.settle(plain(ds[6], verdicts.Cancel))
		s.Equal([]store.RunID{r.id}, reply.Ended)
		r.status(statuses.Stopped)
		r.counts(store.Counts{Succeeded: 1, Failed: 1, Cancelled: 7}, "the last one settled")
		w.none("the run is stopped")

		rec := r.record()
		r.stop(true)
		s.Equal(rec, r.record(), "stopping a run that was stopped changes nothing")
	}},
	{"tasks of a session that dies while the run stops are cancelled", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		dead := r.shortLived()
		dead.one()
		r.stop(false)
		r.status(statuses.Stopping)
		s.lapse(dead)
		r.status(statuses.Stopped)
		r.counts(store.Counts{Cancelled: 1}, "reclaim while stopping")
	}},
	{"children staged by a running task are refused and dropped", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		d := w.one()
		s.NoError(w.stage(d, file, 0, tasks(file, "child", 3)...))
		r.stop(false)
		s.ErrorIs(w.stage(d, file, 3, tasks(file, "more", 3)...), store.ErrJobStopped)
		w.settle(withStaged(success(d), staged(file, 3)))
		r.counts(store.Counts{Succeeded: 1}, "children are dropped")
		r.status(statuses.Stopped)
		w.none("the run is stopped")
	}},
	{"enqueuing and holding are refused", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, task(scan, "t"))
		d := w.one()
		r.stop(false)
		s.ErrorIs(p.offer(r, task(scan, "late"))[0].Err, store.ErrJobStopped, "while stopping")
		s.ErrorIs(p.hold(r, "late"), store.ErrJobStopped, "while stopping")
		w.succeed(d)
		r.status(statuses.Stopped)
		s.ErrorIs(p.offer(r, task(scan, "later"))[0].Err, store.ErrJobStopped, "once stopped")
		r.counts(store.Counts{Succeeded: 1}, "refused enqueues")
	}},
	{"a refused entry does not keep others out", func(s *scene) {
		stopped, other := s.start(store.StartParams{Job: "import"}), (*run)(nil)
		for i := 0; other == nil || other.partition != stopped.partition; i++ {
			other = s.open(s.name("other"))
		}
		stopped.stop(false)
		reply := stopped.producer().send(store.EnqueueParams{Entries: []store.Entry{
			{Run: other.id, Item: task(scan, "a")},
			{Run: stopped.id, Item: task(scan, "b")},
			{Run: store.RunID{Job: stopped.id.Job, Number: 1}, Item: task(scan, "c")},
			{Run: other.id, Item: task(scan, "d")},
		}})
		s.NoError(reply.Entries[0].Err)
		s.ErrorIs(reply.Entries[1].Err, store.ErrJobStopped)
		s.ErrorIs(reply.Entries[2].Err, store.ErrRunNotFound)
		s.NoError(reply.Entries[3].Err)
		other.counts(store.Counts{Pending: 2}, "the accepted entries")
	}},
	{"workers hear of it, and of whether to let handlers finish", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		d := w.one()
		beat := func() store.RunSignal {
			reply, err := w.heartbeat(r)
			s.NoError(err)
			s.Len(reply.Runs, 1)
			return reply.Runs[0]
		}
		s.Equal(store.RunSignal{Run: r.id, Status: statuses.Running}, beat())
		r.stop(true)
		s.Equal(store.RunSignal{Run: r.id, Status: statuses.Stopping, Graceful: true}, beat())
		r.stop(true)
		s.True(r.record().Graceful)
		r.stop(false)
		s.Equal(
			store.RunSignal{Run: r.id, Status: statuses.Stopping}, beat(), "a stop that is not graceful overrides",
		)
		r.stop(true)
		s.False(beat().Graceful, "and is not taken back")
		w.succeed(d)
		r.status(statuses.Stopped)
	}},
	{"a paused run", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 5)...)
		r.pause(true)
		r.stop(false)
		r.status(statuses.Stopped)
		r.counts(store.Counts{Cancelled: 5}, "stop of a paused run")
		w.none("the run is stopped")
	}},
	{"a starting run, with its hook waiting or running", func(s *scene) {
		waiting := s.start(store.StartParams{Job: "waiting", PreJob: hook(preJob)})
		waiting.stop(false)
		waiting.status(statuses.Stopped)
		s.Zero(waiting.record().Counts.Remaining())
		waiting.worker().none("the run is stopped")

		running := s.start(store.StartParams{Job: "running", PreJob: hook(preJob)})
		w := running.worker()
		d := w.one()
		running.stop(false)
		running.status(statuses.Stopping, statuses.Stopped)
		_, err := w.try(plain(d, verdicts.Begin))
		s.NoError(err)
		running.status(statuses.Stopped)
		s.Zero(running.record().Counts.Remaining())
		w.none("the run is stopped")
	}},
	{"a finishing run gives up its hook and keeps its outcome", func(s *scene) {
		waiting := s.start(store.StartParams{Job: "waiting", PostJob: hook(postJob)})
		w := waiting.worker()
		w.succeed(w.one())
		waiting.status(statuses.Finishing)
		waiting.stop(false)
		waiting.status(statuses.Succeeded)
		w.none("the hook is given up")

		running := s.start(store.StartParams{Job: "running", PostJob: hook(postJob)})
		w = running.worker()
		w.succeed(w.one())
		d := w.one()
		s.Equal(postJob, d.Lease.Lane.Route)
		running.stop(false)
		s.Equal([]store.Lease{d.Lease}, leases(w.held()), "until it is settled")
		reply, err := w.try(hookDone(d, "given up"))
		s.NoError(err)
		s.Empty(reply.Lost, "its outcome is accepted, and changes nothing")
		s.Equal("stopped", running.record().HookError)
		running.status(statuses.Succeeded)
		w.none("the hook is given up")
	}},
	{"a task can stop its own run", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 10)...)
		ds := w.take(2)
		o := plain(ds[0], verdicts.StopRun)
		o.Error = "disk is full"
		w.settle(o)
		rec := r.record()
		s.Equal(statuses.Stopping, rec.Status)
		s.Equal("disk is full", rec.Reason)
		r.counts(store.Counts{Running: 1, Cancelled: 9}, "a task stopped the run")
		w.settle(plain(ds[1], verdicts.Cancel))
		r.status(statuses.Stopped)
		w.none("the run is stopped")
	}},
	{"stopping ends holds, and a stopped name can start again", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		s.NoError(p.hold(r, "upload"))
		r.stop(false)
		r.status(statuses.Stopped)
		again := s.start(store.StartParams{Job: "import"})
		s.Greater(again.id.Number, r.id.Number)
		got := again.worker().drain(wellDone)
		s.Equal([]string{"root"}, ids(got))
		again.status(statuses.Succeeded)
		r.status(statuses.Stopped)
	}},
	{"a stop in the middle of everything leaves exact counts", stopUnderLoad},
}

// stopOfMany stops a run with the harness's number of waiting tasks. One call must end all of them,
// nothing may start afterwards, and their data must be removed.
func stopOfMany(s *scene) {
	partition := s.partition("import")
	p, w := s.producer(partition), s.worker(partition, steady)
	before := s.leftovers()
	r := s.start(store.StartParams{Job: "import", Open: true, Retention: brief})
	n := s.h.Waiting
	for sent := 0; sent < n; sent += bounds.MaxBatch {
		p.add(r, tasks(scan, "t", min(bounds.MaxBatch, n-sent))...)
	}
	r.counts(store.Counts{Pending: int64(n)}, "enqueue")
	r.stop(false)
	r.counts(store.Counts{Cancelled: int64(n)}, "stop")
	r.status(statuses.Stopped)
	w.none("the run is stopped")
	s.nothingBeyond(before, partition)
	w.none("the run is gone")
}

// stopUnderLoad stops a run while workers run its tasks and a producer adds to it.
func stopUnderLoad(s *scene) {
	const workers = 6
	r := s.open("import")
	p := r.producer()
	p.add(r, tasks(scan, "t", 200)...)
	ws := make([]*worker, workers)
	for i := range ws {
		ws[i] = r.worker()
	}
	done := make(chan struct{}, workers*1000)
	s.together(workers+2, func(i int) error {
		switch {
		case i < workers:
			return churn(ws[i], r, done)
		case i == workers:
			for range rounds {
				reply, err := p.try(store.EnqueueParams{Entries: []store.Entry{{Run: r.id, Item: task(scan, "more")}}})
				if err != nil {
					return err
				}
				if reply.Entries[0].Err != nil {
					return nil // refused, as it must be at the end
				}
			}
			return errEndless
		default:
			for range 30 {
				select {
				case <-done: // the stop falls into the middle of the work
				case <-s.ctx.Done():
					return s.ctx.Err()
				}
			}
			return s.store.StopRun(s.ctx, store.StopParams{Run: r.id})
		}
	})
	rec := r.record()
	s.Equal(statuses.Stopped, rec.Status)
	s.Zero(rec.Counts.Remaining())
	ws[0].none("the run is stopped")
}

// churn settles each task with a child, until the run is final.
func churn(w *worker, r *run, done chan<- struct{}) error {
	for range rounds {
		ds, err := w.tryFetch(3)
		if err != nil {
			return err
		}
		for _, d := range ds {
			if _, err := w.try(success(d, task(file, "child"))); err != nil {
				return err
			}
			select {
			case done <- struct{}{}:
			default:
			}
		}
		if len(ds) == 0 {
			rec, err := w.s.store.Run(w.s.ctx, r.id)
			if err != nil || rec.Status.Final() {
				return err
			}
			runtime.Gosched()
		}
	}
	return errEndless
}
