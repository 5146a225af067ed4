package storetest

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// modelSchedule is when a periodic job is due, by the store's clock.
type modelSchedule struct {
	text     string
	due      time.Time // zero if it has no due time
	acts     time.Time // when that is acted on
	skipped  int64
	lastSkip time.Time
	problem  string    // why it cannot be fired
	until    time.Time // for so long it is put off at least
}

// clear takes the due time, until somebody gives another.
func (s *modelSchedule) clear() { s.set(time.Time{}, 0) }

// set gives a due time.
func (s *modelSchedule) set(due time.Time, delay time.Duration) {
	s.due, s.acts = due, due.Add(delay)
	s.solve()
}

// solve ends the problem, if there is one.
func (s *modelSchedule) solve() { s.problem, s.until = "", time.Time{} }

// clock is the store's.
func (m *machine) clock() time.Time { return m.promote().Now }

// promote promotes what is due, ends idle runs, and requires that only jobs are told of that are to
// be looked at.
func (m *machine) promote() store.PromoteReply {
	var ended []store.RunID
	for range 10_000 {
		reply, err := m.s.store.Promote(m.s.ctx, 0)
		m.s.NoError(err)
		ended = append(ended, reply.Ended...)
		for _, name := range reply.Jobs {
			j := m.m.jobs[name]
			m.s.True(
				j != nil && j.kind == statuses.JobPeriodic && !j.disabled, "%s is told of and has no schedule in force", name,
			)
			m.s.False(j.schedule.acts.After(reply.Now), "%s is told of before its time", name)
			m.s.False(j.schedule.until.After(reply.Now), "%s is told of though it was put off", name)
			m.told[name] = true
		}
		if !reply.More {
			m.s.ElementsMatch(m.endDue(), ended, "runs that ended at their times")
			m.awaitsEnds(reply)
			return reply
		}
	}
	m.s.Fail("Promote reports More for ever")
	return store.PromoteReply{}
}

// FireRun fires a due time that a job has, or one that it does not have.
func (m *machine) FireRun(t *rapid.T) {
	name := rapid.SampledFrom(m.jobs).Draw(t, "job")
	now := m.clock()
	p := store.FireParams{
		Start: m.startParams(t, name), Delay: m.soonOr(t, "delay", 0), Wait: rapid.Bool().Draw(t, "wait"),
		Rest: rapid.SampledFrom([]time.Duration{0, 0, m.soon(), never}).
			Draw(t, "rest"),
		InReadOnly: rapid.Bool().Draw(t, "in read-only mode"),
		Next:       m.nextTimes(t, now),
	}
	j := m.m.jobs[name]
	if j == nil {
		_, err := m.s.store.FireRun(m.s.ctx, p)
		m.s.ErrorIs(err, store.ErrJobNotFound)
		return
	}
	p.Due, p.Changes = m.dueTime(t, name), j.changes
	if rapid.IntRange(0, 7).Draw(t, "changes") == 0 {
		p.Changes++
	}
	var ended time.Time
	if newest := m.m.runs[store.RunID{Job: name, Number: j.last}]; newest != nil && newest.status.Final() {
		rec, err := m.s.store.Run(m.s.ctx, newest.id)
		m.s.NoError(err)
		ended = rec.Ended
	}
	reply, err := m.s.store.FireRun(m.s.ctx, p)
	unfired := m.m.begun(name, p.Due) == nil
	if unfired && j.disabled {
		m.s.ErrorIs(err, store.ErrJobDisabled)
		return
	}
	m.s.NoError(err)
	verdict := m.m.fire(j, p, reply.Now, ended)
	m.s.Equal(verdict, reply.Verdict)
	switch {
	case verdict == verdicts.FireStarted && unfired:
		m.begins(reply.Run, p.Start)
		m.m.runs[reply.Run].due = p.Due
		fallthrough
	case verdict == verdicts.FireStarted:
		m.s.Equal(m.m.begun(name, p.Due).id, reply.Run)
		again, err := m.s.store.FireRun(m.s.ctx, p)
		m.s.NoError(err)
		m.s.Equal([]any{verdict, reply.Run}, []any{again.Verdict, again.Run}, "a repeat")
	case verdict == verdicts.FireWaiting && m.m.active(name) != nil:
		m.s.Equal(m.m.active(name).id, reply.Run)
	default:
		m.s.Zero(reply.Run)
	}
}

// nextTimes draws due times that follow. The store's clock may have passed some of them, or all.
func (m *machine) nextTimes(t *rapid.T, now time.Time) []time.Time {
	at := now.Add(rapid.SampledFrom([]time.Duration{m.soon(), m.soon(), never, -tick}).Draw(t, "next"))
	times := []time.Time{at}
	for range rapid.IntRange(0, 2).Draw(t, "more") {
		at = at.Add(m.soon())
		times = append(times, at)
	}
	return times
}

// PostponeJob puts off a job that cannot be fired, if it is due.
func (m *machine) PostponeJob(t *rapid.T) {
	name := rapid.SampledFrom(m.jobs).Draw(t, "job")
	p := store.PostponeParams{
		Job:     name,
		Problem: rapid.SampledFrom([]string{"no zone", "no version"}).Draw(t, "problem"),
	}
	now := m.clock()
	err := m.s.store.PostponeJob(m.s.ctx, p)
	j := m.m.jobs[name]
	if j == nil {
		m.s.ErrorIs(err, store.ErrJobNotFound)
		return
	}
	m.s.NoError(err)
	if s := &j.schedule; j.kind == statuses.JobPeriodic && !j.disabled && !s.acts.After(now) {
		rec, err := m.s.store.Job(m.s.ctx, name)
		m.s.NoError(err)
		m.s.False(rec.ProblemSince.IsZero())
		s.problem, s.until = p.Problem, rules.PostponedUntil(rec.ProblemSince, now)
	}
}

// dueTime draws the due time of a job, an earlier one, or one that it never had.
func (m *machine) dueTime(t *rapid.T, name string) time.Time {
	due := m.m.jobs[name].schedule.due
	switch rapid.SampledFrom([]string{"due", "due", "due", "due", "earlier", "none", "other"}).Draw(t, "time") {
	case "earlier":
		for _, r := range m.m.ordered() {
			if r.id.Job == name && !r.due.IsZero() {
				return r.due
			}
		}
	case "none":
		return time.Time{}
	case "other":
		return longAgo
	}
	return due
}

// begun finds the run that a due time began.
func (m *model) begun(job string, due time.Time) *modelRun {
	for _, r := range m.runs {
		if r.id.Job == job && !due.IsZero() && r.due.Equal(due) {
			return r
		}
	}
	return nil
}

// fire decides what becomes of a due time of a job that is enabled, and moves it. Ended is when the
// newest run ended, if it has.
func (m *model) fire(j *modelJob, p store.FireParams, now, ended time.Time) verdicts.Fire {
	s, next := &j.schedule, p.Following(now)
	busy := m.active(p.Start.Job) != nil
	switch {
	case m.begun(p.Start.Job, p.Due) != nil:
		return verdicts.FireStarted
	case j.kind != statuses.JobPeriodic || !s.due.Equal(p.Due) || j.changes != p.Changes:
		return verdicts.FireMoved
	case next.IsZero() || s.acts.After(now):
		return verdicts.FireEarly
	case s.due.IsZero():
		s.set(next, p.Delay)
		return verdicts.FireMoved
	case m.pauses.readOnly() && !p.InReadOnly, busy && (p.Wait || p.Rest > 0):
		s.solve()
		return verdicts.FireWaiting
	case busy:
		s.skipped, s.lastSkip = s.skipped+1, s.due
		s.set(next, p.Delay)
		return verdicts.FireSkipped
	case p.Rest > 0 && ended.Add(p.Rest).After(now):
		s.set(ended.Add(p.Rest), p.Delay)
		return verdicts.FireMoved
	}
	s.set(next, p.Delay)
	return verdicts.FireStarted
}

// endSchedules requires that every job that is due, or will be soon, is told of.
func (m *machine) endSchedules() {
	if !m.virtual {
		return
	}
	soon := m.clock().Add(never / 2)
	clear(m.told)
	left := slices.Clone(m.jobs)
	for range patience {
		left = slices.DeleteFunc(left, func(name string) bool {
			j := m.m.jobs[name]
			return j == nil || j.kind != statuses.JobPeriodic || j.disabled || j.schedule.acts.After(soon) ||
				j.schedule.problem != "" ||
				m.told[name]
		})
		if len(left) == 0 {
			return
		}
		m.wait(1, nil)
	}
	m.s.Empty(left, "nobody is told that these are due")
}
