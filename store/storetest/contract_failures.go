package storetest

import (
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

var failuresContract = []testCase{
	{"the newest come first where that is asked for, between any two places", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", FailureCap: 6, Open: true})
		r.fail(10)
		for _, c := range []struct {
			p    store.FailuresParams
			want []int64
		}{
			{store.FailuresParams{}, []int64{1, 2, 3, 8, 9, 10}},
			{store.FailuresParams{Newest: true}, []int64{10, 9, 8, 3, 2, 1}},
			{store.FailuresParams{Newest: true, Before: 9}, []int64{8, 3, 2, 1}},
			{store.FailuresParams{Newest: true, Before: 5, After: 1}, []int64{3, 2}},
			{store.FailuresParams{Before: 9, After: 2}, []int64{3, 8}},
			{store.FailuresParams{Before: 1}, nil},
			{store.FailuresParams{Newest: true, Before: -1}, nil},
			{store.FailuresParams{Newest: true, After: 10}, nil},
		} {
			s.Equal(c.want, r.places(c.p), "%+v", c.p)
			if len(c.want) > 2 {
				c.p.Limit = 2
				s.Equal(c.want[:2], r.places(c.p), "%+v", c.p)
			}
		}
	}},
	{"runs that keep failures are listed by when a task failed last", func(s *scene) {
		partition := s.partition("import")
		s.Empty(s.failing(partition, 10))
		var runs []*run
		for i := 0; len(runs) < 3; i++ {
			if job := fmt.Sprintf("import/%d", i); s.partition(job) == partition {
				runs = append(runs, s.open(job))
			}
		}
		idle := runs[2]
		idle.producer().add(idle, tasks(scan, "fine", 1)...)
		idle.worker().drain(wellDone)
		for _, i := range []int{0, 1, 0} {
			s.h.Advance(s.tb, tick)
			runs[i].fail(2)
		}
		want := []store.RunID{runs[0].id, runs[1].id}
		for limit := 1; limit <= 3; limit++ {
			s.Equal(want, s.failing(partition, limit), "in pages of %d", limit)
		}
		all, err := s.store.FailingRuns(s.ctx, store.FailingRunsParams{Partition: partition, Limit: 10})
		s.NoError(err)
		for i, f := range all {
			newest, err := s.store.Failures(s.ctx, store.FailuresParams{Run: want[i], Newest: true, Limit: 1})
			s.NoError(err)
			s.True(newest[0].At.Equal(f.Last), "the time of its newest failure")
		}
		s.h.Advance(s.tb, tick)
		runs[1].fail(1)
		slices.Reverse(want)
		s.Equal(want, s.failing(partition, 10), "the one of the newest failure is first")
		behind, err := s.store.FailingRuns(s.ctx, store.FailingRunsParams{Partition: partition, After: all[0], Limit: 10})
		s.NoError(err)
		s.Empty(behind, "what moved to the front is not behind")
	}},
	{"a run is listed by its failures until its summary is gone", func(s *scene) {
		partition := s.partition("import")
		r := s.start(store.StartParams{Job: "import"})
		r.worker().drain(failed)
		r.status(statuses.Failed)
		s.sweep(partition)
		s.Equal([]store.RunID{r.id}, s.failing(partition, 10), "after it was purged")
		s.NoError(s.store.DeleteRun(s.ctx, r.id))
		s.Empty(s.failing(partition, 10), "after it was deleted")
		r = s.start(store.StartParams{Job: "import", Retention: tick})
		r.worker().drain(failed)
		s.until(partition, "its retention is over", func() bool { return len(s.failing(partition, 10)) == 0 })
	}},
}

// fail lets so many more tasks of the run fail.
func (r *run) fail(n int) {
	r.s.tb.Helper()
	r.producer().add(r, tasks(scan, r.s.name("t"), n)...)
	w := r.worker()
	for _, d := range w.take(n) {
		w.settle(failed(d))
	}
	w.close()
}

// places reads places of failures, up to ten.
func (r *run) places(p store.FailuresParams) (places []int64) {
	r.s.tb.Helper()
	p.Run = r.id
	if p.Limit == 0 {
		p.Limit = 10
	}
	page, err := r.s.store.Failures(r.s.ctx, p)
	r.s.NoError(err)
	for _, f := range page {
		places = append(places, f.Place)
	}
	return places
}

// failing lists the runs of a partition that keep failures, in pages.
func (s *scene) failing(partition, limit int) (runs []store.RunID) {
	s.tb.Helper()
	for p := (store.FailingRunsParams{Partition: partition, Limit: limit}); ; {
		page, err := s.store.FailingRuns(s.ctx, p)
		s.NoError(err)
		if len(page) == 0 {
			return runs
		}
		s.LessOrEqual(len(page), limit)
		for _, f := range page {
			runs = append(runs, f.Run)
		}
		p.After = page[len(page)-1]
	}
}
