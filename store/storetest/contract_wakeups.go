package storetest

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// quiet is the shortest time for which every store may delay a signal of a run's counts after the
// last one.
const quiet = 300 * time.Millisecond

// moves waits for a signal of the run.
func (l *listener) moves(r *run, what string) {
	l.s.tb.Helper()
	l.hears(what, func(sig store.Signal) bool {
		return sig.Type == signals.Run && sig.Partition == r.partition && sig.Run == r.id.Number
	})
}

// hearsOfDue waits for a signal that something is due earlier than before.
func (l *listener) hearsOfDue(partition int, what string) {
	l.s.tb.Helper()
	l.hears(what, func(sig store.Signal) bool { return sig.Type == signals.Due && sig.Partition == partition })
}

// during listens while fn runs, and passes the subscription to heard.
func (s *scene) during(fn func(), heard func(l *listener)) {
	s.tb.Helper()
	l := s.listen()
	defer l.stop()
	fn()
	heard(l)
}

// wakeupsContract has the cases of wake-ups that no other test covers. Each is sent at one place in
// a store.
var wakeupsContract = []testCase{
	{"a run that begins is signalled, and so is what it delays", func(s *scene) {
		l := s.listen()
		defer l.stop()
		l.moves(s.open("empty"), "a run without tasks")
		root := delayed(scan, "root", time.Hour)
		r := s.start(store.StartParams{Job: "import", Root: &root})
		l.hearsOfDue(r.partition, "a root that waits")
	}},
	{"it is signalled when the end of an idle run is due before all else", func(s *scene) {
		for name, p := range idleEnds {
			p.Job, p.Open = "import-"+name, true
			var r *run
			s.during(func() { r = s.start(p) }, func(l *listener) { l.hearsOfDue(r.partition, name+": it is open") })
			q := r.producer()
			q.add(r, task(scan, "t"))
			q.seal(r)
			s.during(
				func() { s.NoError(q.hold(r, store.HoldOpen)) },
				func(l *listener) { l.hearsOfDue(r.partition, name+": it is open again") },
			)
			r.stop(false)
			s.sweep(r.partition)
		}
	}},
	{"a pre-job hook that passes signals its run, and when the root is due", func(s *scene) {
		begin := func(p store.StartParams) (*run, func()) {
			p.PreJob = hook(preJob)
			r := s.start(p)
			w := r.worker()
			d := w.one()
			return r, func() { w.settle(plain(d, verdicts.Begin)) }
		}
		r, pass := begin(store.StartParams{Job: "open", Open: true})
		s.during(pass, func(l *listener) { l.moves(r, "the run goes on") })
		root := delayed(scan, "root", time.Hour)
		r, pass = begin(store.StartParams{Job: "import", Root: &root})
		s.during(pass, func(l *listener) { l.hearsOfDue(r.partition, "a root that waits") })
	}},
	{"a root and the hooks are signalled as work", func(s *scene) {
		var r *run
		hears := func(by func(), route store.Route) {
			s.tb.Helper()
			s.during(by, func(l *listener) { l.hearsOfWork(r.partition, route.Queue) })
		}
		root := task(scan, "root")
		hears(func() {
			r = s.start(store.StartParams{Job: "import", Root: &root, PreJob: hook(preJob), PostJob: hook(postJob)})
		}, preJob)
		w := r.worker()
		d := w.one()
		hears(func() { w.settle(plain(d, verdicts.Begin)) }, scan)
		d = w.one()
		hears(func() { w.succeed(d) }, postJob)
		hears(func() { r = s.start(store.StartParams{Job: "plain", Root: &root}) }, scan)
	}},
	{"a task that goes back to its lane, or will, is signalled, and so are staged children", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, task(scan, "t"))
		w := r.worker()
		for _, back := range []func(store.Delivery) store.Outcome{
			func(d store.Delivery) store.Outcome { return retried(d, 0) },
			func(d store.Delivery) store.Outcome { return snoozed(d, 0) },
			func(d store.Delivery) store.Outcome { return plain(d, verdicts.Release) },
		} {
			d := w.one()
			s.during(func() { w.settle(back(d)) }, func(l *listener) { l.hearsOfWork(r.partition, scan.Queue) })
		}
		d := w.one()
		s.NoError(w.stage(d, file, 0, task(file, "child")))
		o := success(d)
		o.Staged = []store.Staged{{Route: file, Count: 1}}
		s.during(func() { w.settle(o) }, func(l *listener) { l.hearsOfWork(r.partition, file.Queue) })
		d = w.one()
		s.during(
			func() { w.settle(retried(d, time.Hour)) }, func(l *listener) { l.hearsOfDue(r.partition, "the next attempt") },
		)
	}},
	{"a run is signalled when its last task has ended, and again when its post-job hook has", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PostJob: hook(postJob)})
		w := r.worker()
		d := w.one()
		s.during(func() { w.succeed(d) }, func(l *listener) { l.moves(r, "it finishes") })
		d = w.one()
		s.during(func() { w.settle(hookDone(d, "")) }, func(l *listener) { l.moves(r, "its end") })
	}},
	{"counts that move are signalled, the last ones at once", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		s.during(func() { s.NoError(p.hold(r, "busy")) }, func(l *listener) { l.moves(r, "a hold") })
		s.h.Advance(s.tb, quiet)
		s.during(func() { p.add(r, tasks(scan, "t", 2)...) }, func(l *listener) { l.moves(r, "new tasks") })
		ds := w.take(2)
		w.succeed(ds[0])
		s.during(func() { w.succeed(ds[1]) }, func(l *listener) { l.moves(r, "the last task, right behind another") })
		s.during(func() { s.NoError(p.release(r, "busy")) }, func(l *listener) { l.moves(r, "the hold is closed") })
	}},
	{"tasks that come back, or are due, move the counts", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, task(scan, "t"))
		if store.SignalsAreComplete(s.store) {
			s.during(func() { w.one() }, func(l *listener) { l.moves(r, "a task was taken") })
		} else {
			w.one()
		}
		s.h.Advance(s.tb, quiet)
		s.during(w.close, func(l *listener) { l.moves(r, "a session was closed") })
		p.add(r, delayed(scan, "soon", quiet))
		s.h.Advance(s.tb, quiet+time.Millisecond)
		s.during(func() { s.promote(r.partition) }, func(l *listener) { l.moves(r, "a task is due") })
	}},
	{"what a session held that is closed is signalled as work, and so is what it kept aside", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, task(scan, "t"))
		w := r.worker()
		w.one()
		s.during(w.close, func(l *listener) { l.hearsOfWork(r.partition, scan.Queue) })
		r.stop(false)
		r = s.open("limited")
		r.producer().add(r, tasks(scan, "t", 2)...)
		w = r.bounded()
		w.fetches++
		p := w.params(2)
		p.PerRun = []store.RunLimit{{Scope: scope(scan), Max: 1}}
		reply, err := s.store.Fetch(s.ctx, p)
		s.NoError(err)
		s.Len(reply.Deliveries, 1)
		s.during(w.close, func(l *listener) { l.hearsOfWork(r.partition, scan.Queue) })
	}},
	{"a periodic job that is declared is signalled, and so is a definition that may end its problem", func(s *scene) {
		p := &periodic{s: s, job: "nightly", partition: s.partition("nightly")}
		declare := func(definition, what string) {
			s.tb.Helper()
			s.during(func() {
				p.declare(store.EnsureParams{Definition: []byte(definition), Schedule: []byte("often"), DueNow: true})
			}, func(l *listener) { l.hearsOfDue(p.partition, what) })
		}
		declare("1", "it is due at once")
		p.told("it is due")
		p.postpone("no such zone")
		declare("2", "it may be fired now")
	}},
	{"an idle run that is sealed or stopped is signalled", func(s *scene) {
		r := s.start(store.StartParams{Job: "sealed", Open: true, SealAfter: brief})
		r.producer().add(r, task(scan, "t")) // so that it does not end
		s.h.Advance(s.tb, quiet)
		s.during(func() { s.promote(r.partition) }, func(l *listener) { l.moves(r, "it was sealed") })
		r = s.start(store.StartParams{Job: "stopped", Open: true, StopAfter: brief})
		w := r.worker()
		r.producer().add(r, tasks(scan, "t", 3)...)
		ds := w.take(3)
		s.h.Advance(s.tb, quiet)
		w.succeed(ds[0]) // its counts are signalled now
		s.during(func() { s.promote(r.partition) }, func(l *listener) { l.moves(r, "it was stopped") })
		r.status(statuses.Stopping)
	}},
	{"a graceful stop that is made a hard one is signalled", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		r.worker().one()
		r.stop(true)
		s.during(func() { r.stop(false) }, func(l *listener) { l.moves(r, "its tasks are cancelled") })
	}},
	{"a configuration of a run is signalled", func(s *scene) {
		r := s.open("import")
		s.during(func() {
			_, err := s.configure(r.document(), store.AnyVersion, "a")
			s.NoError(err)
		}, func(l *listener) { l.moves(r, "its configuration") })
	}},
	{"staged children that are delayed signal when they are due, once they are seen", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, task(scan, "t"))
		w := r.worker()
		d := w.one()
		s.NoError(w.stage(d, file, 0, delayed(file, "child", time.Hour)))
		o := success(d)
		o.Staged = []store.Staged{{Route: file, Count: 1}}
		s.during(func() {
			w.settle(o)
			w.none("it is delayed")
		}, func(l *listener) { l.hearsOfDue(r.partition, "a child that waits") })
	}},
	{"a run that has all its limit allows, and waits, is told of when it is reconsidered", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, tasks(scan, "scan", 3)...)
		w := r.bounded()
		w.fetches++
		p := w.params(1) // exactly what the limit allows: no fetch finds more
		p.PerRun = []store.RunLimit{{Scope: scope(scan), Max: 1}}
		reply, err := s.store.Fetch(s.ctx, p)
		s.NoError(err)
		s.Len(reply.Deliveries, 1)
		s.during(w.reconsider, func(l *listener) { l.hearsOfWork(r.partition, scan.Queue) })
		w.fetches++
		p.Number, p.PerRun = w.fetches, []store.RunLimit{{Scope: scope(scan), Max: 2}}
		reply, err = s.store.Fetch(s.ctx, p)
		s.NoError(err)
		s.Len(reply.Deliveries, 1)
		s.during(
			func() { w.succeed(reply.Deliveries...) }, func(l *listener) { l.hearsOfWork(r.partition, scan.Queue) },
		)
	}},
	{"a fetch that left nothing may say so, and then the next task is signalled", func(s *scene) {
		r := s.open("import")
		p, w, l := r.producer(), r.worker(), s.listen()
		defer l.stop()
		asks := func(n, left int) {
			w.fetches++
			reply, err := s.store.Fetch(s.ctx, w.params(n))
			s.NoError(err)
			s.Len(reply.Deliveries, n)
			s.False(reply.Drained && left > 0, "%d are left", left)
			w.succeed(reply.Deliveries...)
		}
		for range 2 { // a lane that is known, and one that is not
			p.add(r, tasks(scan, s.name("scan"), 3)...)
			p.add(r, tasks(file, s.name("file"), 2)...)
			l.hearsOfWork(r.partition, scan.Queue)
			l.hearsOfWork(r.partition, file.Queue)
			asks(1, 4)
			asks(2, 2)
			asks(2, 0)
		}
	}},
	{"a job that is to rest for less than it would have been left alone is signalled", func(s *scene) {
		p := s.periodic("nightly")
		r := p.started(p.due(tick), "at once")
		p.told("the next time has come")
		f := p.due(time.Hour)
		f.Rest = store.FireRecheck - time.Second
		w := r.worker()
		d := w.one()
		p.fires(f, verdicts.FireWaiting, "a run is active")
		s.during(func() {
			w.succeed(d)
			p.fires(f, verdicts.FireMoved, "it has not rested")
		}, func(l *listener) { l.hearsOfDue(p.partition, "when it has rested") })
	}},
}
