package storetest

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// StartRun starts a run of a job, which is refused while one is active.
func (m *machine) StartRun(t *rapid.T) {
	s := m.s
	p := m.startParams(t, rapid.SampledFrom(m.jobs).Draw(t, "job"))
	known := m.m.jobs[p.Job]
	reply, err := s.store.StartRun(s.ctx, p)
	declared := known != nil && known.declared
	exists := &store.JobExistsError{Active: store.RunID{Job: p.Job}}
	if r := m.m.active(p.Job); r != nil {
		exists.Active = r.id
	}
	switch {
	case p.Declared && !declared:
		s.ErrorIs(err, store.ErrJobNotFound)
		return
	case p.Declared && known.disabled:
		s.ErrorIs(err, store.ErrJobDisabled)
		return
	case declared && !p.Declared:
		exists.Declared = known.kind
		s.Equal(exists, err)
		return
	case exists.Active.Number != 0:
		s.Equal(exists, err)
		return
	}
	s.NoError(err)
	s.False(reply.Existing)
	m.begins(reply.Run, p)
	m.m.audit.started(reply.Run, p)
	again, err := s.store.StartRun(s.ctx, p)
	s.NoError(err)
	s.Equal(store.StartReply{Run: reply.Run, Existing: true}, again)
}

// startParams draws how a run of the job begins.
func (m *machine) startParams(t *rapid.T, job string) store.StartParams {
	p := store.StartParams{Job: job, Open: rapid.Bool().Draw(t, "open"), Retention: m.soonOr(t, "retention", never)}
	if p.Open {
		p.SealAfter = m.soonOr(t, "seal after", 0)
	}
	if rapid.IntRange(0, 3).Draw(t, "pre") == 0 {
		p.PreJob = hook(preJob)
	} else if rapid.Bool().Draw(t, "stop when idle") { // see Stop
		p.SealAfter, p.StopAfter = 0, p.SealAfter
	}
	if rapid.IntRange(0, 2).Draw(t, "deadline") == 0 && p.PreJob == nil { // see Stop
		p.Deadline = m.soonOr(t, "how soon", never)
	}
	if rapid.IntRange(0, 2).Draw(t, "post") == 0 && p.Deadline == 0 {
		p.PostJob = hook(postJob)
	}
	if rapid.Bool().Draw(t, "hold") {
		p.OnFailure = store.OnFailureHold
	}
	if rapid.Bool().Draw(t, "labels") {
		p.Labels = map[string]string{"tenant": "x"}
	}
	if rapid.IntRange(0, 3).Draw(t, "configured") == 0 {
		p.Configuration = []byte("of its own")
	}
	if rapid.Bool().Draw(t, "few failures") {
		p.FailureCap = rapid.IntRange(1, 3).Draw(t, "failures")
	}
	known := m.m.jobs[job]
	p.Declared = (known != nil && known.declared) != (rapid.IntRange(0, 7).Draw(t, "as it is not") == 0)
	return m.s.params(p)
}

// begins records a run that began.
func (m *machine) begins(id store.RunID, p store.StartParams) {
	m.m.runs[id] = newModelRun(id, p, m.m.now, m.m.ledger)
	m.m.job(id.Job).last = id.Number
}

// Enqueue adds some tasks to a run, whatever its state.
func (m *machine) Enqueue(t *rapid.T) {
	r := m.run(t, func(*modelRun) bool { return true })
	var batch store.EnqueueParams
	for range rapid.IntRange(1, 5).Draw(t, "tasks") {
		batch.Entries = append(batch.Entries, store.Entry{Run: r.id, Item: m.item(t, true, true)})
	}
	batch.Audit = m.says(t, r, actions.Enqueue)
	m.lastSent = m.producer.send(batch)
	// Of several that claim an ID in one batch, which one gets it is the store's choice.
	for _, duplicate := range []bool{false, true} {
		for i, e := range batch.Entries {
			got := m.lastSent.Entries[i]
			switch {
			case r.refusal() != nil:
				m.s.ErrorIs(got.Err, r.refusal())
			case got.Duplicate == duplicate:
				m.s.NoError(got.Err)
				m.s.Equal(r.offer(e.Item, m.m.now), duplicate, "duplicate of %s", e.Item.Task.ID)
				r.touched = m.m.now
			}
		}
	}
	m.m.audit.enqueued(batch.Audit, m.lastSent)
}

// says draws whether a call to a run has a line of the audit.
func (m *machine) says(t *rapid.T, r *modelRun, action actions.Action) *store.AuditLine {
	if rapid.IntRange(0, 2).Draw(t, "is audited") != 0 {
		return nil
	}
	return &store.AuditLine{Action: action, Job: r.id.Job, Run: r.id.Number, Subject: "some", By: "me", Reason: "é\n"}
}

// RepeatEnqueue sends the last batch again.
func (m *machine) RepeatEnqueue(t *rapid.T) {
	if m.producer.number == 0 {
		t.Skip("nothing was sent")
	}
	again, err := m.producer.repeat()
	m.s.NoError(err)
	m.s.Equal(m.lastSent, again)
}

// ChangeHold opens, marks or closes a hold, perhaps only if it is as it says.
func (m *machine) ChangeHold(t *rapid.T) {
	r := m.run(t, func(*modelRun) bool { return true })
	change := store.HoldChange{
		Run: r.id, Name: rapid.SampledFrom([]string{store.HoldOpen, "h"}).Draw(t, "hold"), Close: rapid.Bool().Draw(t, "close"),
	}
	mark, open := r.holds[change.Name]
	if !change.Close {
		change.Mark = rapid.SampledFrom([]string{"", "m1", "m2"}).Draw(t, "mark")
	}
	if change.Guarded = rapid.Bool().Draw(t, "guarded"); change.Guarded {
		change.From = rapid.SampledFrom([]string{mark, "m1"}).Draw(t, "from")
	}
	line := m.says(t, r, actions.Release)
	m.lastSent = m.producer.send(store.EnqueueParams{Holds: []store.HoldChange{change}, Audit: line})
	switch err := m.lastSent.Holds[0]; {
	case r.refusal() != nil && change.Close:
		// Closing a hold of a run that has ended may say so or not: it is closed.
	case r.refusal() != nil:
		m.s.ErrorIs(err, r.refusal())
	case change.Guarded && (!open || mark != change.From):
		m.s.ErrorIs(err, store.ErrHoldLost)
	case change.Close:
		m.s.NoError(err)
		m.m.audit.closed(line, open)
		delete(r.holds, change.Name)
		r.settle()
	default:
		m.s.NoError(err)
		if change.Name == store.HoldOpen && !open {
			r.touched = m.m.now
		}
		if change.Mark != "" {
			mark = change.Mark
		}
		r.holds[change.Name] = mark
	}
}

// CloseSession ends a session with all that it holds.
func (m *machine) CloseSession(t *rapid.T) {
	slot := rapid.IntRange(0, len(m.workers)-1).Draw(t, "slot")
	m.workers[slot].close()
	m.die(slot, m.virtual && rapid.Bool().Draw(t, "mortal"))
}

// LeaseRunsOut lets the lease of a session run out and sweeps until it is gone.
func (m *machine) LeaseRunsOut(t *rapid.T) {
	slot := rapid.IntRange(0, len(m.workers)-1).Draw(t, "slot")
	w := m.workers[slot]
	if !w.brief {
		t.Skip("its lease lasts")
	}
	for range patience {
		m.wait(1, w)
		m.sweep()
		if !slices.ContainsFunc(m.s.live(0), func(rec store.SessionRecord) bool { return rec.ID == w.session.ID }) {
			m.die(slot, rapid.Bool().Draw(t, "mortal"))
			return
		}
	}
	m.s.Fail("the session is never swept")
}

// TimePasses lets what is delayed for a short time fall due.
func (m *machine) TimePasses(t *rapid.T) {
	if !m.virtual {
		t.Skip("time costs time")
	}
	m.wait(rapid.IntRange(1, 5).Draw(t, "ticks"), nil)
}

// Stop stops a run. A run whose hook is running is left alone: what its hook may still do is the
// store's choice.
func (m *machine) Stop(t *rapid.T) {
	r := m.run(t, func(r *modelRun) bool {
		return !r.status.Final() &&
			!slices.ContainsFunc(r.tasks, func(t *modelTask) bool { return t.place == held && !t.item.Route.Counted() })
	})
	graceful := rapid.Bool().Draw(t, "graceful")
	m.s.NoError(m.s.store.StopRun(m.s.ctx, store.StopParams{Run: r.id, Graceful: graceful, Reason: "enough"}))
	if r.status != statuses.Stopping || r.graceful && !graceful {
		m.m.audit.note(actions.Stop, r.id, "", "enough")
	}
	r.stop(graceful, "enough")
}

// Pause pauses or resumes a run.
func (m *machine) Pause(t *rapid.T) {
	r := m.run(t, func(r *modelRun) bool { return !r.status.Final() && r.status != statuses.Stopping })
	before := r.paused
	if r.paused = rapid.Bool().Draw(t, "paused"); r.paused != before {
		m.m.audit.note(actions.PauseOrResume(r.paused), r.id, "", "")
	}
	m.s.NoError(m.s.store.SetRunPaused(m.s.ctx, r.id, r.paused))
}

// Sweep sweeps and promotes. Nothing is due, so that no task moves.
func (m *machine) Sweep(*rapid.T) {
	m.sweep()
	m.promote()
}

// endDue stops the runs that have reached their deadlines, and seals, or stops, those that nobody
// enqueued into. It returns those that so came to a final status.
func (m *machine) endDue() (over []store.RunID) {
	for _, r := range m.m.ordered() {
		active := !r.status.Final()
		if r.deadline != 0 && r.deadline <= m.m.now && !r.overdue && !r.status.Final() {
			r.overdue = true
			r.stop(false, store.DeadlineReason)
		}
		if _, open := r.holds[store.HoldOpen]; open && r.idleAfter > 0 && r.touched+r.idleAfter <= m.m.now {
			if r.stopIdle {
				r.stop(false, store.IdleReason)
			} else {
				delete(r.holds, store.HoldOpen)
				r.settle()
			}
		}
		if m.m.noteEnd(r); active && r.over {
			over = append(over, r.id)
		}
	}
	return over
}

// awaitsEnds requires that the store tells of the deadline of each active run, and of the end of
// each open one that is left idle.
func (m *machine) awaitsEnds(reply store.PromoteReply) {
	for _, r := range m.m.ordered() {
		if r.deadline != 0 && !r.overdue && !r.status.Final() {
			at := reply.Now.Add(r.deadline - m.m.now + tick)
			m.s.False(reply.Next.IsZero() || reply.Next.After(at), "a run has a deadline, and nobody is told when")
		}
		if _, open := r.holds[store.HoldOpen]; !open || r.idleAfter <= 0 || r.status.Final() {
			continue
		}
		ends := reply.Now.Add(r.touched + r.idleAfter - m.m.now + tick)
		m.s.False(reply.Next.IsZero() || reply.Next.After(ends), "an idle run ends, and nobody is told when")
	}
}

// sweep forgets the runs whose retention is over.
func (m *machine) sweep() {
	m.s.sweep(0)
	m.checkHistory()
	for _, r := range m.m.ordered() {
		m.m.noteEnd(r)
		if r.status.Final() && r.ended+r.retention <= m.m.now {
			m.m.forget(r.id)
		}
	}
}

// DeleteRun removes a finished run, and is refused for an active one.
func (m *machine) DeleteRun(t *rapid.T) {
	r := m.run(t, func(*modelRun) bool { return true })
	err := m.s.store.DeleteRun(m.s.ctx, r.id)
	if !r.status.Final() {
		m.s.ErrorIs(err, store.ErrRunActive)
		return
	}
	m.s.NoError(err)
	m.m.audit.note(actions.Delete, r.id, "", "")
	m.m.forget(r.id)
	_, err = m.s.store.Run(m.s.ctx, r.id)
	m.s.ErrorIs(err, store.ErrRunNotFound)
}

// Quiet gives a session a status.
func (m *machine) Quiet(t *rapid.T) {
	w := m.worker(t)
	m.gives(w, rapid.SampledFrom([]statuses.WorkerStatus{
		statuses.WorkerActive, statuses.WorkerActive, statuses.WorkerQuiet, statuses.WorkerDraining,
	}).Draw(t, "status"))
}

func (m *machine) gives(w *modelWorker, status statuses.WorkerStatus) {
	p := w.statusParams(status)
	m.s.NoError(m.s.store.SetWorkerStatus(m.s.ctx, p))
	if w.status != status {
		action, subject := p.Audited()
		m.m.audit.note(action, store.RunID{}, subject, "")
	}
	w.status = status
}

// checkHistory compares what the history has noted with what the operations did: it is as much, or
// less, as it is noted once in a minute. Staged children count when they are there, though some may
// turn out to be duplicates.
func (m *machine) checkHistory() {
	for _, hours := range []bool{false, true} {
		for route, f := range m.s.history(0, hours) {
			q := m.m.ledger[route]
			if q == nil { // it has durations only
				q = new(store.QueueRecord)
			}
			m.s.LessOrEqual(f.Succeeded, q.Succeeded)
			m.s.LessOrEqual(f.Failed, q.Failed)
			m.s.LessOrEqual(f.Retried, q.Retried)
			m.s.LessOrEqual(f.Succeeded+f.Failed+f.Retried+f.Other, q.Started)
		}
		for route, t := range m.s.took(0, hours) {
			came := m.m.times[route]
			m.s.LessOrEqual(t.Wait.Count(), came.Wait.Count())
			m.s.LessOrEqual(t.Run.Count(), came.Run.Count())
		}
	}
}
