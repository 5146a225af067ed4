package storetest

import (
	"errors"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// lostChildren has cases in which steps of a fan-out do not fit together, because the store lost
// one, or a lease.
var lostChildren = []testCase{
	{"a lease that was lost takes no staged children of another", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "parent", 2)...)
		ds := w.take(2)
		s.NoError(w.stage(ds[0], file, 0, tasks(file, "first", bounds.MaxBatch)...))
		w.succeed(ds[1])
		s.ErrorIs(w.stage(ds[1], file, 0, task(file, "late")), store.ErrLeaseLost)
		s.NoError(w.stage(ds[0], file, bounds.MaxBatch, task(file, "last")))
		w.settle(withStaged(success(ds[0]), staged(file, bounds.MaxBatch+1)))
		r.counts(store.Counts{Pending: bounds.MaxBatch + 1, Succeeded: 2}, "success of the parent whose lease was held")
		s.Len(w.drain(wellDone), bounds.MaxBatch+1)
	}},
	{"a success whose staged children are not all there is refused, and its task runs again", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		d := w.one()
		s.NoError(w.stage(d, file, 0, tasks(file, "dead", 5)...))
		for _, all := range [][]store.Staged{{staged(file, 6)}, {staged(file, 4)}, {staged(file, 5), staged(scan, 1)}, {staged(scan, 5)}} {
			o := writing(
				counting(withStaged(success(d, task(scan, "dead")), all...), files(1)),
				appending(store.RunScope(r.id), "l", "no"),
			)
			reply, err := w.try(o)
			s.NoError(err)
			s.Empty(reply.Lost)
			s.Len(reply.Refused, 1, "%v", all)
			s.ErrorIs(reply.Refused[0].Err, store.ErrChildrenLost)
			again, err := w.resettle(o)
			s.NoError(err)
			s.Equal(reply, again)
			r.counts(store.Counts{Running: 1}, "a success that was refused")
			s.Empty(r.record().Counters)
			s.Empty(s.read(store.RunScope(r.id), "l", store.ValueList))
		}
		w.settle(withStaged(snoozed(d, 0), staged(file, 6)))
		d = w.one()
		s.Equal(0, d.Task.Retry)
		s.NoError(w.stage(d, file, 0, tasks(file, "live", 5)...))
		w.settle(withStaged(success(d), staged(file, 5)))
		s.Equal(named(tasks(file, "live", 5)...), ids(w.drain(wellDone)))
		r.counts(store.Counts{Succeeded: 6}, "the second attempt and its children")
		r.status(statuses.Succeeded)
	}},
	{"children that are missing refuse their own parent only, and nobody while the run stops", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "parent", 4)...)
		ds := w.take(4)
		for _, d := range ds[:3] {
			s.NoError(w.stage(d, file, 0, tasks(file, d.Task.ID, 2)...))
		}
		reply, err := w.try(
			withStaged(success(ds[0]), staged(file, 2)), withStaged(success(ds[1]), staged(file, 3)), success(ds[3]),
		)
		s.NoError(err)
		s.Len(reply.Refused, 1)
		s.Equal(1, reply.Refused[0].Index)
		r.counts(store.Counts{Pending: 2, Running: 2, Succeeded: 2}, "one of three was refused")
		r.stop(true)
		reply, err = w.try(withStaged(success(ds[1]), staged(file, 3)), withStaged(failed(ds[2]), staged(file, 9)))
		s.NoError(err)
		s.Empty(reply.Refused, "children are dropped anyway")
		r.counts(store.Counts{Succeeded: 3, Failed: 1, Cancelled: 2}, "the rest")
		r.status(statuses.Stopped)
	}},
	{"a lease that was lost is told as such, whatever it staged", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		d := w.one()
		w.settle(retried(d, 0))
		reply, err := w.try(withStaged(success(d), staged(file, 3)))
		s.NoError(err)
		s.Equal([]int{0}, reply.Lost)
		s.Empty(reply.Refused)
	}},
	{"a chunk behind a gap is refused, and so is one that overlaps what is there", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		d := w.one()
		s.ErrorIs(w.stage(d, file, 1, task(file, "gap")), store.ErrChildrenLost)
		s.NoError(
			w.stage(
				d,
				file,
				0,
				append(tasks(file, "t", 3), delayed(file, "later", never), claimed(file, "mine", 0))...),
		)
		s.ErrorIs(w.stage(d, file, 6, task(file, "gap")), store.ErrChildrenLost)
		s.ErrorIs(w.stage(d, scan, 5, task(scan, "gap")), store.ErrChildrenLost)
		for field, err := range map[string]error{
			"Offset":         errors.Join(w.stage(d, file, 4, tasks(file, "overlap", 2)...), w.stage(d, file, -1, task(file, "t"))),
			"Items[1].Route": w.stage(d, file, 5, task(file, "t"), task(scan, "t")),
			"Items":          w.stage(d, file, 5, tasks(file, "t", bounds.MaxBatch+1)...),
		} {
			var bad *store.FieldError
			s.ErrorAs(err, &bad)
			s.Equal(field, bad.Field)
		}
		held := w.held()
		s.Len(held, 1)
		s.Equal([]store.Staged{staged(file, 5)}, held[0].Staged)
		for field, all := range map[string][]store.Staged{
			"Outcomes[0].Staged[0].Count": {staged(file, -1)},
			"Outcomes[0].Staged[1].Route": {staged(file, 5), staged(file, 5)},
		} {
			_, err := w.try(withStaged(success(d), all...))
			var bad *store.FieldError
			s.ErrorAs(err, &bad)
			s.Equal(field, bad.Field)
		}
		w.settle(withStaged(success(d), staged(file, 5)))
		counts := r.record().Counts
		s.Equal(int64(5), counts.Pending+counts.Delayed, "what was staged")
	}},
	{"whatever ends an attempt removes what it staged, as far as the outcome says it", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, task(scan, "parent"))
		w.succeed(w.one())
		before := s.leftovers()
		for _, end := range []func(d store.Delivery) store.Outcome{
			func(d store.Delivery) store.Outcome { return retried(d, 0) },
			func(d store.Delivery) store.Outcome { return snoozed(d, 0) },
			func(d store.Delivery) store.Outcome { return plain(d, verdicts.Release) },
			func(d store.Delivery) store.Outcome { return plain(d, verdicts.Cancel) },
		} {
			p.add(r, task(scan, "parent"))
			d := w.one()
			s.NoError(w.stage(d, file, 0, append(tasks(file, "dead", 3), delayed(file, "later", never))...))
			s.NoError(w.stage(d, scan, 0, tasks(scan, "dead", 3)...))
			held := w.held()
			s.Len(held, 1)
			s.ElementsMatch([]store.Staged{staged(file, 4), staged(scan, 3)}, held[0].Staged)
			w.settle(withStaged(end(d), held[0].Staged...))
			w.drain(wellDone)
			s.Empty(without(s.leftovers(), before))
		}
	}},
	{"what no outcome said it staged goes with the run", func(s *scene) {
		before := s.leftovers()
		r := s.start(store.StartParams{Job: "import", Retention: brief})
		w := r.worker()
		d := w.one()
		s.NoError(w.stage(d, file, 0, append(tasks(file, "forgotten", 3), delayed(file, "later", never))...))
		w.succeed(d)
		r.counts(store.Counts{Succeeded: 1}, "a success that says nothing of children")
		r.status(statuses.Succeeded)
		w.close()
		s.nothingBeyond(before, r.partition)
	}},
}
