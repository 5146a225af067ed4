package storetest

import (
	"github.com/rollcall-go/rollcall/store"

	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// check is a second kind in the queue of scan.
var check = store.Route{Queue: scan.Queue, Set: scan.Set, Kind: "check"}

// scope covers the kinds of routes of one set.
func scope(routes ...store.Route) store.Scope {
	s := store.Scope{Set: routes[0].Set}
	for _, r := range routes {
		s.Kinds = append(s.Kinds, r.Kind)
	}
	return s
}

// bounded is a worker that fetches scan and check from one queue, and file from another.
func (r *run) bounded() *worker {
	r.s.tb.Helper()
	w := r.worker()
	w.queues = []store.FetchQueue{
		{Queue: scan.Queue, Routes: []store.Route{preJob, postJob, scan, check}},
		{Queue: file.Queue, Routes: []store.Route{file}},
	}
	return w
}

// reconsider tells the store that limits of runs have changed.
func (w *worker) reconsider() {
	w.s.tb.Helper()
	var routes []store.Route
	for _, q := range w.params(1).Queues {
		routes = append(routes, q.Routes...)
	}
	w.s.NoError(w.s.store.Reconsider(w.s.ctx, w.session.Partition, routes))
}

// within fetches until the bounds allow no more. It returns the deliveries by kind, and the budgets
// that were used up at last. Deliveries reduce the budgets.
func (w *worker) within(
	budgets []store.Budget, perRun ...store.RunLimit,
) (byKind map[string][]store.Delivery, short []int) {
	w.s.tb.Helper()
	byKind = make(map[string][]store.Delivery)
	for idle := 0; idle < 3; idle++ {
		w.s.promote(w.session.Partition)
		w.fetches++
		p := w.params(bounds.MaxBatch)
		p.Budgets, p.PerRun = budgets, perRun
		reply, err := w.s.store.Fetch(w.s.ctx, p)
		w.s.NoError(err)
		short = reply.Short
		for _, d := range reply.Deliveries {
			idle = 0
			route := d.Lease.Lane.Route
			byKind[route.Kind] = append(byKind[route.Kind], d)
			for i := range budgets {
				if budgets[i].Scope.Covers(route) {
					budgets[i].Left--
					w.s.GreaterOrEqual(budgets[i].Left, 0, "no budget is overdrawn")
				}
			}
		}
	}
	return byKind, short
}

var boundsContract = []testCase{
	{"a budget bounds what is delivered of its scope, and holds up nothing else", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.bounded()
		p.add(r, append(tasks(scan, "scan", 40), append(tasks(check, "check", 40), tasks(file, "file", 40)...)...)...)
		got, short := w.within([]store.Budget{{Scope: scope(scan), Left: 3}})
		s.Len(got[scan.Kind], 3)
		s.Len(got[check.Kind], 40)
		s.Len(got[file.Kind], 40)
		s.Equal([]int{0}, short, "more scans wait")
		s.EqualValues(37, r.record().Counts.Pending, "what is over a budget waits")
		w.succeed(got[scan.Kind]...)
		got, _ = w.within([]store.Budget{{Scope: scope(scan), Left: 5}})
		s.Len(got[scan.Kind], 5, "it is delivered as soon as the budget allows")
	}},
	{"of several budgets each holds, over the queues", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.bounded()
		p.add(r, append(tasks(scan, "scan", 40), tasks(file, "file", 40)...)...)
		got, short := w.within(
			[]store.Budget{
				{Scope: scope(scan, check, file), Left: 9},
				{Scope: scope(file), Left: 2},
				{Scope: scope(scan), Left: 6},
			},
		)
		s.Len(got[scan.Kind], 6)
		s.Len(got[file.Kind], 2)
		s.Equal([]int{1, 2}, short)
		got, short = w.within(
			[]store.Budget{
				{Scope: scope(file, check, scan), Left: 9},
				{Scope: scope(scan), Left: 100},
				{Scope: scope(file), Left: 100},
			},
		)
		s.Len(got[scan.Kind], 9)
		s.Equal([]int{0}, short)
	}},
	{"a budget without more to give is not short while nothing waits", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.bounded()
		p.add(r, tasks(scan, "scan", 3)...)
		got, short := w.within([]store.Budget{{Scope: scope(scan), Left: 3}, {Scope: scope(file), Left: 0}})
		s.Len(got[scan.Kind], 3)
		s.Empty(short)
		p.add(r, tasks(scan, "more", 1)...)
		_, short = w.within([]store.Budget{{Scope: scope(scan), Left: 0}, {Scope: scope(file), Left: 0}})
		s.Equal([]int{0}, short)
	}},
	{"a budget whose time has passed gives nothing", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.bounded()
		p.add(r, tasks(scan, "scan", 3)...)
		now := s.now(w)
		got, short := w.within([]store.Budget{{Scope: scope(scan), Left: 3, Until: now}})
		s.Empty(got)
		s.Equal([]int{0}, short)
		got, _ = w.within([]store.Budget{{Scope: scope(scan), Left: 3, Until: now.Add(never)}})
		s.Len(got[scan.Kind], 3)
	}},
	{"a budget is shared by the runs, in turns, however many wait", func(s *scene) {
		sh := newSharing(s)
		var runs []*run
		for range 40 {
			runs = append(runs, sh.run(s.name("job"), 1, 2))
		}
		w := runs[0].bounded()
		served := make(map[store.RunID]int)
		for range 2 * len(runs) {
			got, _ := w.within([]store.Budget{{Scope: scope(scan), Left: 1}})
			s.Len(got[scan.Kind], 1)
			served[got[scan.Kind][0].Lease.Lane.Run]++
			w.succeed(got[scan.Kind]...)
			if len(served) < len(runs) {
				s.LessOrEqual(served[got[scan.Kind][0].Lease.Lane.Run], 2)
			}
		}
		s.Len(served, len(runs))
	}},
	{"recovered tasks are charged to budgets, hooks are not", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PreJob: hook(preJob)})
		w := r.bounded()
		got, _ := w.within(
			[]store.Budget{{Scope: store.Scope{Set: scan.Set, Kinds: []string{scan.Kind, store.KindPreJob}}}},
		)
		s.Len(got[store.KindPreJob], 1, "a hook is never covered")
		w.settle(plain(got[store.KindPreJob][0], verdicts.Begin))
		w.one()
		w.close()
		w = r.bounded()
		got, short := w.within([]store.Budget{{Scope: scope(scan), Left: 0}})
		s.Empty(got)
		s.Equal([]int{0}, short)
		got, _ = w.within([]store.Budget{{Scope: scope(scan), Left: 1}})
		s.Len(got[scan.Kind], 1)
		s.True(got[scan.Kind][0].Task.Recovered)
	}},
	{"a limit per run counts what all sessions have leased of it, and holds up no other run", func(s *scene) {
		sh := newSharing(s)
		a, b := sh.run("a", 1, 40), sh.run("b", 1, 40)
		sh.p.add(a, tasks(check, "check", 40)...)
		limits := []store.RunLimit{{Scope: scope(scan), Max: 3}, {Scope: scope(scan, check, file), Max: 5}}
		one, other := a.bounded(), a.bounded()
		got, short := one.within(nil, limits...)
		s.Empty(short, "only budgets are short")
		var ofA, ofB []store.Delivery
		for _, d := range append(got[scan.Kind], got[check.Kind]...) {
			s.True(d.Lease.Tallied)
			if d.Lease.Lane.Run == a.id {
				ofA = append(ofA, d)
			} else {
				ofB = append(ofB, d)
			}
		}
		s.Len(ofA, 5)
		s.Len(ofB, 3)
		got, _ = other.within(nil, limits...)
		s.Empty(got, "every run has all that it may have")
		one.succeed(ofB[0])
		got, _ = other.within(nil, limits...)
		s.Len(got[scan.Kind], 1)
		s.Equal(b.id, got[scan.Kind][0].Lease.Lane.Run)
		other.reconsider()
		got, _ = other.within(nil)
		s.Len(append(got[scan.Kind], got[check.Kind]...), 120-5-4, "who names no limit has none")
	}},
	{"a run that stood aside goes on when it is reconsidered, and that is signalled", func(s *scene) {
		for name, next := range map[string][]store.RunLimit{"none": nil, "raised": {{Scope: scope(scan), Max: 9}}} {
			r := s.open("import/" + name)
			r.producer().add(r, append(tasks(scan, "scan", 9), tasks(file, "file", 9)...)...)
			w := r.bounded()
			limit := store.RunLimit{Scope: scope(scan, file), Max: 1}
			got, _ := w.within(nil, limit)
			s.Len(append(got[scan.Kind], got[file.Kind]...), 1)
			w.reconsider()
			again, _ := w.within(nil, limit)
			s.Empty(again, "the limit is what it was")
			l := s.listen()
			w.reconsider()
			l.hearsOfWork(r.partition, scan.Queue, file.Queue)
			l.stop()
			rest, _ := w.within(nil, next...)
			s.Equal(18, len(got[scan.Kind])+len(got[file.Kind])+len(rest[scan.Kind])+len(rest[file.Kind]), name)
			w.close()
			r.stop(false)
		}
	}},
	{"a run that stands aside counts as waiting, and can be paused, resumed and stopped", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, tasks(scan, "scan", 3)...)
		w, limit := r.bounded(), store.RunLimit{Scope: scope(scan), Max: 1}
		got, _ := w.within(nil, limit)
		stats, err := s.store.QueueStats(s.ctx, r.partition)
		s.NoError(err)
		s.Len(stats, 1)
		s.EqualValues(2, stats[0].Waiting)
		s.EqualValues(1, stats[0].Runs)
		r.pause(true)
		w.succeed(got[scan.Kind]...)
		none, _ := w.within(nil, limit)
		s.Empty(none, "it is paused")
		r.pause(false)
		got, _ = w.within(nil, limit)
		s.Len(got[scan.Kind], 1)
		r.stop(true)
		w.succeed(got[scan.Kind]...)
		r.status(statuses.Stopped)
	}},
	{"a limit per run lets more start however a task ends, and signals it", func(s *scene) {
		limit := store.RunLimit{Scope: scope(scan), Max: 2}
		for name, end := range map[string]func(w *worker, ds []store.Delivery){
			"success":  func(w *worker, ds []store.Delivery) { w.succeed(ds...) },
			"children": func(w *worker, ds []store.Delivery) { w.settle(success(ds[0], task(file, "child")), success(ds[1])) },
			"failure":  func(w *worker, ds []store.Delivery) { w.settle(failed(ds[0]), failed(ds[1])) },
			"retry":    func(w *worker, ds []store.Delivery) { w.settle(retried(ds[0], never), retried(ds[1], never)) },
			"release": func(w *worker, ds []store.Delivery) {
				w.settle(plain(ds[0], verdicts.Release), plain(ds[1], verdicts.Release))
			},
			"close": func(w *worker, _ []store.Delivery) { w.close() },
		} {
			r := s.open("import/" + name)
			r.producer().add(r, tasks(scan, "scan", 9)...)
			w, other := r.bounded(), r.bounded()
			got, _ := w.within(nil, limit)
			s.Len(got[scan.Kind], 2)
			none, _ := other.within(nil, limit)
			s.Empty(none)
			l := s.listen()
			end(w, got[scan.Kind])
			l.hears("that more may start", func(sig store.Signal) bool {
				return sig.Type == signals.Work && sig.Queue == scan.Queue && sig.Partition == r.partition
			})
			l.stop()
			got, _ = other.within(nil, limit)
			s.Len(got[scan.Kind], 2, name)
		}
	}},
	{"a repeated fetch delivers the same leases", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, tasks(scan, "scan", 9)...)
		w := r.bounded()
		w.fetches++
		p := w.params(4)
		p.Budgets = []store.Budget{{Scope: scope(scan), Left: 3}}
		p.PerRun = []store.RunLimit{{Scope: scope(scan), Max: 8}}
		first, err := s.store.Fetch(s.ctx, p)
		s.NoError(err)
		s.Len(first.Deliveries, 3)
		again, err := s.store.Fetch(s.ctx, p)
		s.NoError(err)
		s.ElementsMatch(first.Deliveries, again.Deliveries)
		s.ElementsMatch(first.Deliveries, w.held())
		w.succeed(again.Deliveries...)
	}},
}
