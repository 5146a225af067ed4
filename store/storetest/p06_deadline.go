package storetest

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var deadlines = []testCase{
	{"a run is stopped at its deadline, whatever it waits for", func(s *scene) {
		for name, bring := range map[string]func(r *run, w *worker){
			"open":   func(*run, *worker) {},
			"paused": func(r *run, _ *worker) { r.pause(true) },
			"held":   func(r *run, _ *worker) { s.NoError(r.producer().hold(r, "upload")) },
			"delayed": func(_ *run, w *worker) {
				w.settle(snoozed(w.one(), never))
			},
			"starting": nil,
		} {
			p := store.StartParams{Job: "import-" + name, Open: true, Deadline: brief, PostJob: hook(postJob)}
			if bring == nil {
				p.PreJob = hook(preJob)
			}
			r := s.start(p)
			r.producer().add(r, tasks(scan, "scan", 3)...)
			if bring != nil {
				bring(r, r.worker())
			}
			s.WithinRange(r.record().Deadline, r.record().Created.Add(brief), r.record().Created.Add(brief+tick))
			s.h.Advance(s.tb, brief+tick)
			s.Equal([]store.RunID{r.id}, r.overdue(), name)
			rec := r.record()
			s.Equal(statuses.Stopped, rec.Status, name)
			s.Empty(r.overdue(), "once")
			s.Equal(store.DeadlineReason, rec.Reason, name)
			s.False(rec.Graceful || rec.Paused, name)
			r.counts(store.Counts{Cancelled: 3}, "what waited is cancelled")
			s.NoError(s.store.StopRun(s.ctx, store.StopParams{Run: r.id}), "a stop has ended it")
		}
	}},
	{"a deadline ends handlers that run, also those that a stop lets finish, and says so", func(s *scene) {
		for _, stopped := range []bool{false, true} {
			r := s.start(store.StartParams{Job: s.name("import"), Open: true, Deadline: brief})
			p, w := r.producer(), r.worker()
			p.add(r, tasks(scan, "scan", 2)...)
			d := w.one()
			signals := func() store.RunSignal { return r.signalTo(w) }
			s.Equal(store.RunSignal{Run: r.id, Status: statuses.Running}, signals())
			if stopped {
				r.stop(true)
				s.Equal(store.RunSignal{Run: r.id, Status: statuses.Stopping, Graceful: true}, signals())
			}
			s.h.Advance(s.tb, brief+tick)
			s.promote(r.partition)
			s.Equal(store.RunSignal{Run: r.id, Status: statuses.Stopping, Overdue: true}, signals())
			s.Zero(r.due())
			w.settle(success(d))
			r.status(statuses.Stopped)
			r.counts(store.Counts{Succeeded: 1, Cancelled: 1}, "a success stands")
			s.Equal(!stopped, r.record().Reason == store.DeadlineReason, "whoever came first says why")
		}
	}},
	{"a post-job hook that is left at the deadline is given up, and the outcome stands", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", Open: true, Deadline: brief, PostJob: hook(postJob)})
		r.producer().seal(r)
		r.status(statuses.Finishing)
		s.h.Advance(s.tb, brief+tick)
		s.promote(r.partition)
		s.Equal(statuses.Succeeded, r.record().Status)
		s.Equal(store.DeadlineReason, r.record().HookError)
		s.Zero(r.due())
		r.worker().none("the hook is gone")
	}},
	{"a run that ends before its deadline leaves nothing that is due", func(s *scene) {
		for name, end := range map[string]func(r *run){
			"sealed":  func(r *run) { r.producer().seal(r) },
			"stopped": func(r *run) { r.stop(false) },
			"cancelled": func(r *run) {
				p, w := r.producer(), r.worker()
				p.add(r, task(scan, "t"))
				p.seal(r)
				w.succeed(w.one())
			},
		} {
			r := s.start(store.StartParams{Job: "import-" + name, Open: true, Deadline: never})
			s.False(r.due().IsZero(), "%s: it is due", name)
			end(r)
			s.True(r.record().Status.Final(), name)
			s.Zero(r.due(), name)
		}
		root := task(scan, "root")
		without := s.start(store.StartParams{Job: "without", Root: &root})
		s.Zero(without.record().Deadline)
		s.Zero(without.due())
	}},
	{"a deadline ends a run that is held for its failures, or for its hook", func(s *scene) {
		r := s.holds(store.StartParams{Job: "failures", Deadline: brief})
		r.held()
		s.h.Advance(s.tb, brief+tick)
		s.Equal([]store.RunID{r.id}, r.overdue())
		s.Equal(statuses.Stopped, r.record().Status)
		s.Equal(store.DeadlineReason, r.record().Reason)
		failures, err := s.store.Failures(s.ctx, store.FailuresParams{Run: r.id, Limit: 9})
		s.NoError(err)
		s.Len(failures, 1, "they are kept")
		_, err = r.producer().tryRedo(r.id, store.RedoParams{Action: actions.RedoAccept})
		s.ErrorIs(err, store.ErrJobStopped)

		r = s.start(store.StartParams{
			Job: "hook", Open: true, OnFailure: store.OnFailureHold, PostJob: hook(postJob), Deadline: brief,
		})
		r.producer().seal(r)
		w := r.worker()
		w.settle(hookDone(w.one(), "mail server is down"))
		r.held()
		s.h.Advance(s.tb, brief+tick)
		s.Equal([]store.RunID{r.id}, r.overdue())
		s.Equal(statuses.Succeeded, r.record().Status, "the outcome of its tasks")
		s.Equal(store.DeadlineReason, r.record().HookError)
	}},
	{"a hook that runs at the deadline changes nothing any more", func(s *scene) {
		for _, p := range []store.StartParams{
			{Job: "before", Open: true, PreJob: hook(preJob), Deadline: brief},
			{Job: "after", Open: true, PostJob: hook(postJob), Deadline: brief},
		} {
			r := s.start(p)
			w := r.worker()
			if p.PostJob != nil {
				r.producer().seal(r)
			}
			d := w.one()
			s.h.Advance(s.tb, brief+tick)
			s.Equal([]store.RunID{r.id}, r.overdue())
			s.True(r.signalTo(w).Overdue, "its handler hears of it")
			before := r.record()
			verdict := verdicts.Begin
			if p.PostJob != nil {
				verdict = verdicts.HookDone
			}
			_, err := w.try(plain(d, verdict))
			s.NoError(err)
			after := r.record()
			s.Equal(before.Status, after.Status)
			s.Equal([]string{before.Reason, before.HookError}, []string{after.Reason, after.HookError})
			s.Equal(p.PreJob != nil, after.Status == statuses.Stopped)
		}
	}},
	{"a deadline counts before the end of an idle run, if both have passed", func(s *scene) {
		for _, p := range []store.StartParams{{SealAfter: brief}, {SealAfter: brief / 2}, {StopAfter: brief}} {
			p.Job, p.Open, p.Deadline = s.name("import"), true, brief
			r := s.start(p)
			s.h.Advance(s.tb, brief+tick)
			s.Equal([]store.RunID{r.id}, r.overdue())
			s.Equal(store.DeadlineReason, r.record().Reason)
			s.Zero(r.due())
		}
	}},
	{"runs that are idle end in the call that says so", func(s *scene) {
		for status, p := range map[statuses.Status]store.StartParams{
			statuses.Succeeded: {SealAfter: brief}, statuses.Stopped: {StopAfter: brief},
		} {
			p.Job, p.Open = s.name("import"), true
			r := s.start(p)
			s.h.Advance(s.tb, brief+tick)
			s.Equal([]store.RunID{r.id}, r.overdue())
			s.Equal(status, r.record().Status)
		}
	}},
}

// due is when something of the run's partition is due next.
func (r *run) due() time.Time {
	r.s.tb.Helper()
	reply, err := r.s.store.Promote(r.s.ctx, r.partition)
	r.s.NoError(err)
	return reply.Next
}

// signalTo is what a heartbeat of a worker says of the run.
func (r *run) signalTo(w *worker) store.RunSignal {
	r.s.tb.Helper()
	p := store.HeartbeatParams{Session: w.session, Lease: time.Hour, Runs: []store.RunID{r.id}}
	reply, err := r.s.store.Heartbeat(r.s.ctx, p)
	r.s.NoError(err)
	return reply.Runs[0]
}

// overdue promotes, and returns the runs that ended with that.
func (r *run) overdue() []store.RunID {
	r.s.tb.Helper()
	reply, err := r.s.store.Promote(r.s.ctx, r.partition)
	r.s.NoError(err)
	return reply.Ended
}
