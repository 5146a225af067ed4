package storetest

import (
	"fmt"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var fanOut = []testCase{
	{"children that travel with a success appear with it", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		children := append(tasks(scan, "scan", bounds.MaxBatch/2), tasks(file, "file", bounds.MaxBatch/2)...)
		w.settle(success(w.one(), children...))
		r.counts(store.Counts{Pending: bounds.MaxBatch, Succeeded: 1}, "success with children")
		s.Equal(named(children...), ids(w.drain(wellDone)))
		r.status(statuses.Succeeded)
	}},
	{"staged children of several routes appear with the success, however many", stagedFanOut},
	{"a chunk staged again at the same offset is there once", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		d := w.one()
		first, second := tasks(file, "first", 10), tasks(file, "second", 10)
		for range 3 {
			s.NoError(w.stage(d, file, 0, first...))
		}
		for range 2 {
			s.NoError(w.stage(d, file, 10, second...))
			s.NoError(w.stage(d, file, 0, first...))
		}
		w.settle(withStaged(success(d), staged(file, 20)))
		s.Equal(named(append(first, second...)...), ids(w.drain(wellDone)))
		r.counts(store.Counts{Succeeded: 21}, "everything ran")
		r.status(statuses.Succeeded)
	}},
	{"attempts that do not succeed leave no child", func(s *scene) {
		for name, end := range map[string]func(d store.Delivery) store.Outcome{
			"retry":   func(d store.Delivery) store.Outcome { return retried(d, 0) },
			"snooze":  func(d store.Delivery) store.Outcome { return snoozed(d, 0) },
			"release": func(d store.Delivery) store.Outcome { return plain(d, verdicts.Release) },
		} {
			r := s.start(store.StartParams{Job: name})
			w := r.worker()
			d := w.one()
			s.NoError(w.stage(d, file, 0, tasks(file, "dead", 20)...))
			w.settle(end(d))
			s.Equal(int64(1), r.record().Counts.Total, name)

			again := w.one()
			s.NoError(w.stage(again, file, 0, tasks(file, "live", 3)...), "%s: staging begins anew", name)
			w.settle(withStaged(success(again), staged(file, 3)))
			s.Equal(named(tasks(file, "live", 3)...), ids(w.drain(wellDone)), name)
			r.counts(store.Counts{Succeeded: 4}, name)
			r.status(statuses.Succeeded)
		}
	}},
	{"a failed parent leaves no child", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		d := w.one()
		s.NoError(w.stage(d, file, 0, tasks(file, "dead", 20)...))
		o := withStaged(failed(d), staged(file, 20))
		o.Children = tasks(scan, "dead", 3)
		w.settle(o)
		r.counts(store.Counts{Failed: 1}, "failure of a parent with children")
		r.status(statuses.Failed)
		w.none("the parent failed")
	}},
	{"children of a dead attempt vanish", func(s *scene) {
		before := s.leftovers()
		r := s.start(store.StartParams{Job: "import", Retention: brief})
		dead, w := r.shortLived(), r.worker()
		d := dead.one()
		s.NoError(dead.stage(d, file, 0, tasks(file, "dead", 20)...))
		s.lapse(dead)
		r.counts(store.Counts{Pending: 1}, "death of the parent's session")

		again := w.one()
		s.NoError(w.stage(again, file, 0, tasks(file, "live", 5)...))
		w.settle(withStaged(success(again), staged(file, 5)))
		s.Equal(named(tasks(file, "live", 5)...), ids(w.drain(wellDone)))
		r.counts(store.Counts{Succeeded: 6}, "the second attempt and its children")
		w.close()
		s.nothingBeyond(before, r.partition)
	}},
	{"a success repeated after a lost reply adds its children once", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		d := w.one()
		s.NoError(w.stage(d, file, 0, tasks(file, "staged", 5)...))
		o := withStaged(success(d, tasks(scan, "inline", 5)...), staged(file, 5))
		first := w.settle(o)
		for range 3 {
			again, err := w.resettle(o)
			s.NoError(err)
			s.Equal(first, again)
		}
		s.Len(w.drain(wellDone), 10)
		r.counts(store.Counts{Succeeded: 11}, "each child ran once")
	}},
	{"a claimed child that is there already is not added", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		p, w := r.producer(), r.worker()
		parent := w.one()
		p.add(r, claimed(scan, "a", 0), claimed(scan, "b", 0))
		held := w.take(2)
		s.NoError(w.stage(parent, file, 0, claimed(file, "b", 0), claimed(file, "c", 0)))
		w.settle(withStaged(success(parent, claimed(scan, "a", 0), claimed(scan, "d", 0)), staged(file, 2)))
		s.Equal([]string{"c", "d"}, ids(w.drain(wellDone)))
		w.succeed(held...)
		r.counts(store.Counts{Succeeded: 5}, "the root, a, b, c, d")
		s.Equal(int64(2), r.record().Duplicate)
		r.status(statuses.Succeeded)
	}},
	{"children of several parents in one settlement do not mix", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "parent", 4)...)
		ds := w.take(4)
		s.NoError(w.stage(ds[0], file, 0, tasks(file, "kept", 3)...))
		s.NoError(w.stage(ds[1], file, 0, tasks(file, "dropped", 3)...))
		w.settle(
			withStaged(success(ds[0]), staged(file, 3)), withStaged(failed(ds[1]), staged(file, 3)),
			success(ds[2], tasks(file, "inline", 2)...), retried(ds[3], never),
		)
		r.counts(store.Counts{Pending: 5, Delayed: 1, Succeeded: 2, Failed: 1}, "four outcomes at once")
		s.Equal(named(append(tasks(file, "inline", 2), tasks(file, "kept", 3)...)...), ids(w.drain(wellDone)))
	}},
}

// withStaged adds to an outcome what the delivery has staged.
func withStaged(o store.Outcome, all ...store.Staged) store.Outcome {
	o.Staged = all
	return o
}

func staged(r store.Route, n int) store.Staged { return store.Staged{Route: r, Count: n} }

// stagedFanOut stages more than a batch under two routes, also with delays and claimed IDs. All
// children must come once, and none too early.
func stagedFanOut(s *scene) {
	r := s.start(store.StartParams{Job: "import"})
	w, other := r.worker(), r.worker()
	d := w.one()
	var all []store.Item
	chunk := func(route store.Route, offset int, items []store.Item) {
		s.tb.Helper()
		s.NoError(w.stage(d, route, offset, items...))
		all = append(all, items...)
		r.counts(store.Counts{Running: 1}, "staging shows nothing")
	}
	const chunks = 4
	for i := range chunks {
		chunk(file, i*bounds.MaxBatch, tasks(file, fmt.Sprintf("file/%d", i), bounds.MaxBatch))
	}
	chunk(scan, 0, tasks(scan, "scan", 100))
	chunk(scan, 100, []store.Item{
		claimed(
			scan, "mine", 0,
		), delayed(scan, "soon/0", 2*tick), claimed(scan, "yours", never), delayed(scan, "soon/1", 2*tick),
	})
	other.none("the parent has not succeeded")

	inline := append(tasks(scan, "inline", 10), delayed(scan, "soon/2", 2*tick))
	all = append(all, inline...)
	w.settle(withStaged(success(d, inline...), staged(file, chunks*bounds.MaxBatch), staged(scan, 104)))
	counts := r.record().Counts
	s.Equal(int64(len(all)+1), counts.Total, "all appear at once")
	s.Equal(int64(len(all)), counts.Pending+counts.Delayed)

	var got []store.Delivery
	s.until(r.partition, "every child ran", func() bool {
		got = append(got, other.drain(wellDone)...)
		return len(got) >= len(all)
	})
	s.Equal(named(all...), ids(got), "each child once")
	r.counts(store.Counts{Succeeded: int64(len(all) + 1)}, "every child ran")
	r.status(statuses.Succeeded)
}
