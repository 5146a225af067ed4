package storetest

import (
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// uniform has calls that stores once answered differently.
var uniform = []testCase{
	{"a hook that failed before it passed leaves no error on a run that succeeded", func(s *scene) {
		for name, p := range map[string]store.StartParams{
			"pre":  {Job: "pre", PreJob: hook(preJob)},
			"post": {Job: "post", PostJob: hook(postJob)},
			"both": {Job: "both", PreJob: hook(preJob), PostJob: hook(postJob)},
		} {
			r := s.start(p)
			w := r.worker()
			failed := make(map[string]bool)
			w.drain(func(d store.Delivery) store.Outcome {
				kind := d.Lease.Lane.Route.Kind
				if !d.Lease.Lane.Route.Counted() && !failed[kind] {
					failed[kind] = true
					o := retried(d, 0)
					o.Error = "not yet"
					return o
				}
				return wellDone(d)
			})
			rec := r.record()
			s.Equal(statuses.Succeeded, rec.Status, name)
			s.Empty(rec.RetryError, name)
			s.Empty(rec.Error, name)
			s.Empty(rec.HookError, name)
			w.close()
		}
	}},
	{"a hook that is settled like a task ends its run all the same", func(s *scene) {
		for _, c := range []struct {
			verdict verdicts.Verdict
			pre     statuses.Status // of the run when the pre-job hook is settled so
			post    statuses.Status // of the run when the post-job hook is settled so
		}{
			{verdicts.Success, statuses.Running, statuses.Succeeded},
			{verdicts.Fail, statuses.Failed, statuses.Succeeded},
			{verdicts.StopRun, statuses.Failed, statuses.Succeeded},
			{verdicts.Cancel, statuses.Starting, statuses.Finishing},
			{verdicts.Release, statuses.Starting, statuses.Finishing},
			{verdicts.Begin, statuses.Running, statuses.Finishing},
			{verdicts.Skip, statuses.Skipped, statuses.Finishing},
			{verdicts.Abort, statuses.Failed, statuses.Finishing},
			{verdicts.HookDone, statuses.Starting, statuses.Succeeded},
		} {
			pre := s.start(store.StartParams{Job: s.name("pre"), PreJob: hook(preJob)})
			w := pre.worker()
			w.settle(plain(w.one(), c.verdict))
			pre.status(c.pre)
			pre.finish(w)
			w.close()
			post := s.start(store.StartParams{Job: s.name("post"), PostJob: hook(postJob)})
			w = post.worker()
			w.succeed(w.one())
			w.settle(plain(w.one(), c.verdict))
			post.status(c.post)
			post.finish(w)
			w.close()
		}
	}},
	{"a lease, an entry or a run that names another job than its own is none", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, task(scan, "t"))
		other := s.jobBeside("import")
		stranger := store.RunID{Job: other, Number: r.id.Number}
		s.ErrorIs(p.offer(&run{s, stranger, r.partition}, task(scan, "lost"))[0].Err, store.ErrRunNotFound)
		s.ErrorIs(p.hold(&run{s, stranger, r.partition}, "hold"), store.ErrRunNotFound)
		d := w.one()
		forged := d
		forged.Lease.Lane.Run = stranger
		for _, o := range []store.Outcome{success(forged), failed(forged), success(forged, task(scan, "child"))} {
			reply, err := w.try(o)
			s.NoError(err)
			s.Equal([]int{0}, reply.Lost)
		}
		s.ErrorIs(w.stage(forged, file, 0, task(file, "t")), store.ErrLeaseLost)
		beat, err := w.heartbeat(&run{s, stranger, r.partition})
		s.NoError(err)
		s.Equal([]store.RunSignal{{Run: stranger}}, beat.Runs)
		s.Equal([]store.Delivery{d}, withoutTimes(w.held(), d))
		w.settle(success(d))
		r.counts(store.Counts{Succeeded: 1}, "nothing was added")
	}},
	{"texts that are no UTF-8 are made plain", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		id := store.SessionID{Partition: r.partition, ID: s.name("session")}
		info := store.WorkerInfo{Name: "w\xff", Host: "h\xff", Version: "v\xff"}
		s.NoError(s.store.OpenSession(s.ctx, id, info, steady))
		w := &worker{s: s, session: id, queues: everything()}
		d := w.one()
		running := store.RunningTask{
			Run:      r.id,
			ID:       "i\xff",
			Kind:     "k\xff",
			Queue:    "q\xff",
			Progress: store.Progress{Done: 1, Message: "m\xff"},
		}
		beat := store.HeartbeatParams{
			Session: id,
			Lease:   steady,
			Runs:    []store.RunID{r.id},
			Running: []store.RunningTask{running},
		}
		_, err := s.store.Heartbeat(s.ctx, beat)
		s.NoError(err)
		s.Equal("i\xff", beat.Running[0].ID, "parameters are the caller's")
		live, err := s.store.LiveSessions(s.ctx, r.partition)
		s.NoError(err)
		shownWorker := live[0].Worker
		s.Equal("w\uFFFD h\uFFFD v\uFFFD", shownWorker.Name+" "+shownWorker.Host+" "+shownWorker.Version)
		shown := live[0].Running[0]
		s.Equal(
			"i\uFFFD k\uFFFD q\uFFFD m\uFFFD",
			strings.Join([]string{shown.ID, shown.Kind, shown.Queue, shown.Progress.Message}, " "),
		)
		o := failed(d)
		o.Error, o.Stack = "e\xff", "s\xff"
		_, err = s.store.Settle(
			s.ctx, store.SettleParams{Session: id, Number: 1, Worker: "w\xff", Outcomes: []store.Outcome{o}},
		)
		s.NoError(err)
		failures, err := s.store.Failures(s.ctx, store.FailuresParams{Run: r.id, Limit: 1})
		s.NoError(err)
		s.Equal(
			"e\uFFFD s\uFFFD w\uFFFD",
			strings.Join([]string{failures[0].Error, failures[0].Stack, failures[0].Worker}, " "),
		)
		s.Equal("e\uFFFD", r.record().Error)
	}},
	{"the beginning of 1970 is a time like any other", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.bounded()
		epoch := task(scan, "t")
		epoch.At = time.Unix(0, 0)
		p.add(r, epoch)
		got, short := w.within([]store.Budget{{Scope: scope(scan), Left: 9, Until: time.Unix(0, 0)}})
		s.Empty(got, "the budget is over")
		s.Equal([]int{0}, short)
		w.one()
	}},
}

// finish ends a run that a case no longer needs.
func (r *run) finish(w *worker) {
	r.s.tb.Helper()
	w.drain(wellDone)
	r.s.True(r.record().Status.Final())
}

// jobBeside returns the name of another job in the same partition.
func (s *scene) jobBeside(job string) string {
	for {
		if other := s.name("beside"); s.partition(other) == s.partition(job) {
			return other
		}
	}
}

// withoutTimes replaces times in deliveries, because stores keep them with their own precision.
func withoutTimes(ds []store.Delivery, like store.Delivery) []store.Delivery {
	for i := range ds {
		ds[i].Task.Enqueued = like.Task.Enqueued
		ds[i].Configured = like.Configured
	}
	return ds
}
