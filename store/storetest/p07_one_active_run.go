package storetest

import (
	"errors"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

var oneActiveRun = []testCase{
	{"an active name is refused, in every active state", func(s *scene) {
		starting := s.start(store.StartParams{Job: "starting", PreJob: hook(preJob)})
		refusesStart(s, starting)

		r := s.start(store.StartParams{Job: "import", PostJob: hook(postJob)})
		w := r.worker()
		w.queues = only(scan)
		refusesStart(s, r)
		r.pause(true)
		refusesStart(s, r)
		r.pause(false)
		w.succeed(w.one())
		r.status(statuses.Finishing)
		refusesStart(s, r)

		stopping := s.start(store.StartParams{Job: "stopping"})
		w = stopping.worker()
		w.queues = only(scan)
		w.one()
		stopping.stop(false)
		stopping.status(statuses.Stopping)
		refusesStart(s, stopping)
	}},
	{"a finished name starts again with a higher number", func(s *scene) {
		var last int64
		for range 5 {
			r := s.start(store.StartParams{Job: "import"})
			s.Greater(r.id.Number, last)
			last = r.id.Number
			r.worker().drain(wellDone)
			r.status(statuses.Succeeded)
		}
	}},
	{"a token names one run, also when that is finished", func(s *scene) {
		p := s.params(store.StartParams{Job: "import", Token: "upload-9"})
		first, err := s.store.StartRun(s.ctx, p)
		s.NoError(err)
		s.False(first.Existing)
		r := &run{s, first.Run, s.partition("import")}
		same := func(when string) {
			again, err := s.store.StartRun(s.ctx, p)
			s.NoError(err, when)
			s.Equal(store.StartReply{Run: first.Run, Existing: true}, again, when)
		}
		same("while it is active")
		r.counts(store.Counts{Pending: 1}, "the same token again")
		r.worker().drain(wellDone)
		same("once it is finished")

		newer := s.start(store.StartParams{Job: "import"})
		same("while another is active")
		newer.stop(false)
		runs, err := s.store.JobRuns(s.ctx, "import")
		s.NoError(err)
		s.Equal([]int64{newer.id.Number, first.Run.Number}, runs)
	}},
	{"a token of one job means nothing to another", func(s *scene) {
		a := s.start(store.StartParams{Job: "a", Token: "same"})
		b := s.start(store.StartParams{Job: "b", Token: "same"})
		s.NotEqual(a.id, b.id)
	}},
	{"a declared name begins runs as it was declared, and in no other way", func(s *scene) {
		for _, kind := range []statuses.JobType{statuses.JobPeriodic, statuses.JobStanding} {
			name := string(kind)
			refused := func(active int64, why string) {
				s.tb.Helper()
				before := s.leftovers()
				for _, open := range []bool{false, true} {
					_, err := s.store.StartRun(s.ctx, s.params(store.StartParams{Job: name, Open: open}))
					want := &store.JobExistsError{Active: store.RunID{Job: name, Number: active}, Declared: kind}
					s.Equal(want, err, why)
				}
				s.Equal(before, s.leftovers(), "nothing was written")
			}
			_, err := s.store.StartRun(s.ctx, s.params(store.StartParams{Job: name, Declared: true}))
			s.ErrorIs(err, store.ErrJobNotFound, "it is not declared")
			earlier := s.start(store.StartParams{Job: name, Token: "earlier"})
			_, err = s.store.StartRun(s.ctx, s.params(store.StartParams{Job: name, Declared: true}))
			s.ErrorIs(err, store.ErrJobNotFound, "nor is it by being started")
			earlier.stop(false)

			def := store.EnsureParams{Job: name, Type: kind, Definition: []byte("d")}
			_, err = s.store.EnsureJob(s.ctx, def)
			s.NoError(err)
			refused(0, "declared after a run")
			again, err := s.store.StartRun(s.ctx, s.params(store.StartParams{Job: name, Token: "earlier"}))
			s.NoError(err, "a repeat of a start from before")
			s.Equal(store.StartReply{Run: earlier.id, Existing: true}, again)
			r := s.start(store.StartParams{Job: name, Declared: true})
			refused(r.id.Number, "while it runs")
			refusesDeclared(s, r)
			s.NoError(s.store.SetJobDisabled(s.ctx, name, true))
			r.stop(false)
			refused(0, "stopped by name")
			s.NoError(s.store.DeleteJob(s.ctx, name))
			_, err = s.store.StartRun(s.ctx, s.params(store.StartParams{Job: name, Declared: true}))
			s.ErrorIs(err, store.ErrJobNotFound)
			s.start(store.StartParams{Job: name})
		}
	}},
	{"of many starts at once one wins", func(s *scene) {
		var started, refused atomic.Int64
		ps := make([]store.StartParams, 32)
		for i := range ps {
			ps[i] = s.params(store.StartParams{Job: "import"})
		}
		s.together(len(ps), func(i int) error {
			_, err := s.store.StartRun(s.ctx, ps[i])
			switch {
			case err == nil:
				started.Add(1)
			case errors.Is(err, store.ErrJobExists):
				refused.Add(1)
			default:
				return err
			}
			return nil
		})
		s.Equal(int64(1), started.Load())
		s.Equal(int64(len(ps)-1), refused.Load())
	}},
	{"of many starts at once with one token all name the same run", func(s *scene) {
		p := s.params(store.StartParams{Job: "import"})
		var fresh atomic.Int64
		runs := make([]store.RunID, 16)
		s.together(len(runs), func(i int) error {
			reply, err := s.store.StartRun(s.ctx, p)
			runs[i] = reply.Run
			if !reply.Existing {
				fresh.Add(1)
			}
			return err
		})
		s.Equal(int64(1), fresh.Load())
		for _, id := range runs {
			s.Equal(runs[0], id)
		}
	}},
}

// refusesDeclared requires that a declared job has no second run beside its active one.
func refusesDeclared(s *scene, active *run) {
	s.tb.Helper()
	_, err := s.store.StartRun(s.ctx, s.params(store.StartParams{Job: active.id.Job, Declared: true}))
	s.Equal(&store.JobExistsError{Active: active.id}, err)
}

// refusesStart requires that the job cannot be started beside its active run.
func refusesStart(s *scene, active *run) {
	s.tb.Helper()
	_, err := s.store.StartRun(s.ctx, s.params(store.StartParams{Job: active.id.Job}))
	s.ErrorIs(err, store.ErrJobExists)
	var exists *store.JobExistsError
	s.ErrorAs(err, &exists)
	s.Equal(active.id, exists.Active, "the error names the active run")
}
