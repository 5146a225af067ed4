package storetest

import (
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// idleEnds has the ways in which an idle open run ends.
var idleEnds = map[string]store.StartParams{
	"sealed":  {SealAfter: time.Hour},
	"stopped": {StopAfter: time.Hour},
}

var completionOnce = []testCase{
	{"a root that enqueues nothing completes the run", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		r.status(statuses.Running)
		reply := w.settle(success(w.one()))
		s.Equal([]store.RunID{r.id}, reply.Ended)
		rec := r.record()
		s.Equal(statuses.Succeeded, rec.Status)
		s.False(rec.Started.IsZero(), "Started is recorded")
		s.False(rec.Ended.IsZero(), "Ended is recorded")
	}},
	{"a run whose every task fails ends as failed", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PostJob: hook(postJob)})
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 20)...)
		w.drain(func(d store.Delivery) store.Outcome {
			if d.Lease.Lane.Route == postJob {
				return hookDone(d, "")
			}
			return failed(d)
		})
		r.status(statuses.Failed)
		r.counts(store.Counts{Failed: 21}, "every task failed")
		s.NotEmpty(r.record().Error)
	}},
	{"64 last settlements at once end the run once", lastSettlements},
	{"a parent's children are there before the parent is gone", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		parents, w := r.worker(), r.worker()
		d := parents.one()
		for range 20 {
			reply := parents.settle(success(d, task(scan, "next")))
			s.Empty(reply.Ended, "a child is left")
			r.status(statuses.Running)
			d = w.one()
			parents, w = w, parents
		}
		parents.succeed(d)
		r.status(statuses.Succeeded)
	}},
	{"an open run ends when it is sealed and drained, in either order", func(s *scene) {
		sealedLast := s.open("sealed-last")
		p, w := sealedLast.producer(), sealedLast.worker()
		p.add(sealedLast, task(scan, "t"))
		w.succeed(w.one())
		sealedLast.status(statuses.Running)
		s.Equal(int64(1), sealedLast.record().Holds)
		p.seal(sealedLast)
		sealedLast.status(statuses.Succeeded)
		s.Zero(sealedLast.record().Holds)

		drainedLast := s.open("drained-last")
		p, w = drainedLast.producer(), drainedLast.worker()
		p.add(drainedLast, task(scan, "t"))
		p.seal(drainedLast)
		drainedLast.status(statuses.Running)
		w.succeed(w.one())
		drainedLast.status(statuses.Succeeded)
	}},
	{"an open run that got no task succeeds when it is sealed", func(s *scene) {
		r := s.open("import")
		r.producer().seal(r)
		r.status(statuses.Succeeded)
	}},
	{"an idle open run is sealed when its time has come, before anybody sweeps", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", Open: true, SealAfter: brief})
		s.h.Advance(s.tb, brief+tick)
		s.promote(r.partition)
		r.status(statuses.Succeeded)
	}},
	{"the end of an idle run is a due time, which an enqueue moves and a seal takes away", func(s *scene) {
		for name, p := range idleEnds {
			p.Job, p.Open = "import-"+name, true
			r := s.start(p)
			next := func() time.Time {
				reply, err := s.store.Promote(s.ctx, r.partition)
				s.NoError(err)
				return reply.Next
			}
			begun := r.record().Created
			first := next()
			s.WithinRange(first, begun.Add(time.Hour), begun.Add(time.Hour+tick), "%s: so long after its start", name)
			s.h.Advance(s.tb, tick)
			q := r.producer()
			q.add(r, task(scan, "t"))
			fed := next()
			s.False(fed.Before(first.Add(tick)), "%s: the task came a tick later", name)
			s.h.Advance(s.tb, tick)
			s.NoError(q.hold(r, "upload"))
			s.NoError(q.hold(r, store.HoldOpen), "it is open")
			s.Equal(fed, next(), "%s: no task came", name)
			q.seal(r)
			s.Zero(next(), "%s: it was sealed", name)
			q.add(r, task(scan, "late"))
			s.Zero(next(), "%s: it is not open", name)
			s.NoError(q.hold(r, store.HoldOpen))
			s.False(next().Before(fed.Add(tick)), "%s: it was opened again", name)
			r.stop(false)
			s.sweep(r.partition)
			s.Zero(next(), "%s: it was stopped", name)
		}
	}},
	{"an idle open run whose producer broke off is stopped when its time has come, with a reason", func(s *scene) {
		for name, hooks := range map[string]store.StartParams{"plain": {}, "hooked": {PreJob: hook(preJob), PostJob: hook(postJob)}} {
			hooks.Job, hooks.Open, hooks.StopAfter = "import-"+name, true, brief
			r := s.start(hooks)
			r.producer().add(r, tasks(scan, "scan", 3)...)
			s.h.Advance(s.tb, brief+tick)
			s.promote(r.partition)
			rec := r.record()
			s.Equal(statuses.Stopped, rec.Status, name)
			s.Equal(store.IdleReason, rec.Reason)
			s.False(rec.Graceful)
			r.counts(store.Counts{Cancelled: 3}, "what waited is cancelled")
			r.worker().none("nothing of it is delivered")
		}
		fed := s.start(store.StartParams{Job: "fed", Open: true, StopAfter: brief})
		fed.producer().seal(fed)
		fed.status(statuses.Succeeded)
		p := s.params(store.StartParams{Job: "both", Open: true, StopAfter: brief, SealAfter: brief})
		_, err := s.store.StartRun(s.ctx, p)
		s.refuses(err, "StopAfter")
	}},
	{"a run that is opened again is sealed so long after that", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", Open: true, SealAfter: brief})
		p := r.producer()
		s.NoError(p.hold(r, "upload"))
		s.until(r.partition, "the idle run is sealed", func() bool { return r.record().Holds == 1 })
		s.NoError(p.hold(r, store.HoldOpen))
		s.NoError(p.release(r, "upload"))
		s.sweep(r.partition)
		r.status(statuses.Running)
		s.until(r.partition, "it is sealed again", func() bool { return r.record().Status.Final() })
		r.status(statuses.Succeeded)
	}},
	{"each named hold keeps the run open until its owner removes it", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		p, w := r.producer(), r.worker()
		s.NoError(p.hold(r, "upload"))
		s.NoError(p.hold(r, "upload"), "opening an open hold changes nothing")
		s.NoError(p.hold(r, "crawl"))
		s.Equal(int64(2), r.record().Holds)
		w.drain(wellDone)
		r.status(statuses.Running)
		s.NoError(p.release(r, "unheard-of"))
		s.NoError(p.release(r, "upload"))
		r.status(statuses.Running)
		s.NoError(p.release(r, "crawl"))
		r.status(statuses.Succeeded)
	}},
	{"holds open before a batch's entries and close after them", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.send(store.EnqueueParams{
			Holds:   []store.HoldChange{{Run: r.id, Name: "chunk"}},
			Entries: []store.Entry{{Run: r.id, Item: task(scan, "a")}},
		})
		p.seal(r)
		w.drain(wellDone)
		r.status(statuses.Running)
		reply := p.send(store.EnqueueParams{
			Entries: []store.Entry{{Run: r.id, Item: task(scan, "b")}},
			Holds:   []store.HoldChange{{Run: r.id, Name: "chunk", Close: true}},
		})
		s.NoError(reply.Entries[0].Err, "the hold was still open")
		s.NoError(reply.Holds[0])
		r.status(statuses.Running)
		w.drain(wellDone)
		r.status(statuses.Succeeded)
	}},
	{"delayed tasks keep the run from ending", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		p, w := r.producer(), r.worker()
		p.add(r, delayed(scan, "later", 2*tick))
		w.succeed(w.one())
		s.until(r.partition, "the delayed task is done", func() bool {
			w.drain(wellDone)
			return r.record().Status.Final()
		})
		r.counts(store.Counts{Succeeded: 2}, "both are done")
	}},
	{"the post-job hook comes once, after the last task, outside the counts", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PostJob: hook(postJob)})
		w, other := r.worker(), r.worker()
		root := w.one()
		s.Equal(scan, root.Lease.Lane.Route)
		other.none("the hook waits for the last task")
		s.Equal([]store.RunID{r.id}, w.settle(success(root)).Ended)
		rec := r.record()
		s.Equal(statuses.Finishing, rec.Status)
		s.Equal(statuses.Succeeded, rec.FinalStatus)

		d := w.one()
		s.Equal(postJob, d.Lease.Lane.Route)
		other.none("the hook is running")
		r.counts(store.Counts{Succeeded: 1}, "the hook is fetched")
		w.settle(hookDone(d, ""))
		r.status(statuses.Succeeded)
		r.counts(store.Counts{Succeeded: 1}, "the hook is done")
		s.Empty(r.record().HookError)
		w.none("the run is final")
	}},
	{"the post-job hook runs again after its worker died inside it", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PostJob: hook(postJob)})
		dead, heir := r.shortLived(), r.worker()
		heir.succeed(heir.one())
		lost := dead.one()
		s.Equal(postJob, lost.Lease.Lane.Route)
		s.lapse(dead)
		r.status(statuses.Finishing)
		again := heir.one()
		s.Equal(postJob, again.Lease.Lane.Route)
		heir.settle(hookDone(again, ""))
		r.status(statuses.Succeeded)
		_, err := dead.try(hookDone(lost, "late"))
		s.ErrorIs(err, store.ErrLeaseLost)
		s.Empty(r.record().HookError)
		heir.none("the hook completed once")
	}},
	{"the post-job hook is retried, and its giving up is recorded beside the status", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PostJob: hook(postJob)})
		w := r.worker()
		w.succeed(w.one())
		w.settle(retried(w.one(), 0))
		r.status(statuses.Finishing)
		d := w.one()
		s.Equal(1, d.Task.Retry)
		w.settle(hookDone(d, "mail server is down"))
		rec := r.record()
		s.Equal(statuses.Succeeded, rec.Status)
		s.Equal("mail server is down", rec.HookError)
		s.Zero(rec.Counts.Failed)
	}},
	{"no task starts before the pre-job hook passed", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PreJob: hook(preJob)})
		w, other := r.worker(), r.worker()
		r.status(statuses.Starting)
		d := w.one()
		s.Equal(preJob, d.Lease.Lane.Route)
		other.none("the pre-job hook is running")
		w.settle(retried(d, 0))
		r.status(statuses.Starting)
		w.settle(plain(w.one(), verdicts.Begin))
		r.status(statuses.Running)
		w.succeed(w.one())
		r.status(statuses.Succeeded)
		r.counts(store.Counts{Succeeded: 1}, "hooks are not counted")
	}},
	{"a pre-job hook that declines ends the run as skipped", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PreJob: hook(preJob), PostJob: hook(postJob)})
		w := r.worker()
		skip := plain(w.one(), verdicts.Skip)
		skip.Error = "maintenance"
		w.settle(skip)
		rec := r.record()
		s.Equal(statuses.Skipped, rec.Status)
		s.Equal("maintenance", rec.Reason)
		s.Zero(rec.Counts.Remaining())
		w.none("a skipped run starts nothing")
	}},
	{"a pre-job hook that fails for good ends the run as failed before any task starts", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PreJob: hook(preJob)})
		w := r.worker()
		abort := plain(w.one(), verdicts.Abort)
		abort.Error = "no such directory"
		w.settle(abort)
		rec := r.record()
		s.Equal(statuses.Failed, rec.Status)
		s.Equal("no such directory", rec.Error)
		s.Zero(rec.Counts.Remaining())
		s.Zero(rec.Counts.Succeeded)
		w.none("no task starts")
	}},
	{"every run of a declared job completes once, with its hook", func(s *scene) {
		_, err := s.store.EnsureJob(
			s.ctx, store.EnsureParams{Job: "nightly", Type: statuses.JobPeriodic, Definition: []byte("d")},
		)
		s.NoError(err)
		var last int64
		for range 3 {
			r := s.start(store.StartParams{Job: "nightly", Declared: true, PostJob: hook(postJob)})
			s.Greater(r.id.Number, last, "run numbers only grow")
			last = r.id.Number
			got := r.worker().drain(wellDone)
			s.Len(got, 2, "the root and one hook")
			r.status(statuses.Succeeded)
		}
	}},
	{"nothing joins a run that is finishing or finished", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PostJob: hook(postJob)})
		p, w := r.producer(), r.worker()
		w.succeed(w.one())
		r.status(statuses.Finishing)
		s.ErrorIs(p.offer(r, task(scan, "late"))[0].Err, store.ErrRunFinished)
		w.drain(wellDone)
		r.status(statuses.Succeeded)
		s.ErrorIs(p.offer(r, task(scan, "later"))[0].Err, store.ErrRunFinished)
		s.ErrorIs(p.hold(r, "late"), store.ErrRunFinished)
		r.counts(store.Counts{Succeeded: 1}, "refused enqueues")
	}},
}

// lastSettlements lets 64 sessions settle the last 64 tasks of a run at once.
func lastSettlements(s *scene) {
	const n = 64
	r := s.start(store.StartParams{Job: "import", PostJob: hook(postJob)})
	p := r.producer()
	p.add(r, tasks(scan, "t", n-1)...)
	ws, ds := make([]*worker, n), make([]store.Delivery, n)
	for i := range ws {
		ws[i] = r.worker()
		ds[i] = ws[i].one()
	}
	var ended, hooks atomic.Int64
	s.together(n, func(i int) error {
		reply, err := ws[i].try(success(ds[i]))
		ended.Add(int64(len(reply.Ended)))
		return err
	})
	s.Equal(int64(1), ended.Load(), "one settlement ends the run")
	r.status(statuses.Finishing)
	r.counts(store.Counts{Succeeded: n}, "all settled")

	hook := make([][]store.Delivery, n)
	s.together(n, func(i int) (err error) {
		hook[i], err = ws[i].tryFetch(4)
		hooks.Add(int64(len(hook[i])))
		return err
	})
	s.Equal(int64(1), hooks.Load(), "the hook is delivered once")
	for i, got := range hook {
		for _, d := range got {
			s.Equal(postJob, d.Lease.Lane.Route)
			s.Equal([]store.RunID{r.id}, ws[i].settle(hookDone(d, "")).Ended)
		}
	}
	r.status(statuses.Succeeded)
}
