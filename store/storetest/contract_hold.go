package storetest

import (
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// holds starts a run that holds for its failures, whose root has failed.
func (s *scene) holds(p store.StartParams) *run {
	s.tb.Helper()
	p.OnFailure = store.OnFailureHold
	if p.Job == "" {
		p.Job = "import"
	}
	r := s.start(p)
	w := r.worker()
	if p.PreJob != nil {
		w.settle(plain(w.one(), verdicts.Begin))
	}
	w.settle(failed(w.one()))
	w.close()
	return r
}

// givesUp starts a run that holds since its post-job hook gave up.
func (s *scene) givesUp() *run {
	s.tb.Helper()
	r := s.start(store.StartParams{Job: "import", OnFailure: store.OnFailureHold, PostJob: hook(postJob)})
	w := r.worker()
	w.succeed(w.one())
	w.settle(retried(w.one(), 0))
	o := hookDone(w.one(), "mail server is down")
	o.Result = []byte(`"none"`)
	s.Equal([]store.RunID{r.id}, w.settle(o).Ended, "the run is held")
	w.close()
	r.held()
	return r
}

// held requires that only what failed keeps the run from going on.
func (r *run) held() store.RunRecord {
	r.s.tb.Helper()
	rec := r.record()
	r.s.True(rec.Failing())
	r.s.True(rec.Held(), "%s, %+v", rec.Status, rec.Counts)
	r.s.worker(r.partition, steady).none("a run that is held starts nothing")
	for _, quick := range []bool{true, false} {
		report, err := r.s.store.Repair(r.s.ctx, store.RepairParams{Job: r.id.Job, Run: r.id.Number, Quick: quick})
		r.s.NoError(err)
		r.s.Empty(report.Damage, "a run that is held is sound")
	}
	return rec
}

func (r *run) failing() bool {
	r.s.tb.Helper()
	rec := r.record()
	return rec.Failing()
}

func (r *run) isHeld() bool {
	r.s.tb.Helper()
	rec := r.record()
	return rec.Held()
}

// finishes lets the post-job hook of the run end it.
func (r *run) finishes(final statuses.Status) {
	r.s.tb.Helper()
	r.status(statuses.Finishing)
	r.s.False(r.failing())
	w := r.worker()
	d := w.one()
	r.s.Equal(postJob, d.Lease.Lane.Route)
	r.s.Zero(d.Task.Retry, "it begins anew")
	r.s.Equal([]store.RunID{r.id}, w.settle(hookDone(d, "")).Ended)
	w.none("the hook comes once")
	r.status(final)
}

// letGo makes a call that accepts or repeats, and returns how much it changed.
func (p *producer) letGo(r *run, action actions.Redo) int64 {
	p.s.tb.Helper()
	line := rules.NewAuditLine(p.s.ctx, action.Audited(), r.id, "", "")
	return p.redo(r, store.RedoParams{Action: action, Audit: &line}).Moved
}

var holdContract = []testCase{
	{"a run stays as it is when all but its failures has ended, and goes on when the last is retried", func(s *scene) {
		r := s.holds(store.StartParams{PostJob: hook(postJob)})
		s.Equal(statuses.Running, r.held().Status)
		p, w := r.producer(), r.worker()
		p.add(r, task(scan, "repair"))
		s.False(r.isHeld(), "a task waits")
		o := success(w.one())
		s.Equal([]store.RunID{r.id}, w.settle(o).Ended, "it is held again")
		late, err := w.try(o)
		s.NoError(err)
		s.Equal(store.SettleReply{Lost: []int{0}}, late, "nothing has changed")
		r.held()
		s.EqualValues(1, p.redo(r, store.RedoParams{}).Moved)
		s.False(r.failing())
		p.add(r, task(scan, "slow"))
		d, slow := w.one(), w.one()
		s.Empty(w.settle(failed(d)).Ended, "a task runs")
		s.Equal([]store.RunID{r.id}, w.settle(success(slow)).Ended)
		r.held()
		p.redo(r, store.RedoParams{})
		w.succeed(w.one())
		r.counts(store.Counts{Succeeded: 3}, "the hook sees the whole")
		r.finishes(statuses.Succeeded)
	}},
	{"to discard the last failure ends the run in the same step", func(s *scene) {
		r := s.holds(store.StartParams{PostJob: hook(postJob)})
		r.producer().redo(r, store.RedoParams{Action: actions.RedoDiscard})
		r.finishes(statuses.Succeeded)
		plain := s.holds(store.StartParams{Job: "plain"})
		s.during(
			func() { plain.producer().redo(plain, store.RedoParams{Action: actions.RedoDiscard}) },
			func(l *listener) { l.moves(plain, "its end") },
		)
		plain.status(statuses.Succeeded)
	}},
	{"accepting the failures ends the run once, as failed", func(s *scene) {
		r := s.holds(store.StartParams{PostJob: hook(postJob)})
		var moved [4]int64
		var producers [4]*producer
		for i := range producers {
			producers[i] = r.producer()
		}
		s.together(len(producers), func(i int) error {
			line := rules.NewAuditLine(s.ctx, actions.Accept, r.id, "", "")
			reply, err := producers[i].tryRedo(r.id, store.RedoParams{Action: actions.RedoAccept, Audit: &line})
			moved[i] = reply.Moved
			return err
		})
		s.EqualValues(1, moved[0]+moved[1]+moved[2]+moved[3], "of four calls one accepts")
		r.finishes(statuses.Failed)
		for i, p := range producers {
			again, err := s.store.RedoFailures(s.ctx, p.redone)
			s.NoError(err)
			s.Equal(moved[i], again.Moved, "a repeat gets its reply")
			s.Zero(p.letGo(r, actions.RedoAccept), "it was accepted")
		}
		lines := s.auditOf(r.partition, 7)
		s.Equal(actions.Accept, lines[0].Action)
		s.Equal([]any{r.id.Job, r.id.Number}, []any{lines[0].Job, lines[0].Run})
		s.Len(lines, 1, "one line for one change")
		s.Equal([]int64{1}, r.places(store.FailuresParams{}), "it keeps its failure")
	}},
	{"sealing and accepting end an open run in either order, and what fails later is accepted", func(s *scene) {
		for _, sealFirst := range []bool{true, false} {
			r := s.start(store.StartParams{Job: s.name("import"), Open: true, OnFailure: store.OnFailureHold})
			r.fail(1)
			s.True(r.failing())
			s.False(r.isHeld(), "it is open")
			p := r.producer()
			if sealFirst {
				p.seal(r)
				r.held()
				p.letGo(r, actions.RedoAccept)
			} else {
				s.during(func() { p.letGo(r, actions.RedoAccept) }, func(l *listener) { l.moves(r, "it was accepted") })
				r.status(statuses.Running)
				r.fail(1)
				s.False(r.failing())
				p.seal(r)
			}
			r.status(statuses.Failed)
		}
	}},
	{"failures that are no longer kept hold the run until they are accepted", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", Open: true, FailureCap: 2, OnFailure: store.OnFailureHold})
		r.fail(5)
		p := r.producer()
		p.seal(r)
		reply := p.redo(r, store.RedoParams{Action: actions.RedoDiscard})
		s.Equal([]int64{2, 3}, []int64{reply.Moved, reply.Gone})
		r.held()
		s.Equal(store.RedoReply{Moved: 1, Gone: 3}, p.redo(r, store.RedoParams{Action: actions.RedoAccept}))
		r.status(statuses.Failed)
	}},
	{"only a run that holds can be accepted or repeated", func(s *scene) {
		both := func(r *run, accept, repeat error) {
			s.tb.Helper()
			_, err := r.producer().tryRedo(r.id, store.RedoParams{Action: actions.RedoPostJob})
			s.ErrorIs(err, repeat, "repeat")
			_, err = r.producer().tryRedo(r.id, store.RedoParams{Action: actions.RedoAccept})
			if accept == nil {
				s.NoError(err)
			} else {
				s.ErrorIs(err, accept, "accept")
			}
		}
		r := s.start(store.StartParams{Job: "import", PostJob: hook(postJob)})
		w := r.worker()
		both(r, store.ErrNotHeld, store.ErrNotHeld)
		w.succeed(w.one())
		r.status(statuses.Finishing)
		both(r, store.ErrNotHeld, store.ErrNotHeld)
		w.settle(hookDone(w.one(), "gave up"))
		r.status(statuses.Succeeded)
		both(r, store.ErrRunFinished, store.ErrRunFinished)
		r = s.holds(store.StartParams{Job: "held"})
		both(r, nil, store.ErrNotHeld)     // it has no hook that gave up
		both(r, nil, store.ErrRunFinished) // it was accepted before
		r = s.holds(store.StartParams{})
		r.stop(false)
		r.status(statuses.Stopped)
		both(r, store.ErrJobStopped, store.ErrJobStopped)
		s.Equal([]int64{1}, r.places(store.FailuresParams{}), "a stop keeps the failures")
		r.id.Number++
		both(r, store.ErrRunNotFound, store.ErrRunNotFound)
		_, err := s.store.StartRun(s.ctx, s.params(store.StartParams{Job: "other", OnFailure: store.OnFailureAccepted}))
		s.refuses(err, "OnFailure")
	}},
	{"a run that its pre-job hook ended, or a task cancelled, is not held", func(s *scene) {
		for _, verdict := range []verdicts.Verdict{verdicts.Skip, verdicts.Abort} {
			r := s.start(store.StartParams{Job: "import", OnFailure: store.OnFailureHold, PreJob: hook(preJob)})
			w := r.worker()
			w.settle(plain(w.one(), verdict))
			r.status(statuses.Skipped, statuses.Failed)
			w.close()
		}
		r := s.start(store.StartParams{Job: "import", Open: true, OnFailure: store.OnFailureHold})
		r.fail(1)
		p, w := r.producer(), r.worker()
		p.add(r, task(scan, "t"))
		w.settle(plain(w.one(), verdicts.StopRun))
		r.status(statuses.Stopped)
	}},
	{"whatever ends the last task leaves the run held: a cancellation, a seal for being idle", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", Open: true, SealAfter: brief, OnFailure: store.OnFailureHold})
		r.fail(1)
		s.until(r.partition, "the idle run is sealed", func() bool { return r.record().Holds == 0 })
		r.held()
		p := r.producer()
		p.add(r, delayed(scan, "t", never))
		s.Equal(verdicts.ChangeCancelled, r.cancel("t"))
		r.held()
		p.letGo(r, actions.RedoAccept)
		r.status(statuses.Failed)
	}},
	{"a run that is held is kept, and found", func(s *scene) {
		r := s.holds(store.StartParams{Retention: brief})
		s.start(store.StartParams{Job: "other", Open: true, OnFailure: store.OnFailureHold})
		s.h.Advance(s.tb, 2*brief)
		s.sweep(r.partition)
		r.held()
		s.Equal([]string{"import"}, s.listedJobRuns(store.RunsParams{Held: true}))
		r.stop(false)
		s.Empty(s.listedJobRuns(store.RunsParams{Held: true}))
	}},
	{"a post-job hook that gave up holds the run, and is repeated as it was at first", func(s *scene) {
		r := s.givesUp()
		rec := r.record()
		s.Equal([]string{"mail server is down", `"none"`}, []string{rec.HookError, string(rec.Result)})
		s.Equal(statuses.Succeeded, rec.FinalStatus)
		s.Equal([]string{"import"}, s.listedJobRuns(store.RunsParams{Held: true}))
		p := r.producer()
		_, err := p.tryRedo(r.id, store.RedoParams{})
		s.ErrorIs(err, store.ErrRunFinished)
		s.ErrorIs(p.offer(r, task(scan, "late"))[0].Err, store.ErrRunFinished)
		s.during(func() { s.EqualValues(1, p.letGo(r, actions.RedoPostJob)) }, func(l *listener) { l.moves(r, "the hook waits") })
		rec = r.record()
		s.Equal([]string{"", ""}, []string{rec.HookError, string(rec.Result)})
		for _, action := range []actions.Redo{actions.RedoAccept, actions.RedoPostJob} {
			_, err = p.tryRedo(r.id, store.RedoParams{Action: action})
			s.ErrorIs(err, store.ErrNotHeld, "the hook waits")
		}
		dead, w := r.shortLived(), r.worker()
		dead.one()
		s.lapse(dead)
		w.settle(hookDone(w.one(), "still down"))
		r.held()
		s.during(func() { p.letGo(r, actions.RedoPostJob) }, func(l *listener) { l.hearsOfWork(r.partition, postJob.Queue) })
		r.finishes(statuses.Succeeded)
		s.Empty(r.record().HookError)
		lines := s.auditOf(r.partition, 7)
		s.Equal([]actions.Action{actions.Repeat, actions.Repeat}, []actions.Action{lines[0].Action, lines[1].Action})
		s.Len(lines, 2)
	}},
	{"of two calls one repeats the hook, and a repeat of the call does not", func(s *scene) {
		r := s.givesUp()
		var moved [4]int64
		var producers [4]*producer
		for i := range producers {
			producers[i] = r.producer()
		}
		s.together(len(producers), func(i int) error {
			reply, err := producers[i].tryRedo(r.id, store.RedoParams{Action: actions.RedoPostJob})
			if moved[i] = reply.Moved; err != nil {
				s.ErrorIs(err, store.ErrNotHeld)
			}
			return nil
		})
		s.EqualValues(1, moved[0]+moved[1]+moved[2]+moved[3])
		w := r.worker()
		w.settle(hookDone(w.one(), "still down"))
		for i, p := range producers {
			if moved[i] == 1 {
				again, err := s.store.RedoFailures(s.ctx, p.redone)
				s.NoError(err)
				s.EqualValues(1, again.Moved)
			}
		}
		r.held()
	}},
	{"a hook that gave up is accepted, or stopped, with the outcome of the tasks", func(s *scene) {
		r := s.givesUp()
		s.EqualValues(1, r.producer().letGo(r, actions.RedoAccept))
		rec := r.record()
		s.Equal(statuses.Succeeded, rec.Status)
		s.Equal("mail server is down", rec.HookError)
		r = s.givesUp()
		r.stop(false)
		rec = r.record()
		s.Equal(statuses.Succeeded, rec.Status)
		s.Equal("stopped", rec.HookError)
		r.worker().none("the run has ended")
	}},
	{"failures that were accepted do not keep the hook from holding the run", func(s *scene) {
		r := s.holds(store.StartParams{PostJob: hook(postJob)})
		p, w := r.producer(), r.worker()
		p.letGo(r, actions.RedoAccept)
		w.settle(hookDone(w.one(), "gave up"))
		s.Equal(statuses.Failed, r.held().FinalStatus)
		r.pause(true)
		p.letGo(r, actions.RedoPostJob)
		w.none("it is paused")
		r.pause(false)
		r.finishes(statuses.Failed)
	}},
	{"the name of the hold for failures is taken", func(s *scene) {
		r := s.open("import")
		_, err := r.producer().try(store.EnqueueParams{Holds: []store.HoldChange{{Run: r.id, Name: store.HoldFailures}}})
		s.refuses(err, "Holds[0].Name")
	}},
}
