package memstore

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// schedule says when a periodic job is checked next.
type schedule struct {
	spec  []byte    // in the encoding of the layer above
	at    time.Time // when the job is fired: the due time plus its delay
	wakes time.Time // when Promote returns the job
	place int       // in partition.schedules; -1 when absent
}

// arm makes Promote return a periodic job at that time.
func (p *partition) arm(j *job, at time.Time) {
	before := p.nextDue()
	j.schedule.wakes = at
	if j.schedule.place < 0 {
		p.schedules.push(j)
	} else {
		p.schedules.fix(j.schedule.place)
	}
	if before.IsZero() || at.Before(before) {
		p.signal(store.Signal{Type: signals.Due})
	}
}

func (p *partition) disarm(j *job) {
	if j.schedule.place >= 0 {
		p.schedules.remove(j.schedule.place)
	}
}

// setDue sets the next due time of a job, with the precision of a server.
func (p *partition) setDue(j *job, due time.Time, delay time.Duration) {
	j.solved()
	j.rec.Due = store.DueTime(due)
	j.schedule.at = store.DueTime(j.rec.Due.Add(delay))
	p.changed(j)
	p.arm(j, j.schedule.at)
}

// solved removes the problem of a job that could not be fired, and reports whether there was one.
func (j *job) solved() bool {
	had := j.rec.Problem != ""
	j.rec.Problem, j.rec.ProblemSince = "", time.Time{}
	return had
}

// dueJobs returns the jobs that are due. Each of them is not returned again for a while.
func (p *partition) dueJobs(now time.Time) (names []string) {
	for p.schedules.len() > 0 && !p.schedules.top().schedule.wakes.After(now) {
		j := p.schedules.top()
		names = append(names, j.rec.Name)
		j.schedule.wakes = now.Add(store.FireClaim)
		p.schedules.fix(j.schedule.place)
	}
	return names
}

// FireRun begins a run of a due periodic job.
func (s *backend) FireRun(ctx context.Context, p store.FireParams) (store.FireReply, error) {
	part, err := s.of(ctx, p.Start.Job)
	if err != nil {
		return store.FireReply{}, err
	}
	defer part.unlock()
	now := part.now()
	reply := store.FireReply{Now: now}
	j := part.jobs[p.Start.Job]
	if j == nil {
		return reply, store.ErrJobNotFound
	}
	p.Start.Due, p.Start.Token = p.Due, store.FireToken(p.Due)
	if r := j.tokens[p.Start.Token]; r != nil && !p.Due.IsZero() {
		if j.comesAgain(&p, now) {
			part.setDue(j, p.Following(now), p.Delay)
		}
		reply.Verdict, reply.Run = verdicts.FireStarted, r.rec.ID
		return reply, nil
	}
	if j.rec.Disabled {
		return reply, store.ErrJobDisabled
	}
	reply.Verdict = part.fire(j, &p, now)
	if j.active != nil && (reply.Verdict == verdicts.FireStarted || reply.Verdict == verdicts.FireWaiting) {
		reply.Run = j.active.rec.ID
	}
	return reply, nil
}

// comesAgain reports whether a run was already begun for this due time. This happens if the clock
// went back and the due time was computed again. Then the next due time follows; otherwise the job
// would be due at this time for ever.
func (j *job) comesAgain(p *store.FireParams, now time.Time) bool {
	return !j.rec.Disabled && j.rec.Type == statuses.JobPeriodic && j.rec.Due.Equal(p.Due) && j.rec.Changes == p.Changes &&
		!j.schedule.at.After(now) && !p.Following(now).IsZero()
}

// fire decides what to do about a due time, and does it.
func (p *partition) fire(j *job, params *store.FireParams, now time.Time) verdicts.Fire {
	next := params.Following(now)
	switch {
	case j.rec.Type != statuses.JobPeriodic || !j.rec.Due.Equal(params.Due) || j.rec.Changes != params.Changes:
		return verdicts.FireMoved
	case next.IsZero() || j.schedule.at.After(now) && !j.rec.Due.IsZero():
		return verdicts.FireEarly
	case j.rec.Due.IsZero():
		p.setDue(j, next, params.Delay)
		return verdicts.FireMoved
	case p.pauses.ReadOnly() && !params.InReadOnly, j.active != nil && (params.Wait || params.Rest > 0):
		j.solved()
		p.arm(j, now.Add(store.FireRecheck))
		return verdicts.FireWaiting
	case j.active != nil:
		j.rec.Skipped++
		j.rec.LastSkip = j.rec.Due
		p.setDue(j, next, params.Delay)
		return verdicts.FireSkipped
	}
	if rested := j.ended().Add(params.Rest); params.Rest > 0 && rested.After(now) {
		p.setDue(j, rested, params.Delay)
		return verdicts.FireMoved
	}
	p.setDue(j, next, params.Delay)
	p.addRun(j, params.Start)
	return verdicts.FireStarted
}

// PostponeJob postpones a job that is due and cannot be fired.
func (s *backend) PostponeJob(ctx context.Context, p store.PostponeParams) error {
	part, err := s.of(ctx, p.Job)
	if err != nil {
		return err
	}
	defer part.unlock()
	now := part.now()
	j := part.jobs[p.Job]
	switch {
	case j == nil:
		return store.ErrJobNotFound
	case j.rec.Type != statuses.JobPeriodic || j.rec.Disabled || !j.rec.Due.IsZero() && j.schedule.at.After(now):
		return nil
	}
	if j.rec.Problem == "" {
		j.rec.ProblemSince = now.Truncate(time.Millisecond)
	}
	j.rec.Problem = p.Problem
	part.changed(j)
	part.arm(j, rules.PostponedUntil(j.rec.ProblemSince, now))
	return nil
}

// ended returns when the newest run of a job ended, if it is kept and has ended.
func (j *job) ended() time.Time {
	if n := len(j.runs); n > 0 && j.runs[n-1].rec.ID.Number == j.rec.LastRun {
		return j.runs[n-1].rec.Ended
	}
	return time.Time{}
}
