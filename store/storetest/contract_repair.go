package storetest

import (
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var repairContract = []testCase{
	{"a healthy run is left alone in every state, and goes on", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", Open: true, PreJob: hook(preJob), PostJob: hook(postJob)})
		healthy := func(when string) {
			s.tb.Helper()
			before := r.record()
			for _, p := range []store.RepairParams{
				{Job: "import", DryRun: true, Quick: true}, {Job: "import", DryRun: true}, {Job: "import"}, {Job: "import", Run: r.id.Number},
			} {
				report, err := s.store.Repair(s.ctx, p)
				s.NoError(err, when)
				s.Empty(report.Damage, when)
				s.Empty(report.Moving, when)
			}
			s.Equal(before, r.record(), when)
		}
		healthy("starting")
		w, p := r.worker(), r.producer()
		kept := claimed(file, "kept", never)
		p.add(r, append(tasks(scan, "scan", 3), delayed(file, "later", never), claimed(scan, "mine", 0), kept)...)
		healthy("starting, with tasks")
		w.settle(plain(w.one(), verdicts.Begin))
		r.status(statuses.Running)
		healthy("running")
		r.pause(true)
		healthy("paused")
		w.none("it is paused")
		healthy("paused, and a fetch saw it")
		r.pause(false)
		s.NoError(p.hold(r, "upload"))
		ds := w.take(3)
		healthy("some are held")
		s.NoError(w.stage(ds[0], file, 0, tasks(file, "staged", 5)...))
		healthy("a task has staged children")
		o := success(ds[0], tasks(file, "child", 2)...)
		o.Staged = []store.Staged{staged(file, 5)}
		w.settle(o, retried(ds[1], never), snoozed(ds[2], 0))
		healthy("staged children are visible")
		recovered := s.worker(r.partition, steady)
		recovered.take(2)
		recovered.close()
		healthy("a session died")
		s.NoError(p.release(r, "upload"))
		r.stop(true)
		healthy("stopped")
	}},
	{"a run that ends by itself is left alone to its end", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PostJob: hook(postJob)})
		sound := func() {
			s.tb.Helper()
			report, err := s.store.Repair(s.ctx, store.RepairParams{Job: "import"})
			s.NoError(err)
			s.Empty(report.Damage)
		}
		w := r.worker()
		w.succeed(w.one())
		r.status(statuses.Finishing)
		sound()
		d := w.one()
		sound()
		w.settle(hookDone(d, ""))
		r.status(statuses.Succeeded)
		sound()
		s.sweep(r.partition)
		sound()
		s.NoError(s.store.DeleteRun(s.ctx, r.id))
	}},
	{"a job of which the newest run is gone, but not an older one, is left alone", func(s *scene) {
		s.start(store.StartParams{Job: "import"}).worker().drain(wellDone)
		newest := s.start(store.StartParams{Job: "import"})
		newest.worker().drain(wellDone)
		s.sweep(newest.partition)
		s.NoError(s.store.DeleteRun(s.ctx, newest.id))
		for _, p := range []store.RepairParams{{Job: "import", Quick: true}, {Job: "import"}} {
			report, err := s.store.Repair(s.ctx, p)
			s.NoError(err)
			s.Empty(report.Damage)
		}
	}},
	{"what is not there cannot be repaired", func(s *scene) {
		_, err := s.store.Repair(s.ctx, store.RepairParams{Job: "import"})
		s.ErrorIs(err, store.ErrJobNotFound)
		r := s.open("import")
		_, err = s.store.Repair(s.ctx, store.RepairParams{Job: "import", Run: r.id.Number + 1})
		s.ErrorIs(err, store.ErrRunNotFound)
	}},
}
