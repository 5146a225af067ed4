package storetest

import (
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// postpone calls PostponeJob for the job.
func (p *periodic) postpone(problem string) {
	p.s.tb.Helper()
	p.s.NoError(p.s.store.PostponeJob(p.s.ctx, store.PostponeParams{Job: p.job, Problem: problem}))
}

// troubled requires the job to have a problem, or none.
func (p *periodic) troubled(problem, why string) {
	p.s.tb.Helper()
	rec := p.record()
	p.s.Equal(problem, rec.Problem, why)
	p.s.Equal(problem == "", rec.ProblemSince.IsZero(), why)
}

// postponed has the cases of jobs that are due and cannot be fired.
var postponed = []testCase{
	{"a job that cannot be fired is told of less and less often, and says why", func(s *scene) {
		p := s.periodic("nightly")
		p.told("it is due")
		due, began := p.record().Due, p.now()
		p.postpone("no such zone")
		p.troubled("no such zone", "it was put off")
		since := p.record().ProblemSince
		s.WithinDuration(began, since, time.Minute)
		s.Equal(due, p.record().Due, "its due time stands")
		p.told("after the first time")
		second := p.now()
		s.GreaterOrEqual(second.Sub(began), bounds.PostponeFirst-time.Millisecond)
		s.h.Advance(s.tb, 10*tick)
		second = p.now()
		p.postpone("no database")
		p.troubled("no database", "the newest reason counts")
		s.Equal(since, p.record().ProblemSince, "it began then")
		p.told("after the second time")
		s.GreaterOrEqual(p.now().Sub(second), second.Sub(since)-time.Millisecond, "it doubles")
		r := p.started(p.due(time.Hour), "it can be fired")
		s.True(r.record().Due.Equal(due))
		p.troubled("", "it was fired")
	}},
	{"what a job is fired for ends its problem, whatever comes of it", func(s *scene) {
		p := s.periodic("nightly")
		p.started(p.due(tick), "at once")
		for _, wait := range []bool{false, true} {
			p.told("the next time has come")
			p.postpone("a problem")
			f := p.due(tick)
			f.Wait = wait
			reply, err := s.store.FireRun(s.ctx, f)
			s.NoError(err)
			s.Equal(map[bool]verdicts.Fire{true: verdicts.FireWaiting, false: verdicts.FireSkipped}[wait], reply.Verdict)
			p.troubled("", "it was fired")
		}
		fresh := &periodic{s: s, job: "new", partition: s.partition("new")}
		fresh.declare(store.EnsureParams{Schedule: []byte("often")})
		fresh.told("it is new")
		fresh.postpone("a problem")
		fresh.troubled("a problem", "it has no due time yet")
		fresh.fires(fresh.due(time.Hour), verdicts.FireMoved, "it gets one")
		fresh.troubled("", "it has one")
	}},
	{"another definition ends a problem, and the job is told of at once", func(s *scene) {
		p := s.periodic("nightly")
		for i, definition := range []string{"2", "3"} {
			p.told("it is due")
			p.postpone("a problem")
			p.silent("it was put off")
			same := store.EnsureParams{Definition: p.record().Definition, Schedule: []byte("often")}
			s.Equal(verdicts.EnsureUnchanged, p.declare(same))
			p.troubled("a problem", "nothing was changed")
			p.declare(
				store.EnsureParams{Definition: []byte(definition), Schedule: []byte([]string{"often", "rarely"}[i])},
			)
			p.troubled("", "it is another one")
			reply, err := s.store.Promote(s.ctx, p.partition)
			s.NoError(err)
			s.Contains(reply.Jobs, p.job, "at once")
		}
		p.told("it is due")
		p.postpone("a problem")
		s.NoError(s.store.SetJobDisabled(s.ctx, p.job, true))
		p.troubled("", "it is disabled")
		p.postpone("a problem")
		p.troubled("", "it is not due")
		p.silent("it is disabled")
	}},
	{"a job that is not due is not put off", func(s *scene) {
		p := s.periodic("nightly")
		p.started(p.due(tick), "at once").worker().drain(wellDone)
		p.declare(store.EnsureParams{Definition: []byte("2"), Schedule: []byte("rarely")})
		p.told("it needs a due time")
		p.fires(p.due(3*tick), verdicts.FireMoved, "it gets one")
		p.postpone("who asked is late")
		p.troubled("", "it has been fired")
		p.told("it is due as it was")
		_, err := s.store.EnsureJob(
			s.ctx, store.EnsureParams{Job: p.job, Type: statuses.JobStanding, Definition: []byte("2")},
		)
		s.NoError(err)
		p.postpone("who asked is late")
		p.troubled("", "it has no schedule")
		s.ErrorIs(
			s.store.PostponeJob(s.ctx, store.PostponeParams{Job: "unknown", Problem: "none"}), store.ErrJobNotFound,
		)
	}},
	{"a problem is text within bounds", func(s *scene) {
		p := s.periodic("nightly")
		p.told("it is due")
		for _, bad := range []string{"", "\xff", strings.Repeat("x", bounds.MaxProblemLen+1)} {
			s.refuses(s.store.PostponeJob(s.ctx, store.PostponeParams{Job: p.job, Problem: bad}), "Problem")
		}
		s.refuses(s.store.PostponeJob(s.ctx, store.PostponeParams{Problem: "a problem"}), "Name")
		p.troubled("", "all were refused")
		longest := strings.Repeat("é", bounds.MaxProblemLen/2)
		p.postpone(longest)
		p.troubled(longest, "the longest")
	}},
}
