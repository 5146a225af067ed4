package storetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// appending is a write of one item to a list.
func appending(scope store.ValueScope, name, item string) store.Write {
	return store.Write{
		Scope: scope,
		Name:  name,
		Type:  store.ValueList,
		Op:    store.WriteAppend,
		Data:  []store.Datum{{Bytes: []byte(item)}},
	}
}

// putting is a write of one field of a map; without a value, its removal.
func putting(scope store.ValueScope, name, field, value string) store.Write {
	w := store.Write{
		Scope: scope,
		Name:  name,
		Type:  store.ValueMap,
		Op:    store.WriteSet,
		Data:  []store.Datum{{Field: field, Bytes: []byte(value)}},
	}
	if value == "" {
		w.Op, w.Data[0].Bytes = store.WriteRemove, nil
	}
	return w
}

// writing adds writes to an outcome.
func writing(o store.Outcome, writes ...store.Write) store.Outcome {
	o.Writes = append(o.Writes, writes...)
	return o
}

// read returns all items of a list, or "field=value" of a map, sorted.
func (s *scene) read(scope store.ValueScope, name string, typ store.ValueType) []string {
	s.tb.Helper()
	reply, err := s.store.ReadValue(s.ctx, store.ReadParams{Scope: scope, Name: name, Type: typ, Limit: bounds.MaxData})
	s.NoError(err)
	var all []string
	for _, d := range reply.Data {
		if typ == store.ValueMap {
			all = append(all, d.Field+"="+string(d.Bytes))
		} else {
			all = append(all, string(d.Bytes))
		}
	}
	if typ == store.ValueMap {
		slices.Sort(all)
	}
	return all
}

var writesContract = []testCase{
	{"what tasks that succeed write is there, of the run and of the job", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 6)...)
		run, job := store.RunScope(r.id), store.JobScope("import")
		ds := w.take(6)
		w.settle(
			writing(
				counting(success(ds[0], task(file, "child")), files(1)), appending(run, "l", "1"), putting(job, "m", "a", "1"),
				putting(job, "m", "b", "2"),
			),
			success(ds[1]),
			writing(
				success(ds[2]), appending(run, "l", "2"), appending(job, "l", "3"), putting(job, "m", "a", ""),
				putting(run, "m", "none", ""),
			),
			counting(success(ds[3]), files(2)),
		)
		s.NoError(w.stage(ds[4], file, 0, tasks(file, "staged", 3)...))
		parent := withStaged(writing(success(ds[4]), appending(run, "l", "4")), staged(file, 3))
		w.settle(parent, writing(success(ds[5]), putting(job, "m", "b", "5")))
		s.Equal([]string{"1", "2", "4"}, s.read(run, "l", store.ValueList))
		s.Equal([]string{"3"}, s.read(job, "l", store.ValueList))
		s.Equal([]string{"b=5"}, s.read(job, "m", store.ValueMap))
		s.Empty(s.read(run, "m", store.ValueMap))
		s.Equal(files(3), r.record().Counters)
		r.counts(store.Counts{Pending: 4, Succeeded: 6}, "one child, three staged")
	}},
	{"an attempt that does not succeed writes nothing, and one that was retried writes once", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w, run := r.worker(), store.RunScope(r.id)
		for _, end := range []func(d store.Delivery) store.Outcome{
			func(d store.Delivery) store.Outcome { return retried(d, 0) },
			func(d store.Delivery) store.Outcome { return snoozed(d, 0) },
			func(d store.Delivery) store.Outcome { return plain(d, verdicts.Release) },
		} {
			w.settle(writing(end(w.one()), appending(run, "l", "no")))
		}
		w.settle(writing(success(w.one()), appending(run, "l", "yes")))
		s.Equal([]string{"yes"}, s.read(run, "l", store.ValueList))
		for _, end := range []func(d store.Delivery) store.Outcome{
			failed,
			func(d store.Delivery) store.Outcome { return plain(d, verdicts.Cancel) },
			func(d store.Delivery) store.Outcome { return plain(d, verdicts.StopRun) },
		} {
			r := s.start(store.StartParams{Job: s.name("job")})
			w := r.worker()
			w.settle(writing(end(w.one()), appending(store.RunScope(r.id), "l", "no")))
			s.Empty(s.read(store.RunScope(r.id), "l", store.ValueList))
		}
	}},
	{"a settlement repeated after a lost reply writes once", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 4)...)
		var outcomes []store.Outcome
		for i, d := range w.take(4) {
			outcomes = append(outcomes, writing(success(d), appending(store.RunScope(r.id), "l", fmt.Sprint(i))))
		}
		w.settle(outcomes...)
		for range 3 {
			_, err := w.resettle(outcomes...)
			s.NoError(err)
			s.Equal([]string{"0", "1", "2", "3"}, s.read(store.RunScope(r.id), "l", store.ValueList))
		}
	}},
	{"only the outcomes that hold their lease write", func(s *scene) {
		r := s.open("import")
		p, dead, w := r.producer(), r.worker(), r.worker()
		p.add(r, tasks(scan, "t", 2)...)
		run := store.RunScope(r.id)
		late, mine := dead.one(), w.one()
		dead.close()
		_, err := dead.try(writing(success(late), appending(run, "l", "dead")))
		s.ErrorIs(err, store.ErrLeaseLost)
		reply, err := w.try(
			writing(success(late), appending(run, "l", "late")), writing(success(mine), appending(run, "l", "mine")),
		)
		s.NoError(err)
		s.Equal([]int{0}, reply.Lost)
		w.settle(writing(success(w.one()), appending(run, "l", "heir")))
		s.Equal([]string{"mine", "heir"}, s.read(run, "l", store.ValueList))
	}},
	{"a task that succeeds while its run is stopping writes", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, task(scan, "t"))
		d := w.one()
		r.stop(true)
		w.settle(writing(success(d, task(file, "child")), appending(store.RunScope(r.id), "l", "1")))
		r.status(statuses.Stopped)
		s.Equal([]string{"1"}, s.read(store.RunScope(r.id), "l", store.ValueList))
	}},
	{"an outcome with a write that cannot be applied is refused as a whole, and its lease stays", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 3)...)
		run, job := store.RunScope(r.id), store.JobScope("import")
		s.NoError(values.NewCounter(s.client(), job, "m").Set(s.ctx, 7))
		ds := w.take(3)
		bad := writing(
			counting(success(ds[1], task(file, "child")), files(5)), appending(run, "l", "no"), putting(job, "m", "f", "1"),
		)
		outcomes := []store.Outcome{writing(success(ds[0]), appending(run, "l", "yes")), bad, success(ds[2])}
		for again := range 3 {
			settle := w.try
			if again > 0 {
				settle = w.resettle
			}
			reply, err := settle(outcomes...)
			s.NoError(err)
			s.Empty(reply.Lost)
			s.Len(reply.Refused, 1)
			s.Equal(1, reply.Refused[0].Index)
			var typ *store.TypeError
			s.ErrorAs(reply.Refused[0].Err, &typ)
			s.Equal(store.TypeError{Scope: job, Name: "m", Want: store.ValueMap, Have: store.ValueCounter}, *typ)
			s.Equal([]string{"yes"}, s.read(run, "l", store.ValueList))
			s.Empty(r.record().Counters)
			r.counts(store.Counts{Running: 1, Succeeded: 2}, "the refused one still runs")
		}
		w.settle(failed(ds[1]))
		r.counts(store.Counts{Succeeded: 2, Failed: 1}, "it failed instead")
	}},
	{"writes that no store accepts are refused by name, and nothing is applied", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w, run := r.worker(), store.RunScope(r.id)
		d := w.one()
		other := store.RunScope(store.RunID{Job: "import", Number: r.id.Number + 1})
		large := strings.Repeat("x", bounds.MaxOutcomeWriteLen/2+1)
		many := appending(run, "l", "1")
		many.Data = make([]store.Datum, bounds.MaxData)
		set := store.Write{Scope: run, Name: "v", Type: store.ValueJSON, Op: store.WriteSet, Data: []store.Datum{{}}}
		for _, c := range []struct {
			field  string
			writes []store.Write
		}{
			{"Outcomes[0].Writes[0].Name", []store.Write{appending(run, "a/b", "1")}},
			{"Outcomes[0].Writes[0].Scope", []store.Write{appending(other, "l", "1")}},
			{"Outcomes[0].Writes[0].Op", []store.Write{set}},
			{"Outcomes[0].Writes[1].Name", []store.Write{appending(run, "l", "1"), putting(run, "l", "f", "1")}},
			{"Outcomes[0].Writes", []store.Write{appending(run, "l", large), appending(run, "l", large)}},
			{"Outcomes[0].Writes", []store.Write{many, appending(run, "l", "1")}},
		} {
			_, err := w.try(writing(success(d), c.writes...))
			w.settles-- // the number is free
			s.refuses(err, c.field)
		}
		r.counts(store.Counts{Running: 1}, "all was refused")
		w.settle(writing(success(d), many))
		s.Len(s.read(run, "l", store.ValueList), bounds.MaxData)
	}},
	{"the post-job hook finds what was written", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PostJob: hook(postJob)})
		w, run := r.worker(), store.RunScope(r.id)
		w.settle(writing(success(w.one()), appending(run, "l", "1")))
		d := w.one()
		s.Equal([]string{"1"}, s.read(run, "l", store.ValueList))
		w.settle(writing(hookDone(d, ""), appending(run, "l", "a hook is no task")))
		s.sweep(r.partition)
		s.Equal([]string{"1"}, s.read(run, "l", store.ValueList), "as long as the summary is kept")
	}},
}
