package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// results reads all pages.
func (s *scene) results(p store.ResultsParams) (all []store.TaskResult) {
	s.tb.Helper()
	for range 10_000 {
		page, err := s.store.Results(s.ctx, p)
		s.NoError(err)
		s.LessOrEqual(len(page.Results), p.Limit)
		all = append(all, page.Results...)
		if p.After = page.Next; p.After == "" {
			return all
		}
	}
	s.Fail("the pages do not end")
	return nil
}

// results lists what is kept as "ID=data", in its order.
func (r *run) results() []string {
	r.s.tb.Helper()
	all := []string{}
	for _, set := range r.s.results(store.ResultsParams{Run: r.id, Limit: bounds.MaxPage}) {
		all = append(all, set.ID+"="+string(set.Data))
	}
	return all
}

// bringing returns the outcome with a result, which is kept as long as the run.
func bringing(o store.Outcome, data string) store.Outcome {
	o.Result = []byte(data)
	return o
}

// keeping returns the outcome with a retention of its result.
func keeping(o store.Outcome, age time.Duration, number int) store.Outcome {
	o.Keep = store.ResultRetention{Age: age, Number: number}
	return o
}

var resultsContract = []testCase{
	{"a success keeps its result, which can be read by its ID, and with all others", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, append(tasks(scan, "s", 2), tasks(file, "f", 2)...)...)
		w.drain(func(d store.Delivery) store.Outcome { return bringing(success(d), `"of `+d.Task.ID+` \n"`) })
		all := s.results(store.ResultsParams{Run: r.id, Limit: 10})
		s.Len(all, 4)
		for i, set := range all {
			s.Equal(`"of `+set.ID+` \n"`, string(set.Data))
			s.False(set.At.IsZero())
			one := s.results(store.ResultsParams{Run: r.id, ID: set.ID, Limit: 1})
			s.Equal([]store.TaskResult{set}, one)
			rest := s.results(store.ResultsParams{Run: r.id, After: set.Cursor(), Limit: 1})
			s.Len(rest, len(all)-i-1, "behind %s", set.Cursor())
		}
		s.Equal([]string{"file", "file", "scan", "scan"}, []string{all[0].Kind, all[1].Kind, all[2].Kind, all[3].Kind})
		s.Len(s.results(store.ResultsParams{Run: r.id, Kind: scan.Kind, Limit: 1}), 2)
		s.Empty(s.results(store.ResultsParams{Run: r.id, Kind: "other", Limit: 1}))
		s.Empty(s.results(store.ResultsParams{Run: r.id, ID: "other", Limit: 1}))
		s.Empty(s.results(store.ResultsParams{Run: r.id, ID: all[0].ID, Kind: scan.Kind, Limit: 1}))
	}},
	{"an attempt that does not succeed keeps no result", func(s *scene) {
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
			w.settle(success(ds[0]), bringing(end(ds[1]), "1"))
			of := ds[1].Lease.Lane.Run // perhaps one before, whose task was given back
			s.Empty(s.results(store.ResultsParams{Run: of, Limit: 1}), name)
		}
	}},
	{"only the attempt that holds the lease sets the result, once", func(s *scene) {
		r := s.open("import")
		p, dead, w := r.producer(), r.worker(), r.worker()
		p.add(r, task(scan, "t"))
		late := dead.one()
		dead.close()
		_, err := dead.try(bringing(success(late), `"of the dead"`))
		s.ErrorIs(err, store.ErrLeaseLost)
		mine := w.one()
		reply, err := w.try(bringing(success(late), `"late"`))
		s.NoError(err)
		s.Equal([]int{0}, reply.Lost)
		s.Empty(r.results())
		o := bringing(success(mine), `"of the heir"`)
		w.settle(o)
		for range 2 {
			_, err := w.resettle(o)
			s.NoError(err)
		}
		again, err := w.try(bringing(o, `"again"`))
		s.NoError(err)
		s.Equal([]int{0}, again.Lost)
		s.Equal([]string{`t="of the heir"`}, r.results())
	}},
	{"a later result of the same ID replaces the one before", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		for i, route := range []store.Route{scan, scan, file, scan} {
			p.add(r, task(route, "other"), task(route, "same"))
			w.drain(func(d store.Delivery) store.Outcome { return bringing(success(d), fmt.Sprint(i)) })
			s.ElementsMatch([]string{fmt.Sprint("other=", i), fmt.Sprint("same=", i)}, r.results())
		}
	}},
	{"a task that succeeds while its run is stopping has its result, which stays after the end", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 2)...)
		ds := w.take(2)
		r.stop(true)
		w.settle(bringing(success(ds[0]), "1"), bringing(retried(ds[1], 0), "2"))
		r.status(statuses.Stopped)
		want := []string{ds[0].Task.ID + "=1"}
		s.Equal(want, r.results())
		for range 3 {
			s.h.Advance(s.tb, tick)
			s.sweep(r.partition)
		}
		s.Equal(want, r.results(), "a purge leaves it")
	}},
	{"the success of a task that was to be cancelled has its result", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, task(scan, "t"))
		d := w.one()
		_, err := s.store.ChangeTask(s.ctx, store.ChangeTaskParams{Run: r.id, ID: "t", Cancel: true})
		s.NoError(err)
		w.settle(bringing(success(d), "1"))
		s.Equal([]string{"t=1"}, r.results())
	}},
	{"a result comes with children, counters and writes, or not at all", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, task(scan, "t"))
		d := w.one()
		o := bringing(counting(success(d, task(file, "child")), files(1)), "1")
		o.Staged = []store.Staged{staged(file, 1)} // which is not there
		reply, err := w.try(o)
		s.NoError(err)
		s.Len(reply.Refused, 1)
		s.Empty(r.results())
		o.Staged = nil
		w.settle(o)
		s.Equal([]string{"t=1"}, r.results())
		s.Equal(files(1), r.record().Counters)
	}},
	{"the newest results of a kind are kept, as many as its retention says", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		for i := range 5 {
			p.add(r, task(scan, fmt.Sprint("s", i)), task(file, fmt.Sprint("f", i)))
			w.drain(func(d store.Delivery) store.Outcome {
				o := bringing(success(d), "1")
				if d.Lease.Lane.Route == scan {
					o = keeping(o, 0, 2)
				}
				return o
			})
		}
		s.Equal([]string{"f0=1", "f1=1", "f2=1", "f3=1", "f4=1", "s3=1", "s4=1"}, r.results())
		p.add(r, task(file, "f5"))
		w.settle(keeping(bringing(success(w.one()), "1"), 0, 1))
		s.Equal([]string{"f5=1", "s3=1", "s4=1"}, r.results(), "the last retention holds")
	}},
	{"a result is not read when it is older than its retention says, and leaves nothing", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, task(scan, "t"))
		w.succeed(w.one())
		before := s.leftovers()
		p.add(r, tasks(scan, "s", 2)...)
		ds := w.take(2)
		w.settle(keeping(bringing(success(ds[0]), "1"), brief, 0), keeping(bringing(success(ds[1]), "2"), 2*brief, 0))
		s.Len(r.results(), 2)
		s.until(r.partition, "the first one is gone", func() bool {
			all := r.results()
			return len(all) < 2 && len(s.results(store.ResultsParams{Run: r.id, ID: ds[0].Task.ID, Limit: 1})) == 0
		})
		s.until(r.partition, "the second one is gone", func() bool { return len(r.results()) == 0 })
		s.until(r.partition, "nothing is left", func() bool { return len(without(s.leftovers(), before)) == 0 })
		p.add(r, task(scan, "u"))
		w.settle(bringing(success(w.one()), "3"))
		for range 10 {
			s.h.Advance(s.tb, tick)
			s.sweep(r.partition)
		}
		s.Equal([]string{"u=3"}, r.results(), "without an age it stays")
	}},
	{"results of a run take at most MaxResults, and the oldest go first", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		large := strings.Repeat("x", bounds.MaxResultLen)
		room := bounds.MaxResults / (bounds.MaxResultLen + bounds.ResultCost + len("t-000"))
		all := make([]store.Item, room+10)
		for i := range all {
			route := scan
			if i%3 == 0 {
				route = file
			}
			all[i] = task(route, fmt.Sprintf("t-%03d", i))
			p.add(r, all[i])
		}
		for n := 0; n < len(all); n += 20 {
			var outcomes []store.Outcome
			for _, d := range w.take(min(20, len(all)-n)) {
				outcomes = append(outcomes, bringing(success(d), large))
			}
			w.settle(outcomes...)
		}
		sizes := func() (n int) {
			for _, set := range s.results(store.ResultsParams{Run: r.id, Limit: bounds.MaxPage}) {
				n += set.Size()
			}
			return n
		}
		one := len(large) + bounds.ResultCost + len("t-000")
		s.Equal(room*one, sizes())
		page, err := s.store.Results(s.ctx, store.ResultsParams{Run: r.id, Limit: bounds.MaxPage})
		s.NoError(err)
		s.Less(len(page.Results), 20, "a page has about PageBytes")
		p.add(r, task(scan, "t-small"))
		w.settle(bringing(success(w.one()), "1"))
		small := bounds.ResultCost + len("t-small") + len("1")
		s.Equal(room*one+small, sizes(), "there was room for it")
		p.add(r, task(scan, "t-999"))
		w.settle(bringing(success(w.one()), large))
		s.Equal(room*one+small, sizes(), "the oldest went for it")
		s.Len(s.results(store.ResultsParams{Run: r.id, ID: "t-999", Limit: 1}), 1)
	}},
	{"results are removed with the summary of their run", func(s *scene) {
		partition := s.partition("import")
		p, w := s.producer(partition), s.worker(partition, steady)
		for _, deleted := range []bool{true, false} {
			before := s.leftovers()
			r := s.start(store.StartParams{Job: "import", Open: true, Retention: brief})
			p.add(r, append(tasks(scan, "t", 10), claimed(scan, "c", 0))...)
			w.drain(func(d store.Delivery) store.Outcome {
				return keeping(bringing(success(d), string(bytes.Repeat([]byte("1"), 100))), never, 0)
			})
			s.Len(r.results(), 11)
			r.stop(false)
			if deleted {
				s.NoError(s.store.DeleteRun(s.ctx, r.id))
			}
			gone(s, r)
			_, err := s.store.Results(s.ctx, store.ResultsParams{Run: r.id, Limit: 1})
			s.ErrorIs(err, store.ErrRunNotFound)
			s.nothingBeyond(before, partition)
		}
	}},
	{"results of a run that is not there are not found", func(s *scene) {
		r := s.open("import")
		for _, id := range []store.RunID{{Job: "nobody", Number: 1}, {Job: r.id.Job, Number: r.id.Number + 1}} {
			_, err := s.store.Results(s.ctx, store.ResultsParams{Run: id, Limit: 1})
			s.ErrorIs(err, store.ErrRunNotFound)
		}
	}},
}
