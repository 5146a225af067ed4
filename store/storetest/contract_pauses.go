package storetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// report is a route of another set than the others.
var report = store.Route{Queue: file.Queue, Set: "ops", Kind: scan.Kind}

// pausedRoutes says of each scope which of the routes scan, check, file and report are in it.
var pausedRoutes = []struct {
	scope store.PauseScope
	holds []store.Route
}{
	{store.PauseScope{Queue: "path"}, []store.Route{scan, check}},
	{store.PauseScope{Queue: "file"}, []store.Route{file, report}},
	{store.PauseScope{Set: "ingest"}, []store.Route{scan, check, file}},
	{store.PauseScope{Set: "ops"}, []store.Route{report}},
	{store.PauseScope{Kind: "scan"}, []store.Route{scan, report}},
	{store.PauseScope{Kind: "file"}, []store.Route{file}},
	{store.PauseScope{Queue: "path", Set: "ingest"}, []store.Route{scan, check}},
	{store.PauseScope{Queue: "file", Set: "ingest"}, []store.Route{file}},
	{store.PauseScope{Queue: "file", Kind: "scan"}, []store.Route{report}},
	{store.PauseScope{Set: "ingest", Kind: "scan"}, []store.Route{scan}},
	{store.PauseScope{Queue: "path", Set: "ingest", Kind: "check"}, []store.Route{check}},
	{store.PauseScope{Queue: "path", Set: "ops"}, nil},
	{store.PauseScope{Queue: "pat"}, nil},
	{store.PauseScope{Kind: "sca"}, nil},
	{store.PauseScope{Set: "path"}, nil},
}

var pausesContract = []testCase{
	{"each scope holds back the tasks of its routes, and no others", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		routes := []store.Route{scan, check, file, report}
		w.queues = []store.FetchQueue{
			{Queue: "path", Routes: []store.Route{scan, check}}, {Queue: "file", Routes: []store.Route{file, report}},
		}
		for _, c := range pausedRoutes {
			for _, route := range routes {
				p.add(r, task(route, s.name("task")))
			}
			s.pause(r.partition, c.scope, "because")
			got := w.take(len(routes) - len(c.holds))
			for _, d := range got {
				s.NotContains(c.holds, d.Lease.Lane.Route, "%s is paused", c.scope)
			}
			w.succeed(got...)
			w.none(c.scope.String() + " is paused")
			s.EqualValues(len(c.holds), r.record().Counts.Pending)
			s.NoError(s.store.Resume(s.ctx, r.partition, c.scope))
			w.succeed(w.take(len(c.holds))...)
		}
	}},
	{"hooks belong to their queue and their set", func(s *scene) {
		for i, scope := range []store.PauseScope{{Queue: scan.Queue}, {Set: scan.Set}} {
			r := s.start(store.StartParams{Job: fmt.Sprint("hooks", i), PreJob: hook(preJob), PostJob: hook(postJob)})
			w := r.worker()
			for _, verdict := range []verdicts.Verdict{verdicts.Begin, verdicts.Success, verdicts.HookDone} {
				s.pause(r.partition, scope, "because")
				w.none("its route is paused")
				s.NoError(s.store.Resume(s.ctx, r.partition, scope))
				w.settle(plain(w.one(), verdict))
			}
			r.status(statuses.Succeeded)
		}
	}},
	{"what is leased goes on, and what comes of it waits", func(s *scene) {
		r := s.open("import")
		p, w, dead := r.producer(), r.worker(), r.shortLived()
		p.add(r, tasks(scan, "leased", 5)...)
		dead.take(1)
		w.fetches++
		first, err := w.refetch(4)
		s.NoError(err)
		s.Len(first, 4)
		s.pause(r.partition, store.PauseScope{Kind: scan.Kind}, "because")
		again, err := s.store.Fetch(s.ctx, w.params(4))
		s.NoError(err)
		s.ElementsMatch(leases(first), leases(again.Deliveries), "a repeat of a fetch that delivered")
		s.NotZero(again.Pauses)
		retried := failed(first[1])
		retried.Verdict, retried.Delay = verdicts.Retry, tick
		w.settle(
			success(first[0], task(scan, "child"), task(file, "child")), retried, plain(first[2], verdicts.Release),
		)
		p.add(r, task(scan, "new"), delayed(scan, "delayed", tick))
		w.succeed(w.take(1)...)
		s.h.Advance(s.tb, 2*tick)
		w.none("the kind is paused")
		s.lapse(dead)
		w.close()
		w = r.worker()
		w.none("a recovered task is paused, too")
		s.NoError(s.store.Resume(s.ctx, r.partition, store.PauseScope{Kind: scan.Kind}))
		s.Len(w.drain(wellDone), 7)
	}},
	{"a pause keeps its first time and has its last reason", func(s *scene) {
		slow, all := store.PauseScope{Queue: "slow"}, store.PauseScope{Queue: "slow", Set: "ingest"}
		w := s.worker(0, steady)
		before := s.now(w)
		s.pause(0, slow, "first")
		after := s.now(w)
		s.h.Advance(s.tb, 2*tick)
		s.pause(0, all, "")
		s.NoError(s.store.Pause(s.ctx, 0, store.Pause{Scope: slow, By: "somebody else", Reason: "é\n\"second\""}))
		got := s.pauses(0)
		s.Len(got, 2)
		s.Equal([]store.PauseScope{slow, all}, []store.PauseScope{got[0].Scope, got[1].Scope})
		s.False(got[0].Since.Before(before.Truncate(1e6)), "%v, paused after %v", got[0].Since, before)
		s.False(got[0].Since.After(after), "%v, paused before %v", got[0].Since, after)
		s.True(got[1].Since.After(got[0].Since))
		s.Equal([]string{"somebody else", "é\n\"second\""}, []string{got[0].By, got[0].Reason})
		s.Equal([]string{"me", ""}, []string{got[1].By, got[1].Reason})
		s.NoError(s.store.Resume(s.ctx, 0, store.PauseScope{Set: "ingest"}), "it is not paused")
		s.Len(s.pauses(0), 2)
		for range 2 {
			s.NoError(s.store.Resume(s.ctx, 0, slow))
			s.Equal(got[1:], s.pauses(0))
		}
	}},
	{"a task waits while any pause covers it", func(s *scene) {
		r := s.open("import")
		w := r.worker()
		r.producer().add(r, task(scan, "t"))
		scopes := []store.PauseScope{{Queue: scan.Queue}, {Set: scan.Set}, {Kind: scan.Kind}, {}}
		for _, scope := range scopes {
			s.pause(r.partition, scope, "because")
		}
		for _, scope := range scopes {
			w.none("a pause covers it")
			s.NoError(s.store.Resume(s.ctx, r.partition, scope))
		}
		w.succeed(w.one())
	}},
	{"fetches and heartbeats tell another version after each change", func(s *scene) {
		r := s.open("import")
		w := r.worker()
		r.producer().add(r, task(file, "t"))
		seen := map[int64]bool{0: true}
		version := func() int64 {
			reply, err := s.store.Fetch(s.ctx, s.next(w))
			s.NoError(err)
			w.succeed(reply.Deliveries...)
			beat, err := w.heartbeat(r)
			s.NoError(err)
			set, err := s.store.Pauses(s.ctx, r.partition)
			s.NoError(err)
			s.Equal([]int64{set.Version, set.Version}, []int64{reply.Pauses, beat.Pauses})
			return set.Version
		}
		changed := func(what string, err error) {
			s.NoError(err)
			now := version()
			s.False(seen[now], "%s: version %d was there before", what, now)
			seen[now] = true
		}
		s.Zero(version(), "nothing is paused")
		a, b := store.PauseScope{Queue: "path"}, store.PauseScope{}
		for range 2 {
			changed("paused", s.store.Pause(s.ctx, r.partition, store.Pause{Scope: a}))
			changed("read-only", s.store.Pause(s.ctx, r.partition, store.Pause{Scope: b}))
			changed("resumed", s.store.Resume(s.ctx, r.partition, a))
			s.NoError(s.store.Resume(s.ctx, r.partition, b))
			s.Zero(version(), "nothing is paused")
		}
	}},
	{"pauses are each partition's own, and signalled there", func(s *scene) {
		scope := store.PauseScope{Kind: "resize"}
		last := s.store.Partitions() - 1
		hears := func(change func()) {
			s.during(change, func(l *listener) {
				l.hears("a change of the pauses", func(sig store.Signal) bool {
					return sig.Type == signals.Pause && sig.Partition == last
				})
			})
		}
		hears(func() { s.pause(last, scope, "because") })
		for p := range s.store.Partitions() {
			s.Len(s.pauses(p), map[bool]int{true: 1, false: 0}[p == last])
		}
		hears(func() { s.NoError(s.store.Resume(s.ctx, last, scope)) })
		s.Empty(s.pauses(last))
	}},
	{"so many scopes are paused at most, beside read-only mode", func(s *scene) {
		scope := func(i int) store.PauseScope { return store.PauseScope{Queue: fmt.Sprint("q", i)} }
		for i := range bounds.MaxPauses {
			s.pause(0, scope(i), "because")
		}
		s.ErrorIs(s.store.Pause(s.ctx, 0, store.Pause{Scope: scope(bounds.MaxPauses)}), store.ErrTooManyPauses)
		s.pause(0, scope(7), "another reason")
		s.pause(0, store.PauseScope{}, "read-only")
		s.ErrorIs(s.store.Pause(s.ctx, 0, store.Pause{Scope: scope(bounds.MaxPauses)}), store.ErrTooManyPauses)
		s.Len(s.pauses(0), bounds.MaxPauses+1)
		s.NoError(s.store.Resume(s.ctx, 0, scope(7)))
		s.pause(0, scope(bounds.MaxPauses), "there is room")
	}},
	{"nobody is held up by what is paused", func(s *scene) {
		r := s.open("import")
		var paused []*run
		for i := 0; len(paused) < 70; i++ {
			if job := fmt.Sprint("job", i); s.partition(job) == r.partition {
				waits := s.open(job)
				waits.producer().add(waits, tasks(scan, "waits", 2)...)
				paused = append(paused, waits)
			}
		}
		r.producer().add(r, tasks(file, "goes on", 30)...)
		s.pause(r.partition, store.PauseScope{Queue: scan.Queue}, "because")
		w := r.worker()
		w.queues = append(only(scan), only(file)...)
		w.succeed(w.take(30)...)
		s.NoError(s.store.Resume(s.ctx, r.partition, store.PauseScope{Queue: scan.Queue}))
		s.Len(w.drain(wellDone), 2*len(paused))
	}},
	{"a worker of many routes finds at once what was resumed", func(s *scene) {
		r := s.open("import")
		w := r.worker()
		var routes []store.Route
		for i := range 130 {
			routes = append(routes, store.Route{Queue: scan.Queue, Set: scan.Set, Kind: fmt.Sprint("kind", i)})
		}
		w.queues = []store.FetchQueue{{Queue: scan.Queue, Routes: routes}}
		scope := store.PauseScope{Queue: scan.Queue}
		isPause := func(sig store.Signal) bool { return sig.Type == signals.Pause }
		s.during(func() { s.pause(r.partition, scope, "because") }, func(l *listener) {
			l.hears("the pause", isPause) // or it might come late, and be taken for the end
		})
		s.during(func() {
			w.none("nothing is there")
			r.producer().add(r, task(routes[99], "t"))
			w.none("it is paused")
			s.NoError(s.store.Resume(s.ctx, r.partition, scope))
		}, func(l *listener) {
			l.hears("the end of the pause", isPause)
			s.Len(w.fetch(bounds.MaxBatch), 1)
		})
	}},
	{"read-only mode gives out only what is marked, and finishes what runs", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PreJob: hook(preJob)})
		w := r.worker()
		s.readOnly(r.partition, true)
		w.none("hooks are part of their set")
		s.readOnly(r.partition, false)
		pre := w.one()
		w.settle(plain(pre, verdicts.Begin))
		root := w.one()
		s.readOnly(r.partition, true)
		ops := store.Route{Queue: scan.Queue, Set: "ops", Kind: "report"}
		w.settle(success(root, task(scan, "child"), task(ops, "report")))
		w.none("the child waits")

		p := s.next(w)
		p.Max = 9
		p.InReadOnly = []string{"other", ops.Set}
		p.Queues = []store.FetchQueue{{Queue: scan.Queue, Routes: []store.Route{scan, ops}}}
		s.pause(r.partition, store.PauseScope{Set: ops.Set}, "the mark is not for other pauses")
		reply, err := s.store.Fetch(s.ctx, p)
		s.NoError(err)
		s.Empty(reply.Deliveries)
		s.NoError(s.store.Resume(s.ctx, r.partition, store.PauseScope{Set: ops.Set}))
		reply, err = s.store.Fetch(s.ctx, p)
		s.NoError(err)
		s.NotZero(reply.Pauses)
		s.Len(reply.Deliveries, 1)
		s.Equal(ops, reply.Deliveries[0].Lease.Lane.Route)
		w.succeed(reply.Deliveries...)
		s.EqualValues(1, r.record().Counts.Pending)
		s.readOnly(r.partition, false)
		w.succeed(w.one())
		r.status(statuses.Succeeded)
	}},
	{"bad input names the field, and pauses nothing", func(s *scene) {
		for field, scope := range map[string]store.PauseScope{
			"Scope.Queue": {Queue: "a/b"}, "Scope.Set": {Set: "@set"}, "Scope.Kind": {Kind: store.KindPreJob},
		} {
			s.refuses(s.store.Pause(s.ctx, 0, store.Pause{Scope: scope}), field)
			s.refuses(s.store.Resume(s.ctx, 0, scope), field)
		}
		long := strings.Repeat("x", bounds.MaxNoteLen+1)
		scope := store.PauseScope{Queue: "q"}
		s.refuses(s.store.Pause(s.ctx, 0, store.Pause{Scope: scope, Reason: long}), "Reason")
		s.refuses(s.store.Pause(s.ctx, 0, store.Pause{Scope: scope, Reason: "\xff"}), "Reason")
		s.refuses(s.store.Pause(s.ctx, 0, store.Pause{Scope: scope, By: long}), "By")
		s.Empty(s.pauses(0))
	}},
}

func (s *scene) pause(partition int, scope store.PauseScope, reason string) {
	s.tb.Helper()
	s.NoError(s.store.Pause(s.ctx, partition, store.Pause{Scope: scope, By: "me", Reason: reason}))
}

func (s *scene) pauses(partition int) []store.Pause {
	s.tb.Helper()
	set, err := s.store.Pauses(s.ctx, partition)
	s.NoError(err)
	return set.Pauses
}

// readOnly begins or ends read-only mode.
func (s *scene) readOnly(partition int, on bool) {
	s.tb.Helper()
	if on {
		s.pause(partition, store.PauseScope{}, "read-only")
	} else {
		s.NoError(s.store.Resume(s.ctx, partition, store.PauseScope{}))
	}
	is := slices.ContainsFunc(s.pauses(partition), func(p store.Pause) bool { return p.Scope.IsReadOnly() })
	s.Equal(on, is)
}
