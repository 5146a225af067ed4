package storetest

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// periodic is a periodic job in the view of a process that fires it.
type periodic struct {
	s         *scene
	job       string
	partition int
	next      time.Time // that was named last
}

// periodic declares a job that is due at once.
func (s *scene) periodic(job string) *periodic {
	s.tb.Helper()
	p := &periodic{s: s, job: job, partition: s.partition(job)}
	p.declare(store.EnsureParams{Definition: []byte("1"), Schedule: []byte("often"), DueNow: true})
	return p
}

func (p *periodic) declare(e store.EnsureParams) verdicts.Ensure {
	p.s.tb.Helper()
	e.Job, e.Type = p.job, statuses.JobPeriodic
	result, err := p.s.store.EnsureJob(p.s.ctx, e)
	p.s.NoError(err)
	return result
}

func (p *periodic) record() store.JobRecord {
	p.s.tb.Helper()
	rec, err := p.s.store.Job(p.s.ctx, p.job)
	p.s.NoError(err)
	return rec
}

// now returns the store's time.
func (p *periodic) now() time.Time {
	p.s.tb.Helper()
	reply, err := p.s.store.Promote(p.s.ctx, p.partition)
	p.s.NoError(err)
	return reply.Now
}

// due returns the parameters to fire the job by its record; it is due again after this time.
func (p *periodic) due(again time.Duration) store.FireParams {
	p.s.tb.Helper()
	rec := p.record()
	start := p.s.params(store.StartParams{Job: p.job, Declared: true})
	start.Token = ""
	return store.FireParams{Start: start, Due: rec.Due, Changes: rec.Changes, Next: []time.Time{p.now().Add(again)}}
}

// fires makes the call, and requires the verdict. On a slow machine, the next due time may pass
// before the store gets it. Then it tries a later one.
func (p *periodic) fires(f store.FireParams, want verdicts.Fire, why string) store.FireReply {
	p.s.tb.Helper()
	reply, err := p.s.store.FireRun(p.s.ctx, f)
	for gap := tick; reply.Verdict == verdicts.FireEarly && want != verdicts.FireEarly && gap < time.Hour; gap *= 2 {
		if !f.Following(reply.Now).IsZero() {
			break
		}
		for f.Following(reply.Now).IsZero() {
			f.Next = []time.Time{f.Next[0].Add(gap)}
		}
		reply, err = p.s.store.FireRun(p.s.ctx, f)
	}
	p.next = f.Next[0]
	p.s.NoError(err, why)
	p.s.Equal(want, reply.Verdict, why)
	p.s.WithinDuration(p.now(), reply.Now, time.Minute)
	return reply
}

// started fires the job, and returns the run that began.
func (p *periodic) started(f store.FireParams, why string) *run {
	p.s.tb.Helper()
	return &run{p.s, p.fires(f, verdicts.FireStarted, why).Run, p.partition}
}

// dueAt requires the job to be due at that time, or less than a millisecond later: never before.
func (p *periodic) dueAt(want time.Time, why string) {
	p.s.tb.Helper()
	due := p.record().Due
	p.s.False(due.Before(want), "due at %v, before %v: %s", due, want, why)
	p.s.Less(due.Sub(want), time.Millisecond, why)
	p.s.True(due.Equal(due.Truncate(time.Millisecond)), "due times are kept to the millisecond")
}

// runs counts those that were begun.
func (p *periodic) runs(want int, why string) {
	p.s.tb.Helper()
	numbers, err := p.s.store.JobRuns(p.s.ctx, p.job)
	p.s.NoError(err)
	p.s.Len(numbers, want, why)
}

// told waits until Promote returns the job.
func (p *periodic) told(why string) {
	p.s.tb.Helper()
	for range patience {
		reply, err := p.s.store.Promote(p.s.ctx, p.partition)
		p.s.NoError(err)
		if slices.Contains(reply.Jobs, p.job) {
			return
		}
		p.s.h.Advance(p.s.tb, tick)
	}
	p.s.Fail("Promote never tells of the job", why)
}

// silent requires that Promote does not return the job.
func (p *periodic) silent(why string) {
	p.s.tb.Helper()
	reply, err := p.s.store.Promote(p.s.ctx, p.partition)
	p.s.NoError(err)
	p.s.NotContains(reply.Jobs, p.job, why)
}
