package storetest

import (
	"errors"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/store"
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
		r.status(store.StatusFinishing)
		refusesStart(s, r)

		stopping := s.start(store.StartParams{Job: "stopping"})
		w = stopping.worker()
		w.queues = only(scan)
		w.one()
		stopping.stop(false)
		stopping.status(store.StatusStopping)
		refusesStart(s, stopping)
	}},
	{"a finished name starts again with a higher number", func(s *scene) {
		var last int64
		for range 5 {
			r := s.start(store.StartParams{Job: "import"})
			s.Greater(r.id.Number, last)
			last = r.id.Number
			r.worker().drain(wellDone)
			r.status(store.StatusSucceeded)
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

// refusesStart requires that the job cannot be started beside its active run.
func refusesStart(s *scene, active *run) {
	s.tb.Helper()
	_, err := s.store.StartRun(s.ctx, s.params(store.StartParams{Job: active.id.Job}))
	s.ErrorIs(err, store.ErrJobExists)
	var exists *store.JobExistsError
	s.ErrorAs(err, &exists)
	s.Equal(active.id, exists.Active, "the error names the active run")
}
