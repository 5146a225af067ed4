package storetest

import (
	"fmt"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var countersContract = []testCase{
	{"counters of tasks that succeed add up", countersAddUp},
	{"an attempt that does not succeed counts nothing", func(s *scene) {
		for name, end := range map[string]func(d store.Delivery) store.Outcome{
			"retry":   func(d store.Delivery) store.Outcome { return retried(d, never) },
			"snooze":  func(d store.Delivery) store.Outcome { return snoozed(d, never) },
			"release": func(d store.Delivery) store.Outcome { return plain(d, verdicts.Release) },
			"cancel":  func(d store.Delivery) store.Outcome { return plain(d, verdicts.Cancel) },
			"stop":    func(d store.Delivery) store.Outcome { return plain(d, verdicts.StopRun) },
			"failure": failed,
		} {
			r := s.open(name)
			p, w := r.producer(), r.worker()
			p.add(r, tasks(scan, "t", 2)...)
			ds := w.take(2)
			w.settle(success(ds[0]), counting(end(ds[1]), files(1)))
			of, err := s.store.Run(s.ctx, ds[1].Lease.Lane.Run) // perhaps one before, whose task was given back
			s.NoError(err)
			s.Empty(of.Counters, name)
		}
	}},
	{"a task that was retried counts once, with the attempt that succeeds", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		for range 3 {
			w.settle(counting(retried(w.one(), 0), files(7)))
		}
		w.settle(counting(success(w.one()), files(2)))
		s.Equal(files(2), r.record().Counters)
		r.status(statuses.Succeeded)
	}},
	{"a settlement repeated after a lost reply counts once", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 4)...)
		var outcomes []store.Outcome
		for _, d := range w.take(4) {
			outcomes = append(outcomes, counting(success(d), files(5)))
		}
		w.settle(outcomes...)
		for range 3 {
			_, err := w.resettle(outcomes...)
			s.NoError(err)
			s.Equal(files(20), r.record().Counters)
		}
	}},
	{"only the outcomes that hold their lease count", func(s *scene) {
		r := s.open("import")
		p, dead, w := r.producer(), r.worker(), r.worker()
		p.add(r, tasks(scan, "t", 3)...)
		late, mine := dead.one(), w.take(2)
		dead.close()
		_, err := dead.try(counting(success(late), files(100)))
		s.ErrorIs(err, store.ErrLeaseLost)
		first := counting(success(mine[0]), files(1))
		w.settle(first)
		reply, err := w.try(first, counting(success(late), files(10)), counting(success(mine[1]), files(2)))
		s.NoError(err)
		s.Equal([]int{0, 1}, reply.Lost)
		s.Equal(files(3), r.record().Counters)
		w.settle(counting(success(w.one()), files(4)))
		s.Equal(files(7), r.record().Counters, "the heir counts in place of the dead")
	}},
	{"a task that succeeds while its run is stopping counts", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 2)...)
		ds := w.take(2)
		r.stop(true)
		w.settle(counting(success(ds[0], task(file, "child")), files(3)), counting(retried(ds[1], 0), files(4)))
		r.counts(store.Counts{Succeeded: 1, Cancelled: 1}, "drained")
		s.Equal(files(3), r.record().Counters)
		r.status(statuses.Stopped)
	}},
	{"the runs of one settlement do not mix", func(s *scene) {
		name := s.name("job")
		for s.partition(name) != s.partition("import") {
			name = s.name("job")
		}
		a, b := s.start(store.StartParams{Job: "import"}), s.start(store.StartParams{Job: name})
		w := a.worker()
		var outcomes []store.Outcome
		for _, d := range w.take(2) {
			outcomes = append(outcomes, counting(success(d), map[string]int64{"of-" + d.Lease.Lane.Run.Job: 1}))
		}
		w.settle(outcomes...)
		s.Equal(map[string]int64{"of-import": 1}, a.record().Counters)
		s.Equal(map[string]int64{"of-" + name: 1}, b.record().Counters)
	}},
	{"counters and the result stay with the summary, and belong to who reads them", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PostJob: hook(postJob)})
		w := r.worker()
		w.settle(counting(success(w.one()), files(3)))
		s.Equal(files(3), r.record().Counters, "for the hook to see")
		d := w.one()
		again := retried(d, 0)
		again.Result = []byte(`"of an attempt that failed"`)
		w.settle(again)
		s.Empty(r.record().Result)
		done := hookDone(w.one(), "")
		done.Result, done.Counters = []byte(`{"files":3}`), files(9)
		w.settle(done)
		clear(done.Result)
		s.sweep(r.partition)
		for range 2 {
			rec := r.record()
			s.Equal(statuses.Succeeded, rec.Status)
			s.JSONEq(`{"files":3}`, string(rec.Result))
			s.Equal(files(3), rec.Counters, "a hook is no task")
			clear(rec.Result)
			clear(rec.Counters)
		}
	}},
	{"what no store accepts is refused by name, and nothing is applied", func(s *scene) {
		many := make(map[string]int64)
		for i := range bounds.MaxCounters + 1 {
			many[fmt.Sprintf("c%d", i)] = 1
		}
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		d := w.one()
		for field, o := range map[string]store.Outcome{
			"Outcomes[0].Counters":        counting(success(d), many),
			`Outcomes[0].Counters["a:b"]`: counting(success(d), map[string]int64{"a:b": 1}),
			`Outcomes[0].Counters[""]`:    counting(success(d), map[string]int64{"": 1}),
			`Outcomes[0].Counters["a\n"]`: counting(success(d), map[string]int64{"a\n": 1}),
			"Outcomes[0].Result":          {Lease: d.Lease, Task: d.Task, Verdict: verdicts.Success, Result: []byte(strings.Repeat("1", bounds.MaxResultLen+1))},
		} {
			_, err := w.try(o)
			w.settles-- // the number is free
			s.refuses(err, field)
		}
		r.counts(store.Counts{Running: 1}, "all was refused")
		delete(many, "c0")
		w.settle(counting(success(d), many))
		s.Equal(many, r.record().Counters, "as many as one outcome may have")
	}},
}

// refuses requires a typed error about the field.
func (s *scene) refuses(err error, field string) {
	s.tb.Helper()
	var bad *store.FieldError
	s.ErrorAs(err, &bad)
	s.Equal(field, bad.Field)
}

// files is one counter.
func files(n int64) map[string]int64 { return map[string]int64{"files": n} }

// countersAddUp settles numbers of every size, some with children, some in one call and some not.
func countersAddUp(s *scene) {
	r := s.open("import")
	p, w := r.producer(), r.worker()
	numbers := []int64{
		0,
		1,
		-1,
		1 << 40,
		-(1 << 41),
		999_999_999_999,
		9_999_999_999_999,
		1<<53 + 1,
		-(1 << 53),
		1<<60 + 1,
		-(1 << 60),
		-(1 << 61),
	}
	p.add(r, tasks(scan, "t", 2*len(numbers))...)
	var sum int64
	var outcomes []store.Outcome
	for i, d := range w.take(2 * len(numbers)) {
		n := numbers[i%len(numbers)]
		sum += n
		o := counting(success(d), map[string]int64{"bytes": n, "files": 1})
		switch i % 4 {
		case 1:
			o.Children = tasks(file, fmt.Sprintf("child/%d", i), 2)
		case 2:
			s.NoError(w.stage(d, file, 0, tasks(file, fmt.Sprintf("staged/%d", i), 3)...))
			o.Staged = []store.Staged{staged(file, 3)}
		case 3:
			o.Counters["deleted"] = -1
		}
		if outcomes = append(outcomes, o); len(outcomes) == 5 || i < 5 {
			w.settle(outcomes...)
			outcomes = nil
		}
	}
	w.settle(outcomes...)
	s.Equal(
		map[string]int64{"bytes": sum, "files": int64(2 * len(numbers)), "deleted": -int64(len(numbers) / 2)},
		r.record().Counters,
	)
	s.Equal(r.record().Counters, r.inspect().Run.Counters)
	all := w.drain(wellDone)
	r.counts(store.Counts{Succeeded: int64(2*len(numbers) + len(all))}, "everything ran")
	s.Equal(int64(2*len(numbers)), r.record().Counters["files"], "children that count nothing change nothing")
}
