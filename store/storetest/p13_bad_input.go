package storetest

import (
	"math"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

var badInput = []testCase{
	{"times at the ends of what can be said harm nobody", func(s *scene) {
		const forever = time.Duration(math.MaxInt64)
		far := task(scan, "far")
		far.Task.Enqueued, far.At = time.Time{}, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
		past := task(scan, "past")
		past.At = time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)
		r := s.start(store.StartParams{Job: "import", Retention: forever})
		p, w := r.producer(), r.worker()
		p.add(
			r, task(scan, "beside"), delayed(scan, "late", forever), delayed(scan, "soon", -time.Second), far, past,
			claimed(scan, "kept", forever),
		)
		s.promote(r.partition)
		r.counts(store.Counts{Pending: 5, Delayed: 2}, "what was due in the past is due now")
		for _, d := range w.take(5) {
			w.settle(snoozed(d, forever))
		}
		r.counts(store.Counts{Delayed: 7}, "snoozed for ever")
		late := store.Item{Route: scan, Task: store.Task{ID: "root"}, Delay: forever}
		other := s.start(store.StartParams{Job: "late", Root: &late, Open: true, SealAfter: forever})
		other.counts(store.Counts{Delayed: 1}, "a root that is never due")
		s.sweep(other.partition)
		other.status(statuses.Running)
		r.stop(false)
		r.counts(store.Counts{Cancelled: 7}, "stop")
	}},
	{"a start that no store accepts names the fields", func(s *scene) {
		before := s.leftovers()
		for field, spoil := range map[string]func(p *store.StartParams){
			"Name":       func(p *store.StartParams) { p.Job = "" },
			"Root":       func(p *store.StartParams) { p.Root = nil },
			"Weight":     func(p *store.StartParams) { p.Weight = math.NaN() },
			"Retention":  func(p *store.StartParams) { p.Retention = -time.Second },
			"FailureCap": func(p *store.StartParams) { p.FailureCap = 0 },
		} {
			p := s.params(store.StartParams{Job: "import"})
			spoil(&p)
			_, err := s.store.StartRun(s.ctx, p)
			s.ErrorIs(err, store.ErrInvalid, field)
			var bad *store.FieldError
			s.ErrorAs(err, &bad, field)
			s.Equal(field, bad.Field)
		}
		unwritten(s, before)
	}},
	{"an unknown job is not found", func(s *scene) {
		before := s.leftovers()
		_, err := s.store.Job(s.ctx, "unknown")
		s.ErrorIs(err, store.ErrJobNotFound)
		s.ErrorIs(s.store.SetJobDisabled(s.ctx, "unknown", true), store.ErrJobNotFound)
		s.ErrorIs(s.store.DeleteJob(s.ctx, "unknown"), store.ErrJobNotFound)
		runs, err := s.store.JobRuns(s.ctx, "unknown")
		s.NoError(err)
		s.Empty(runs)
		unwritten(s, before)
	}},
	{"an unknown run is not found, with or without its job", func(s *scene) {
		known := s.start(store.StartParams{Job: "known"})
		for _, id := range []store.RunID{{Job: "unknown", Number: 1}, {Job: "known", Number: known.id.Number + 1}, {Job: "known", Number: 1}} {
			_, err := s.store.Run(s.ctx, id)
			s.ErrorIs(err, store.ErrRunNotFound, "%v", id)
			_, err = s.store.Inspect(s.ctx, id)
			s.ErrorIs(err, store.ErrRunNotFound, "%v", id)
			s.ErrorIs(s.store.StopRun(s.ctx, store.StopParams{Run: id}), store.ErrRunNotFound, "%v", id)
			s.ErrorIs(s.store.SetRunPaused(s.ctx, id, true), store.ErrRunNotFound, "%v", id)
			s.ErrorIs(s.store.DeleteRun(s.ctx, id), store.ErrRunNotFound, "%v", id)
			p := s.producer(s.partition(id.Job))
			ghost := &run{s, id, p.partition}
			s.ErrorIs(p.offer(ghost, task(scan, "t"))[0].Err, store.ErrRunNotFound, "%v", id)
			s.ErrorIs(p.hold(ghost, "hold"), store.ErrRunNotFound, "%v", id)
			s.ErrorIs(p.release(ghost, "hold"), store.ErrRunNotFound, "%v", id)
			beat, err := s.worker(p.partition, steady).heartbeat(ghost)
			s.NoError(err)
			s.Equal([]store.RunSignal{{Run: id}}, beat.Runs, "a run that is gone has no status")
		}
		known.counts(store.Counts{Pending: 1}, "all was refused")
	}},
	{"a finished run cannot be stopped or paused", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		r.worker().drain(wellDone)
		ended := r.record()
		s.ErrorIs(s.store.StopRun(s.ctx, store.StopParams{Run: r.id, Reason: "late"}), store.ErrRunFinished)
		s.ErrorIs(s.store.SetRunPaused(s.ctx, r.id, true), store.ErrRunFinished)
		s.Equal(ended, r.record(), "nothing was written")
	}},
	{"an active run cannot be deleted, nor can its job", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		s.ErrorIs(s.store.DeleteRun(s.ctx, r.id), store.ErrRunActive)
		s.ErrorIs(s.store.DeleteJob(s.ctx, "import"), store.ErrRunActive)
		r.worker().drain(wellDone)
		r.status(statuses.Succeeded)
	}},
	{"a disabled job is not started as declared", func(s *scene) {
		_, err := s.store.EnsureJob(
			s.ctx, store.EnsureParams{Job: "nightly", Type: statuses.JobPeriodic, Definition: []byte("d")},
		)
		s.NoError(err)
		s.NoError(s.store.SetJobDisabled(s.ctx, "nightly", true))
		before := s.leftovers()
		_, err = s.store.StartRun(s.ctx, s.params(store.StartParams{Job: "nightly", Declared: true}))
		s.ErrorIs(err, store.ErrJobDisabled)
		s.Equal(before, s.leftovers())
		s.NoError(s.store.SetJobDisabled(s.ctx, "nightly", false))
		s.start(store.StartParams{Job: "nightly", Declared: true})
	}},
	{"a name that is active cannot be declared", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		def := store.EnsureParams{Job: "import", Type: statuses.JobStanding, Definition: []byte("d")}
		_, err := s.store.EnsureJob(s.ctx, def)
		s.ErrorIs(err, store.ErrJobExists)
		job, err := s.store.Job(s.ctx, "import")
		s.NoError(err)
		s.Equal(statuses.JobSinglePass, job.Type)
		r.stop(false)
		_, err = s.store.EnsureJob(s.ctx, def)
		s.NoError(err)
	}},
	{"names and IDs that look like the store's own are stored without collision", func(s *scene) {
		names := []string{
			"a",
			"a:b",
			"a/b",
			"{a}",
			"}{",
			"{}",
			"a}",
			"*",
			"[a]?",
			"a b",
			"é",
			"e\u0301",
			"日本",
			"@pre",
			"%3A",
			"%",
			"\\",
			"'\"",
			"0",
			"-1",
		}
		for i, name := range names {
			s.NoError(store.ValidateJobName(name))
			r := s.open(name)
			r.producer().add(r, claimed(scan, name, 0), claimed(scan, name+"+", 0), task(file, names[len(names)-1-i]))
			s.True(r.producer().offer(r, claimed(scan, name, 0))[0].Duplicate)
			r.counts(store.Counts{Pending: 3}, name)
		}
		for _, name := range names {
			runs, err := s.store.JobRuns(s.ctx, name)
			s.NoError(err)
			s.Len(runs, 1)
			r := &run{s, store.RunID{Job: name, Number: runs[0]}, s.partition(name)}
			s.Equal(name, r.record().ID.Job)
			r.counts(store.Counts{Pending: 3}, name)
			r.stop(false)
			s.NoError(s.store.DeleteJob(s.ctx, name))
		}
	}},
}

// unwritten requires that nothing was stored since before.
func unwritten(s *scene, before []string) {
	s.tb.Helper()
	s.Equal(before, s.leftovers(), "nothing was written")
	for partition := range s.store.Partitions() {
		page, err := s.store.ListJobs(s.ctx, store.ListParams{Partition: partition, Limit: 10})
		s.NoError(err)
		s.Empty(page.Jobs)
	}
}
