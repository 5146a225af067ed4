package storetest

import (
	"github.com/rollcall-go/rollcall/store"

	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var poison = []testCase{
	{"a task whose sessions keep dying is charged each time, its neighbours are not", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, append([]store.Item{task(scan, "poison")}, tasks(scan, "beside", 9)...)...)
		crashes := 0
		first := r.worker()
		for _, d := range first.take(10) {
			s.False(d.Task.Recovered)
			s.Zero(d.Task.Crashes)
		}
		first.close()

		beside := 0
		for crashes < 3 {
			w := r.worker()
			d := w.one()
			s.True(d.Task.Recovered, "its session died")
			if d.Task.ID != "poison" {
				s.Zero(d.Task.Crashes, "it only stood beside")
				w.succeed(d)
				w.close()
				beside++
				continue
			}
			s.Equal(crashes, d.Task.Crashes)
			s.Zero(d.Task.Retry, "apart from its retry budget")
			w.close() // the task kills its worker
			crashes++
		}
		rest := r.worker()
		for beside < 9 {
			d := rest.one()
			if d.Task.ID != "poison" {
				s.Zero(d.Task.Crashes)
				beside++
				rest.succeed(d)
				continue
			}
			s.Equal(3, d.Task.Crashes)
			rest.settle(failed(d))
		}
		if r.record().Counts.Failed == 0 {
			d := rest.one()
			s.Equal(3, d.Task.Crashes)
			rest.settle(failed(d))
		}
		r.counts(store.Counts{Succeeded: 9, Failed: 1}, "one is poison")
	}},
	{"recovered tasks are given out one at a time", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, tasks(scan, "t", 5)...)
		dead := r.worker()
		dead.take(5)
		dead.close()
		r.counts(store.Counts{Pending: 5}, "reclaim")
		lane := r.inspect().Lanes[0]
		s.Equal(int64(5), lane.Recovered)
		s.Zero(lane.Waiting)

		w := r.worker()
		for left := 5; left > 0; left-- {
			ds := w.fetch(bounds.MaxBatch)
			s.Len(ds, 1, "one recovered task at a time")
			s.True(ds[0].Task.Recovered)
			s.Empty(w.withoutRecovered(bounds.MaxBatch), "the session runs a recovered task")
			w.succeed(ds...)
		}
		r.counts(store.Counts{Succeeded: 5}, "each ran alone")
	}},
	{"plain tasks pass recovered tasks, whose session may be given none", func(s *scene) {
		r := s.open("import")
		p, dead := r.producer(), r.worker()
		p.add(r, task(scan, "recovered"))
		dead.one()
		dead.close()
		p.add(r, tasks(scan, "plain", 20)...)
		w := r.worker()
		ds := w.withoutRecovered(bounds.MaxBatch)
		s.Equal(named(tasks(scan, "plain", 20)...), ids(ds))
		w.succeed(ds...)
		s.Equal("recovered", w.one().Task.ID)
	}},
	{"a recovered task beside plain tasks is the one that is charged", func(s *scene) {
		r := s.open("import")
		p, dead := r.producer(), r.worker()
		p.add(r, task(scan, "recovered"))
		dead.one()
		dead.close()
		second := r.worker()
		s.Equal("recovered", second.one().Task.ID)
		p.add(r, tasks(scan, "plain", 3)...)
		s.Len(second.withoutRecovered(3), 3)
		second.close()

		w := r.worker()
		charged := make(map[string]int)
		for range 4 {
			d := w.one()
			charged[d.Task.ID] = d.Task.Crashes
			w.succeed(d)
		}
		s.Equal(map[string]int{"recovered": 1, "plain/0": 0, "plain/1": 0, "plain/2": 0}, charged)
	}},
	{"a lease that runs out charges as a closed session does", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		for crashes := range 2 {
			dead := r.shortLived()
			d := dead.one()
			s.Equal(crashes > 0, d.Task.Recovered)
			s.Zero(d.Task.Crashes)
			s.lapse(dead)
		}
		d := r.worker().one()
		s.True(d.Task.Recovered)
		s.Equal(1, d.Task.Crashes)
	}},
	{"releasing charges nothing", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		for range 5 {
			w := r.worker()
			d := w.one()
			s.False(d.Task.Recovered)
			s.Zero(d.Task.Crashes)
			w.settle(plain(d, verdicts.Release))
			w.close()
		}
		r.counts(store.Counts{Pending: 1}, "released")
	}},
}

// withoutRecovered fetches up to n tasks, but no recovered task.
func (w *worker) withoutRecovered(n int) []store.Delivery {
	w.s.tb.Helper()
	w.fetches++
	p := w.params(n)
	p.Recovered = false
	reply, err := w.s.store.Fetch(w.s.ctx, p)
	w.s.NoError(err)
	for _, d := range reply.Deliveries {
		w.s.False(d.Task.Recovered)
	}
	return reply.Deliveries
}
