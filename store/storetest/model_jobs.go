package storetest

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// modelJob is a job as the model knows it, apart from its runs.
type modelJob struct {
	declared bool
	kind     statuses.JobType
	revision int64
	text     string // its definition
	disabled bool
	last     int64 // number of the newest run
	changes  int64 // of its definition
	schedule modelSchedule
	values   modelValues
}

// job is the job of that name, which is made if there is none.
func (m *model) job(name string) *modelJob {
	j := m.jobs[name]
	if j == nil {
		j = &modelJob{kind: statuses.JobSinglePass, values: make(modelValues)}
		m.jobs[name] = j
	}
	return j
}

// forget removes a run, and its job with the last unless it is declared or disabled.
func (m *model) forget(id store.RunID) {
	delete(m.runs, id)
	j := m.jobs[id.Job]
	left := slices.ContainsFunc(
		slices.Collect(maps.Keys(m.runs)), func(other store.RunID) bool { return other.Job == id.Job },
	)
	if !left && !j.declared && !j.disabled {
		delete(m.jobs, id.Job)
	}
}

// EnsureJob declares a job, perhaps anew.
func (m *machine) EnsureJob(t *rapid.T) {
	p := store.EnsureParams{
		Job: rapid.SampledFrom(m.jobs).
			Draw(t, "job"),
		Type: rapid.SampledFrom([]statuses.JobType{statuses.JobStanding, statuses.JobPeriodic, statuses.JobPeriodic}).
			Draw(t, "kind"),
		Definition: []byte(
			rapid.SampledFrom([]string{"{}", "{1}"}).Draw(t, "definition"),
		), Revision: int64(rapid.IntRange(0, 2).Draw(t, "revision")),
	}
	if p.Type == statuses.JobPeriodic {
		p.Schedule, p.DueNow = []byte(
			rapid.SampledFrom([]string{"often", "rarely"}).Draw(t, "schedule"),
		), rapid.Bool().
			Draw(t, "due now")
	}
	result, err := m.s.store.EnsureJob(m.s.ctx, p)
	known := m.m.jobs[p.Job]
	if known != nil && !known.declared && m.m.active(p.Job) != nil {
		m.s.ErrorIs(err, store.ErrJobExists)
		return
	}
	m.s.NoError(err)
	j := m.m.job(p.Job)
	want := verdicts.EnsureUpdated
	switch {
	case !j.declared:
		want = verdicts.EnsureCreated
	case j.revision > p.Revision:
		m.s.Equal(verdicts.EnsureKept, result)
		return
	case j.kind == p.Type && j.text == string(p.Definition):
		want = verdicts.EnsureUnchanged
	}
	m.s.Equal(want, result)
	j.declared, j.kind, j.text, j.revision = true, p.Type, string(p.Definition), p.Revision
	if want != verdicts.EnsureUnchanged {
		m.m.audit.note(actions.Declare, store.RunID{Job: p.Job}, "", "")
		m.define(j, p, want == verdicts.EnsureCreated)
	}
}

// define changes the definition of a job. It is due anew if its schedule is another one.
func (m *machine) define(j *modelJob, p store.EnsureParams, created bool) {
	j.changes++
	j.schedule.solve()
	if j.schedule.text == string(p.Schedule) {
		return
	}
	j.schedule.text = string(p.Schedule)
	j.schedule.clear()
	if created && p.DueNow && !j.disabled {
		rec, err := m.s.store.Job(m.s.ctx, p.Job)
		m.s.NoError(err)
		m.s.False(rec.Due.IsZero(), "it is due at once")
		m.s.False(rec.Due.After(m.clock()))
		j.schedule.set(rec.Due, 0)
	}
}

// DisableJob disables a job, or enables it.
func (m *machine) DisableJob(t *rapid.T) {
	name, disabled := rapid.SampledFrom(m.jobs).Draw(t, "job"), rapid.IntRange(0, 2).Draw(t, "disabled") == 0
	err := m.s.store.SetJobDisabled(m.s.ctx, name, disabled)
	j := m.m.jobs[name]
	if j == nil {
		m.s.ErrorIs(err, store.ErrJobNotFound)
		return
	}
	m.s.NoError(err)
	if j.disabled != disabled {
		m.m.audit.note(actions.EnableOrDisable(!disabled), store.RunID{Job: name}, "", "")
	}
	if j.disabled = disabled; disabled {
		j.schedule.clear()
	}
}

// DeleteJob removes a job with all its runs, and is refused while one is active.
func (m *machine) DeleteJob(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "now") != 0 {
		t.Skip("not now") // otherwise no run would become old
	}
	name := rapid.SampledFrom(m.jobs).Draw(t, "job")
	err := m.s.store.DeleteJob(m.s.ctx, name)
	switch {
	case m.m.jobs[name] == nil:
		m.s.ErrorIs(err, store.ErrJobNotFound)
	case m.m.active(name) != nil:
		m.s.ErrorIs(err, store.ErrRunActive)
	default:
		m.s.NoError(err)
		m.m.audit.note(actions.Delete, store.RunID{Job: name}, "", "")
		delete(m.m.jobs, name)
		maps.DeleteFunc(m.m.runs, func(id store.RunID, _ *modelRun) bool { return id.Job == name })
	}
}

// PauseScope pauses a scope for a while.
func (m *machine) PauseScope(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "now") != 0 {
		t.Skip("or little would run")
	}
	m.m.pauses.pause(m.s, store.Pause{
		Scope:  rapid.SampledFrom(modelScopes).Draw(t, "scope"),
		By:     rapid.SampledFrom([]string{"", "me"}).Draw(t, "by"),
		Reason: rapid.SampledFrom([]string{"", "because", "é\n"}).Draw(t, "reason"),
	})
}

// ResumeScope ends a pause, or none.
func (m *machine) ResumeScope(t *rapid.T) {
	m.m.pauses.resume(m.s, rapid.SampledFrom(modelScopes).Draw(t, "scope"))
}

// Heartbeat extends a session and tells what it holds and how its runs are.
func (m *machine) Heartbeat(t *rapid.T) {
	w := m.worker(t)
	lease := steady
	if w.brief {
		lease = brief
	}
	p := store.HeartbeatParams{Session: w.session, Answered: store.Answered{Settled: w.settles}, Lease: lease}
	if rapid.IntRange(0, 9).Draw(t, "ahead") == 0 {
		p.Answered.Settled++
		_, err := m.s.store.Heartbeat(m.s.ctx, p)
		m.s.ErrorIs(err, store.ErrLeaseLost, "a settlement that was never answered")
		return
	}
	var want []store.RunSignal
	for _, r := range m.m.ordered() {
		p.Runs = append(p.Runs, r.id)
		want = append(want, store.RunSignal{Run: r.id, Status: r.status, Overdue: r.overdue})
	}
	reply, err := m.s.store.Heartbeat(m.s.ctx, p)
	m.s.NoError(err)
	m.s.Equal(len(w.order), reply.Held)
	m.s.Equal(m.m.pauses.version, reply.Pauses)
	for i := range reply.Runs {
		m.m.runs[reply.Runs[i].Run].document.told(m.s, reply.Runs[i].Configured)
		reply.Runs[i].Graceful, reply.Runs[i].Configured = false, 0
	}
	m.s.ElementsMatch(want, reply.Runs)
}

// Repair finds nothing, and changes nothing, whatever is going on.
func (m *machine) Repair(t *rapid.T) {
	p := store.RepairParams{Job: rapid.SampledFrom(m.jobs).Draw(t, "job"), DryRun: rapid.Bool().Draw(t, "dry run")}
	report, err := m.s.store.Repair(m.s.ctx, p)
	if m.m.jobs[p.Job] == nil {
		m.s.ErrorIs(err, store.ErrJobNotFound)
		return
	}
	m.s.NoError(err)
	m.s.Empty(report.Damage)
	m.s.Empty(report.Moving)
}

// checkJobs compares what is stored beside runs.
func (m *machine) checkJobs() {
	s := m.s
	page, err := s.store.ListJobs(s.ctx, store.ListParams{Limit: 100})
	s.NoError(err)
	var listed []string
	for _, entry := range page.Jobs {
		listed = append(listed, entry.Job.Name)
	}
	s.ElementsMatch(slices.Collect(maps.Keys(m.m.jobs)), listed)
	s.ElementsMatch(listed, s.listJobs(store.ListParams{Limit: 1}), "the jobs that are listed by change")
	for _, name := range m.jobs {
		rec, err := s.store.Job(s.ctx, name)
		j := m.m.jobs[name]
		if j == nil {
			s.ErrorIs(err, store.ErrJobNotFound)
			continue
		}
		s.NoError(err)
		s.Equal(
			[]any{j.kind, j.revision, j.text, j.disabled, j.last},
			[]any{rec.Type, rec.Revision, string(rec.Definition), rec.Disabled, rec.LastRun},
		)
		s.Equal([]any{j.changes, j.schedule.skipped}, []any{rec.Changes, rec.Skipped}, "changes, skipped")
		s.Equal(j.schedule.problem, rec.Problem)
		s.True(j.schedule.due.Equal(rec.Due), "due at %v, not %v", j.schedule.due, rec.Due)
		s.True(j.schedule.lastSkip.Equal(rec.LastSkip), "skipped at %v, not %v", j.schedule.lastSkip, rec.LastSkip)
		var runs []int64
		for _, r := range m.m.ordered() {
			if r.id.Job == name {
				runs = append([]int64{r.id.Number}, runs...)
			}
		}
		numbers, err := s.store.JobRuns(s.ctx, name)
		s.NoError(err)
		s.ElementsMatch(runs, numbers)
	}
	for _, session := range s.live(0) {
		for _, w := range m.workers {
			if w.session.ID == session.ID {
				s.Equal(len(w.order), session.Held)
				s.Equal(w.status, session.Worker.Status)
			}
		}
	}
}

// checkSessions requires that the sessions are there, and what is paused is.
func (m *machine) checkSessions() {
	for _, w := range m.workers {
		n, err := m.s.store.SessionsLeft(m.s.ctx, 0, w.session.ID)
		m.s.NoError(err)
		m.s.GreaterOrEqual(n, 1, "its session is there")
	}
	m.s.Equal(m.m.pauses.version, m.m.pauses.check(m.s))
}

// checkSets compares what waits of an active run, lane by lane, and its holds and dead letters.
func (m *machine) checkSets(r *modelRun, in store.Inspection) {
	type lane struct{ ready, delayed int64 }
	want, got := make(map[store.Route]lane), make(map[store.Route]lane)
	for _, t := range r.tasks {
		l := want[t.item.Route]
		switch t.place {
		case waiting:
			l.ready++
		case awaiting:
			l.delayed++
		default:
			continue
		}
		want[t.item.Route] = l
	}
	for _, l := range in.Lanes {
		if l.Waiting+l.Recovered+l.Staged+l.Delayed > 0 {
			got[l.Route] = lane{l.Waiting + l.Recovered + l.Staged, l.Delayed}
		}
	}
	m.s.Equal(want, got)
	holds := make(map[string]string)
	for _, h := range in.Holds {
		holds[h.Name] = h.Mark
	}
	m.s.Equal(r.holds, holds)
}
