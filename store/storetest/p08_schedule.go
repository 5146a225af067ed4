package storetest

import (
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var schedules = []testCase{
	{"a due time begins one run, however many fire it", func(s *scene) {
		p := s.periodic("nightly")
		p.told("it is due")
		f := p.due(time.Hour)
		s.False(f.Due.IsZero())
		var began atomic.Int64
		s.together(32, func(int) error {
			reply, err := s.store.FireRun(s.ctx, f)
			if err == nil && reply.Verdict == verdicts.FireStarted {
				began.CompareAndSwap(0, reply.Run.Number)
			}
			return err
		})
		p.runs(1, "fired by 32")
		numbers, err := s.store.JobRuns(s.ctx, p.job)
		s.NoError(err)
		s.Equal([]int64{began.Load()}, numbers)
		r := &run{s, store.RunID{Job: p.job, Number: numbers[0]}, p.partition}
		s.True(f.Due.Equal(r.record().Due), "the run knows its due time")
		p.dueAt(f.Next[0], "the next time follows")
	}},
	{"a repeat finds the run, also when that is over and the next is under way", func(s *scene) {
		p := s.periodic("nightly")
		f := p.due(tick)
		first := p.started(f, "at once")
		s.Equal(first.id, p.started(f, "again").id)
		first.worker().drain(wellDone)
		first.status(statuses.Succeeded)
		s.Equal(first.id, p.started(f, "when it is over").id)
		p.told("the next time has come")
		second := p.started(p.due(time.Hour), "the next time")
		s.NotEqual(first.id, second.id)
		s.Greater(second.id.Number, first.id.Number)
		s.Equal(first.id, p.started(f, "though another is active").id)
		p.runs(2, "after all repeats")
	}},
	{"nothing begins before its time, or when that is somebody else's", func(s *scene) {
		p := s.periodic("nightly")
		p.started(p.due(time.Hour), "at once").worker().drain(wellDone)
		early := p.due(2 * time.Hour)
		p.fires(early, verdicts.FireEarly, "an hour before it is due")
		other := early
		other.Due = other.Due.Add(-time.Second)
		p.fires(other, verdicts.FireMoved, "a time at which it is not due")
		other = early
		other.Changes++
		p.fires(other, verdicts.FireMoved, "a definition that is not stored")
		other.Due = time.Time{}
		p.fires(other, verdicts.FireMoved, "it has a due time")
		p.runs(1, "all were refused")
		s.Equal(early.Due, p.record().Due)
	}},
	{"the next time must be ahead of the store's clock", func(s *scene) {
		p := s.periodic("nightly")
		f := p.due(time.Hour)
		f.Next = []time.Time{p.now().Add(-time.Second)}
		p.fires(f, verdicts.FireEarly, "the next time has passed")
		p.runs(0, "it was refused")
		p.started(p.due(time.Hour), "with one ahead")
	}},
	{"of several next times the first that is ahead of the store's clock counts", func(s *scene) {
		p := s.periodic("nightly")
		now := p.now()
		f := p.due(time.Hour)
		f.Next = []time.Time{now.Add(-2 * time.Second), now.Add(-time.Second), now.Add(time.Hour), now.Add(2 * time.Hour)}
		p.started(f, "two have passed")
		p.dueAt(f.Next[2], "the next time follows")
		f.Next = f.Next[:2]
		p.started(f, "a repeat, whatever it says")
		p.dueAt(now.Add(time.Hour), "as before")
	}},
	{"a delay puts a run off and leaves its due time", func(s *scene) {
		p := s.periodic("nightly")
		f := p.due(tick)
		f.Delay = time.Hour
		p.started(f, "at once").worker().drain(wellDone)
		s.h.Advance(s.tb, 3*tick)
		late := p.due(time.Hour)
		s.True(late.Due.Before(p.now()))
		p.fires(late, verdicts.FireEarly, "its delay has not passed")
	}},
	{"what a run is active for is skipped, counted, and begins nothing", func(s *scene) {
		p := s.periodic("nightly")
		r := p.started(p.due(tick), "at once")
		p.told("the next time has come")
		f := p.due(tick)
		p.fires(f, verdicts.FireSkipped, "a run is active")
		p.fires(f, verdicts.FireMoved, "once more")
		rec := p.record()
		s.EqualValues(1, rec.Skipped)
		s.True(rec.LastSkip.Equal(f.Due))
		p.runs(1, "it was skipped")
		r.counts(store.Counts{Pending: 1}, "the active one is left alone")
		r.worker().drain(wellDone)
		p.told("and the time after that")
		p.started(p.due(time.Hour), "the active one is over")
	}},
	{"what waits begins once when the active run is over", func(s *scene) {
		p := s.periodic("nightly")
		r := p.started(p.due(tick), "at once")
		p.told("the next time has come")
		f := p.due(time.Hour)
		f.Wait = true
		s.Equal(r.id, p.fires(f, verdicts.FireWaiting, "a run is active").Run)
		s.Equal(f.Due, p.record().Due, "it stands")
		p.silent("somebody waits for it")
		r.stop(false)
		second := p.started(f, "the active one is over")
		s.True(second.record().Due.Equal(f.Due))
		s.Zero(p.record().Skipped)
		p.runs(2, "one for all that was missed")
	}},
	{"what waits is told of again, lest who waits has died", func(s *scene) {
		p := s.periodic("nightly")
		p.started(p.due(tick), "at once")
		p.told("the next time has come")
		f := p.due(time.Hour)
		f.Wait = true
		p.fires(f, verdicts.FireWaiting, "a run is active")
		p.told("it was left alone for long")
	}},
	{"a job that rests is due so long after the end of its run", func(s *scene) {
		p := s.periodic("nightly")
		f := p.due(tick)
		f.Rest = time.Hour
		r := p.started(f, "at once")
		p.told("the next time has come")
		f = p.due(time.Hour)
		f.Rest = time.Hour
		s.Equal(r.id, p.fires(f, verdicts.FireWaiting, "a run is active").Run)
		r.worker().drain(wellDone)
		ended := r.record().Ended
		p.fires(f, verdicts.FireMoved, "it has not rested")
		s.WithinDuration(ended.Add(time.Hour), p.record().Due, time.Second)
		p.runs(1, "it has not rested")
	}},
	{"fractions of a millisecond make a job due later, never at once again", func(s *scene) {
		p := s.periodic("nightly")
		for i, part := range []time.Duration{1, time.Microsecond, 499_999, 500_001, 999_999} {
			f := p.due(tick)
			f.Next[0], f.Delay = f.Next[0].Truncate(time.Millisecond).Add(part), part
			f.Rest = time.Millisecond + part
			p.started(f, "it is due").worker().drain(wellDone)
			p.dueAt(p.next, "the next time follows")
			p.told("the next time has come")
			s.False(p.now().Before(p.next.Add(part)), "part %d: it was told of before its time", i)
			f = p.due(time.Hour)
			f.Rest = time.Hour + part
			newest := &run{s, store.RunID{Job: p.job, Number: p.record().LastRun}, p.partition}
			rested := newest.record().Ended.Add(f.Rest)
			p.fires(f, verdicts.FireMoved, "it has not rested")
			s.False(p.record().Due.Before(rested), "due before it has rested")
			s.NoError(s.store.DeleteJob(s.ctx, p.job))
			p = s.periodic("nightly")
		}
	}},
	{"a due job is told to one at a time, and again if nobody fires it", func(s *scene) {
		p := s.periodic("nightly")
		p.told("it is due")
		p.silent("somebody was told")
		p.told("nobody fired it")
		reply, err := s.store.Promote(s.ctx, p.partition)
		s.NoError(err)
		s.False(reply.Next.IsZero(), "and it says when")
		p.started(p.due(time.Hour), "at last")
		p.silent("it was fired")
	}},
	{"a new job gets a due time before it begins anything", func(s *scene) {
		p := &periodic{s: s, job: "nightly", partition: s.partition("nightly")}
		s.Equal(verdicts.EnsureCreated, p.declare(store.EnsureParams{Schedule: []byte("often")}))
		s.Zero(p.record().Due)
		p.told("it is new")
		f := p.due(time.Hour)
		p.fires(f, verdicts.FireMoved, "it gets one")
		p.dueAt(f.Next[0], "it has one")
		p.runs(0, "nothing was due")
		p.silent("it is due in an hour")
	}},
	{"a due time outlives another definition, and not another schedule", func(s *scene) {
		p := s.periodic("nightly")
		p.started(p.due(time.Hour), "at once")
		old := p.due(time.Hour)
		s.Equal(
			verdicts.EnsureUpdated,
			p.declare(store.EnsureParams{Definition: []byte("2"), Schedule: []byte("often"), DueNow: true}),
		)
		rec := p.record()
		s.Equal(old.Due, rec.Due)
		s.Greater(rec.Changes, old.Changes)
		s.Equal(
			verdicts.EnsureUnchanged, p.declare(store.EnsureParams{Definition: []byte("2"), Schedule: []byte("often")}),
		)
		s.Equal(rec, p.record())
		s.Equal(
			verdicts.EnsureUpdated,
			p.declare(store.EnsureParams{Definition: []byte("3"), Schedule: []byte("rarely"), DueNow: true}),
		)
		s.Zero(p.record().Due, "due at once are only new jobs")
		p.told("it needs a due time")
	}},
	{"a disabled job is not due, and gets a new due time when it is enabled", func(s *scene) {
		p := s.periodic("nightly")
		f := p.due(time.Hour)
		s.NoError(s.store.SetJobDisabled(s.ctx, p.job, true))
		_, err := s.store.FireRun(s.ctx, f)
		s.ErrorIs(err, store.ErrJobDisabled)
		s.Zero(p.record().Due)
		s.h.Advance(s.tb, store.FireClaim+tick)
		p.silent("it is disabled")
		s.Equal(verdicts.EnsureUpdated, p.declare(store.EnsureParams{Definition: []byte("2"), Schedule: []byte("rarely")}))
		p.silent("declaring does not enable")
		s.NoError(s.store.SetJobDisabled(s.ctx, p.job, false))
		s.NoError(s.store.SetJobDisabled(s.ctx, p.job, false))
		p.told("it was enabled")
		f = p.due(time.Hour)
		p.fires(f, verdicts.FireMoved, "what it missed is not made up for")
		p.runs(0, "nothing was due")
		s.NoError(s.store.SetJobDisabled(s.ctx, p.job, false))
		s.False(p.record().Due.IsZero(), "enabling what is enabled changes nothing")
	}},
	{"a job that is gone, or is periodic no longer, is not due", func(s *scene) {
		p := s.periodic("nightly")
		f := p.due(time.Hour)
		_, err := s.store.EnsureJob(
			s.ctx, store.EnsureParams{Job: p.job, Type: statuses.JobStanding, Definition: []byte("2")},
		)
		s.NoError(err)
		p.fires(f, verdicts.FireMoved, "it stands now")
		s.Zero(p.record().Due)
		s.h.Advance(s.tb, store.FireClaim+tick)
		p.silent("it stands now")
		gone := s.periodic("gone")
		f = gone.due(time.Hour)
		s.NoError(s.store.DeleteJob(s.ctx, gone.job))
		_, err = s.store.FireRun(s.ctx, f)
		s.ErrorIs(err, store.ErrJobNotFound)
		s.h.Advance(s.tb, store.FireClaim+tick)
		gone.silent("it is gone")
	}},
	{"in read-only mode a due time stands, unless its set is marked", func(s *scene) {
		p := s.periodic("nightly")
		s.readOnly(p.partition, true)
		f := p.due(tick)
		s.Zero(p.fires(f, verdicts.FireWaiting, "read-only").Run)
		s.Equal(f.Due, p.record().Due)
		p.runs(0, "read-only")
		f.InReadOnly = true
		r := p.started(f, "its set is marked")
		s.readOnly(p.partition, false)
		r.worker().drain(wellDone)
		r.status(statuses.Succeeded)
		s.readOnly(p.partition, true)
		p.told("the next time has come")
		s.Zero(p.fires(p.due(time.Hour), verdicts.FireWaiting, "read-only").Run, "the newest run has ended")
	}},
	{"a job that was disabled before it was declared is not due", func(s *scene) {
		r := s.start(store.StartParams{Job: "nightly"})
		r.worker().drain(wellDone)
		s.NoError(s.store.SetJobDisabled(s.ctx, "nightly", true))
		p := s.periodic("nightly")
		s.Zero(p.record().Due)
		p.silent("it is disabled")
		s.NoError(s.store.SetJobDisabled(s.ctx, p.job, false))
		p.told("it was enabled")
	}},
	{"hooks belong to each run", func(s *scene) {
		p := s.periodic("nightly")
		for i := range 2 {
			f := p.due(tick)
			f.Start.PreJob, f.Start.PostJob = hook(preJob), hook(postJob)
			r := p.started(f, "it is due")
			r.status(statuses.Starting)
			kinds := make(map[string]int)
			for _, d := range r.worker().drain(wellDone) {
				kinds[d.Lease.Lane.Route.Kind]++
			}
			s.Equal(map[string]int{store.KindPreJob: 1, scan.Kind: 1, store.KindPostJob: 1}, kinds)
			r.status(statuses.Succeeded)
			p.runs(i+1, "each has its own")
			p.told("the next time has come")
		}
	}},
	{"bad input names the field, and moves nothing", func(s *scene) {
		p := s.periodic("nightly")
		for field, bad := range map[string]func(*store.FireParams){
			"Next":   func(f *store.FireParams) { f.Next = nil },
			"Delay":  func(f *store.FireParams) { f.Delay = -1 },
			"Rest":   func(f *store.FireParams) { f.Rest = -1 },
			"Weight": func(f *store.FireParams) { f.Start.Weight = 0 },
		} {
			f := p.due(time.Hour)
			bad(&f)
			_, err := s.store.FireRun(s.ctx, f)
			s.refuses(err, field)
		}
		p.runs(0, "all were refused")
		p.started(p.due(time.Hour), "it is due still")
	}},
}
