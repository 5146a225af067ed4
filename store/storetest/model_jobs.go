package storetest

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
)

// modelJob is a job as the model knows it, apart from its runs.
type modelJob struct {
	declared bool
	kind     store.JobKind
	revision int64
	text     string // its definition
	disabled bool
	last     int64 // number of the newest run
	fields   map[string]string
}

// job is the job of that name, which is made if there is none.
func (m *model) job(name string) *modelJob {
	j := m.jobs[name]
	if j == nil {
		j = &modelJob{kind: store.JobSinglePass, fields: make(map[string]string)}
		m.jobs[name] = j
	}
	return j
}

// forget removes a run, and its job with the last unless it is declared or disabled.
func (m *model) forget(id store.RunID) {
	delete(m.runs, id)
	j := m.jobs[id.Job]
	left := slices.ContainsFunc(slices.Collect(maps.Keys(m.runs)), func(other store.RunID) bool { return other.Job == id.Job })
	if !left && !j.declared && !j.disabled {
		delete(m.jobs, id.Job)
	}
}

// EnsureJob declares a job, perhaps anew.
func (m *machine) EnsureJob(t *rapid.T) {
	p := store.EnsureParams{
		Job: rapid.SampledFrom(m.jobs).Draw(t, "job"), Kind: store.JobStanding,
		Definition: []byte(rapid.SampledFrom([]string{"{}", "{1}"}).Draw(t, "definition")), Revision: int64(rapid.IntRange(0, 2).Draw(t, "revision")),
	}
	outcome, err := m.s.store.EnsureJob(m.s.ctx, p)
	known := m.m.jobs[p.Job]
	if known != nil && !known.declared && m.m.active(p.Job) != nil {
		m.s.ErrorIs(err, store.ErrJobExists)
		return
	}
	m.s.NoError(err)
	j := m.m.job(p.Job)
	want := store.EnsureUpdated
	switch {
	case !j.declared:
		want = store.EnsureCreated
	case j.revision > p.Revision:
		m.s.Equal(store.EnsureKept, outcome)
		return
	case j.text == string(p.Definition):
		want = store.EnsureUnchanged
	}
	m.s.Equal(want, outcome)
	j.declared, j.kind, j.text, j.revision = true, p.Kind, string(p.Definition), p.Revision
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
	j.disabled = disabled
}

// DeleteJob removes a job with all its runs, and is refused while one is active.
func (m *machine) DeleteJob(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "now") != 0 {
		t.Skip("not now") // or no run would grow old
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
		delete(m.m.jobs, name)
		maps.DeleteFunc(m.m.runs, func(id store.RunID, _ *modelRun) bool { return id.Job == name })
	}
}

// WriteValues sets a field of a job's map, and removes another, in one batch.
func (m *machine) WriteValues(t *rapid.T) {
	scope := store.JobScope(rapid.SampledFrom(m.jobs).Draw(t, "job"))
	set, gone, value := rapid.SampledFrom(mapFields).Draw(t, "set"), rapid.SampledFrom(mapFields).Draw(t, "gone"), rapid.StringN(1, 3, 9).Draw(t, "value")
	reply, err := m.s.writer(scope, "seen").try(
		putting(store.ValueScope{}, "", set, value),
		putting(store.ValueScope{}, "", gone, ""),
	)
	m.s.NoError(err)
	m.s.Len(reply.Results, 2)
	j := m.m.jobs[scope.Job]
	for _, result := range reply.Results {
		if j == nil {
			m.s.ErrorIs(result.Err, store.ErrJobNotFound)
		} else {
			m.s.NoError(result.Err)
		}
	}
	if j != nil {
		j.fields[set] = value
		delete(j.fields, gone)
	}
}

var mapFields = []string{"a", "b", ""}

// SetMode makes the partition read-only for a while.
func (m *machine) SetMode(t *rapid.T) {
	if !m.m.readOnly && rapid.IntRange(0, 3).Draw(t, "mode") != 0 {
		t.Skip("or little would run")
	}
	m.setReadOnly(!m.m.readOnly)
}

func (m *machine) setReadOnly(on bool) {
	mode := store.ReadWrite
	if on {
		mode = store.ReadOnly
	}
	m.s.NoError(m.s.store.SetMode(m.s.ctx, 0, mode))
	m.m.readOnly = on
}

// Heartbeat extends a session and tells what it holds and how its runs are.
func (m *machine) Heartbeat(t *rapid.T) {
	w := m.worker(t)
	lease := steady
	if w.brief {
		lease = brief
	}
	p := store.HeartbeatParams{Session: w.session, Lease: lease}
	var want []store.RunSignal
	for _, r := range m.m.ordered() {
		p.Runs = append(p.Runs, r.id)
		want = append(want, store.RunSignal{Run: r.id, Status: r.status})
	}
	reply, err := m.s.store.Heartbeat(m.s.ctx, p)
	m.s.NoError(err)
	m.s.Equal(len(w.order), reply.Held)
	for i := range reply.Runs {
		reply.Runs[i].Graceful = false
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

// semaphoreMax is how many may hold the model's semaphore.
const semaphoreMax = 2

// Semaphore claims a place, gives one back, or takes all away.
func (m *machine) Semaphore(t *rapid.T) {
	key, s := m.jobs[0], m.s.store
	token := rapid.SampledFrom([]string{"t1", "t2", "t3"}).Draw(t, "token")
	_, holds := m.m.holders[token]
	switch rapid.SampledFrom([]string{"acquire", "acquire", "refresh", "release", "force"}).Draw(t, "verb") {
	case "acquire":
		reply, err := s.AcquireSemaphore(m.s.ctx, store.SemaphoreClaim{Key: key, Token: token, Holder: "h", Max: semaphoreMax, TTL: never})
		m.s.NoError(err)
		m.s.Equal(holds || len(m.m.holders) < semaphoreMax, reply.Granted)
		switch {
		case holds:
			m.s.Equal(m.m.holders[token], reply.Lease.Fence, "a repeat")
		case reply.Granted:
			m.s.Greater(reply.Lease.Fence, m.m.fence)
			m.m.fence = reply.Lease.Fence
			m.m.holders[token] = m.m.fence
		}
	case "refresh":
		_, err := s.RefreshSemaphore(m.s.ctx, key, token, never)
		m.s.Equal(holds, err == nil)
	case "release":
		m.s.Equal(holds, s.ReleaseSemaphore(m.s.ctx, key, token) == nil)
		delete(m.m.holders, token)
	default:
		n, err := s.ForceReleaseSemaphore(m.s.ctx, key, 0)
		m.s.NoError(err)
		m.s.Equal(len(m.m.holders), n)
		clear(m.m.holders)
	}
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
	for _, name := range m.jobs {
		rec, err := s.store.Job(s.ctx, name)
		j := m.m.jobs[name]
		read, readErr := s.store.ReadValue(s.ctx, store.ReadParams{Scope: store.JobScope(name), Name: "seen", Kind: store.ValueMap, Fields: mapFields})
		s.NoError(readErr)
		fields := make(map[string]string)
		for _, d := range read.Data {
			fields[d.Field] = string(d.Bytes)
		}
		if j == nil {
			s.ErrorIs(err, store.ErrJobNotFound)
			s.Empty(fields)
			continue
		}
		s.NoError(err)
		s.Equal([]any{j.kind, j.revision, j.text, j.disabled, j.last}, []any{rec.Kind, rec.Revision, string(rec.Definition), rec.Disabled, rec.LastRun})
		s.Len(fields, len(j.fields))
		for field, value := range j.fields {
			s.Equal(value, fields[field])
		}
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
	sem, err := s.store.Semaphore(s.ctx, m.jobs[0])
	s.NoError(err)
	s.Len(sem.Holders, len(m.m.holders))
	for _, session := range s.live(0) {
		for _, w := range m.workers {
			if w.session.ID == session.ID {
				s.Equal(len(w.order), session.Held)
			}
		}
	}
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
		if l.Waiting+l.Suspects+l.Staged+l.Delayed > 0 {
			got[l.Route] = lane{l.Waiting + l.Suspects + l.Staged, l.Delayed}
		}
	}
	m.s.Equal(want, got)
	var holds []string
	for _, h := range in.Holds {
		holds = append(holds, h.Name)
	}
	m.s.ElementsMatch(slices.Collect(maps.Keys(r.holds)), holds)
}

// checkFailures compares the dead letters of a run.
func (m *machine) checkFailures(r *modelRun) {
	var want, got []string
	for _, t := range r.tasks {
		if t.is(ended) && t.verdict == "failed" {
			want = append(want, t.item.Task.ID)
		}
	}
	failures, err := m.s.store.Failures(m.s.ctx, r.id, 0, 100)
	m.s.NoError(err)
	for _, f := range failures {
		got = append(got, f.Task.ID)
	}
	m.s.ElementsMatch(want, got)
}
