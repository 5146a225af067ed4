package filestore

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// setDue gives a job its next due time.
func (j *job) setDue(due time.Time, delay time.Duration) {
	j.solved()
	j.Due = store.DueTime(due)
	j.Acts = store.DueTime(j.Due.Add(delay))
	j.Wakes = j.Acts
}

// solved ends the problem of a job that could not be fired, and reports whether there was one.
func (j *job) solved() bool {
	had := j.Problem != ""
	j.Problem, j.ProblemSince = "", time.Time{}
	return had
}

// FireRun starts the run that a periodic job is due for.
func (b *backend) FireRun(ctx context.Context, p store.FireParams) (store.FireReply, error) {
	return change(ctx, b, p, (*state).fireRun)
}

func (s *state) fireRun(p store.FireParams) (store.FireReply, error) {
	reply := store.FireReply{Now: s.now}
	j := s.Jobs[p.Start.Job]
	if j == nil {
		return reply, store.ErrJobNotFound
	}
	p.Start.Due, p.Start.Token = p.Due, store.FireToken(p.Due)
	if r := s.started(j.Name, p.Start.Token); r != nil && !p.Due.IsZero() {
		if s.isDue(j, &p) == "" && !j.Disabled {
			j.setDue(p.Following(s.now), p.Delay) // the clock went back, and the job got a due time anew
		}
		reply.Verdict, reply.Run = verdicts.FireStarted, r.ID
		return reply, nil
	}
	if j.Disabled {
		return reply, store.ErrJobDisabled
	}
	reply.Verdict = s.fire(j, &p)
	if r := s.active(j.Name); r != nil && (reply.Verdict == verdicts.FireStarted || reply.Verdict == verdicts.FireWaiting) {
		reply.Run = r.ID
	}
	return reply, nil
}

// isDue says why a job is not due as the caller says; it is empty if it is.
func (s *state) isDue(j *job, p *store.FireParams) verdicts.Fire {
	switch {
	case j.Type != statuses.JobPeriodic || !j.Due.Equal(p.Due) || j.Changes != p.Changes:
		return verdicts.FireMoved
	case p.Following(s.now).IsZero() || j.Acts.After(s.now) && !j.Due.IsZero():
		return verdicts.FireEarly
	}
	return ""
}

// fire decides about a due time, and acts on it.
func (s *state) fire(j *job, p *store.FireParams) verdicts.Fire {
	if why := s.isDue(j, p); why != "" {
		return why
	}
	active := s.active(j.Name) != nil
	switch {
	case j.Due.IsZero():
		j.setDue(p.Following(s.now), p.Delay)
		return verdicts.FireMoved
	case s.Pauses.ReadOnly() && !p.InReadOnly, active && (p.Wait || p.Rest > 0):
		j.solved()
		j.Wakes = s.now.Add(store.FireRecheck)
		return verdicts.FireWaiting
	case active:
		j.Skipped++
		j.LastSkip = j.Due
		j.setDue(p.Following(s.now), p.Delay)
		return verdicts.FireSkipped
	}
	if r := s.newest(j); r != nil && p.Rest > 0 && r.Ended.Add(p.Rest).After(s.now) {
		j.setDue(r.Ended.Add(p.Rest), p.Delay)
		return verdicts.FireMoved
	}
	j.setDue(p.Following(s.now), p.Delay)
	s.start(j, p.Start)
	return verdicts.FireStarted
}

// PostponeJob puts off a job that is due and cannot be fired.
func (b *backend) PostponeJob(ctx context.Context, p store.PostponeParams) error {
	return do(ctx, b, p, func(s *state, p store.PostponeParams) error {
		j := s.Jobs[p.Job]
		switch {
		case j == nil:
			return store.ErrJobNotFound
		case j.Type != statuses.JobPeriodic || j.Disabled || !j.Due.IsZero() && j.Acts.After(s.now):
			return nil
		}
		if j.Problem == "" {
			j.ProblemSince = s.now.Truncate(time.Millisecond)
		}
		j.Problem = p.Problem
		j.Wakes = rules.PostponedUntil(j.ProblemSince, s.now)
		return nil
	})
}
