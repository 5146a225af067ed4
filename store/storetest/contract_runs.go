package storetest

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var runsContract = []testCase{
	{"a run reads back as it was started", func(s *scene) {
		root := task(scan, "root")
		p := s.params(store.StartParams{
			Job: "import", Set: "ingest", Args: []byte{0, 1, 0xff}, Headers: map[string]string{"trace": "a\nb", "": "empty"},
			Root: &root, Weight: 2.5, Retention: 90 * time.Minute, RedriveOf: 1<<53 - 1, Labels: map[string]string{"tenant": "é"},
		})
		r := s.start(p)
		rec := r.record()
		s.False(rec.Created.IsZero())
		s.True(rec.Created.Truncate(time.Millisecond).Equal(rec.Changed))
		s.False(rec.Moved.Before(rec.Changed))
		rec.Created, rec.Changed, rec.Moved = time.Time{}, time.Time{}, time.Time{}
		s.Equal(store.RunRecord{
			ID: r.id, Set: "ingest", Root: scan, Args: p.Args, Headers: p.Headers, Status: statuses.Running,
			Counts: store.Counts{Total: 1, Pending: 1}, Weight: 2.5, Retention: 90 * time.Minute, RedriveOf: 1<<53 - 1,
			Labels: p.Labels,
		}, rec)
		open := s.open("open").record()
		s.Zero(open.Root)
		s.Equal(int64(1), open.Holds)
	}},
	{"what is passed in and handed out belongs to the caller", func(s *scene) {
		root := task(scan, "root")
		root.Task.Headers = map[string]string{"k": "v"}
		p := s.params(
			store.StartParams{Job: "import", Args: []byte("args"), Headers: map[string]string{"k": "v"}, Root: &root},
		)
		r := s.start(p)
		want := r.record()
		spoil := func(args []byte, headers map[string]string) {
			clear(args)
			clear(headers)
		}
		spoil(p.Args, p.Headers)
		spoil(root.Task.Payload, root.Task.Headers)
		s.Equal(want, r.record())
		read := r.record()
		spoil(read.Args, read.Headers)
		s.Equal(want, r.record())

		pr, w := r.producer(), r.worker()
		it := task(scan, "t")
		it.Task.Headers = map[string]string{"k": "v"}
		pr.add(r, it)
		spoil(it.Task.Payload, it.Task.Headers)
		ds := w.take(2)
		for _, d := range ds {
			s.Equal(d.Task.ID, string(d.Task.Payload))
			s.Equal(map[string]string{"k": "v"}, d.Task.Headers)
			spoil(d.Task.Payload, d.Task.Headers)
		}
		for _, d := range w.held() {
			s.Equal(d.Task.ID, string(d.Task.Payload))
		}
	}},
	{"a paused run gives out nothing until it is resumed", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 4)...)
		d := w.one()
		r.pause(true)
		r.pause(true)
		s.True(r.record().Paused)
		w.none("the run is paused")
		w.settle(success(d, task(file, "child")))
		p.add(r, task(scan, "meanwhile"))
		w.none("the run is paused")
		r.counts(store.Counts{Pending: 5, Succeeded: 1}, "running tasks go on, and tasks may come")
		r.pause(false)
		s.False(r.record().Paused)
		s.Len(w.drain(wellDone), 5)
	}},
	{"a paused run holds back its hooks, too", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PreJob: hook(preJob), PostJob: hook(postJob)})
		w := r.worker()
		r.pause(true)
		w.none("the run is paused")
		r.pause(false)
		w.settle(plain(w.one(), verdicts.Begin))
		last := w.one()
		r.pause(true)
		w.succeed(last)
		r.status(statuses.Finishing)
		w.none("the run is paused")
		r.pause(false)
		w.settle(hookDone(w.one(), ""))
		r.status(statuses.Succeeded)
	}},
	{"what fell due while a run was paused comes when it is resumed", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, delayed(scan, "d", tick))
		r.pause(true)
		s.until(r.partition, "the delay is over", func() bool {
			s.Empty(w.fetch(1))
			due := r.inspect().Lanes[0].NextDue
			return due.IsZero() || s.now(w).After(due)
		})
		w.none("the run is paused")
		r.pause(false)
		s.Equal("d", w.one().Task.ID)
	}},
	{"the sets agree with the counters", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		p, w, dead := r.producer(), r.worker(), r.worker()
		root := w.one()
		p.add(r, tasks(scan, "t", 12)...)
		dead.take(2)
		dead.close()
		s.NoError(w.stage(root, file, 0, tasks(file, "staged", 30)...))
		w.settle(withStaged(success(root), staged(file, 30)))
		p.add(r, delayed(scan, "d/0", never), delayed(file, "d/1", never))
		s.NoError(p.hold(r, "upload"))
		w.queues = only(scan)
		ds := w.take(3)
		w.settle(retried(ds[0], never))

		in := r.inspect()
		s.True(in.Stable, "nothing moved")
		s.Equal(r.record(), in.Run)
		s.agrees(in)
		s.Len(in.Holds, 1)
		s.Equal("upload", in.Holds[0].Name)
		s.False(in.Holds[0].Since.IsZero())
		s.Equal([]store.HeldRecord{{Session: w.session.ID, Route: scan, Held: 2}}, in.Held)
		recovered := int64(0)
		for _, l := range in.Lanes {
			recovered += l.Recovered
			s.Equal(l.Delayed > 0, !l.NextDue.IsZero(), "NextDue of %v", l.Route)
		}
		s.Positive(recovered)
		r.stop(false)
		w.settle(plain(ds[1], verdicts.Cancel), plain(ds[2], verdicts.Cancel))
		r.status(statuses.Stopped)
	}},
	{"the last error is that of the newest failure that counts", func(s *scene) {
		errors := func(r *run, counts, retry string) {
			s.tb.Helper()
			rec := r.record()
			s.Equal([]string{counts, retry}, []string{rec.Error, rec.RetryError}, "error, retry error")
		}
		r := s.start(store.StartParams{Job: "passes", PreJob: hook(preJob), PostJob: hook(postJob)})
		w := r.worker()
		w.settle(retried(w.one(), 0))
		errors(r, "", "try again")
		w.settle(plain(w.one(), verdicts.Begin))
		again := retried(w.one(), 0)
		again.Error = "once more"
		w.settle(again)
		errors(r, "", "once more")
		w.settle(wellDone(w.one()))
		again = retried(w.one(), 0)
		again.Error = "mail server is down"
		w.settle(again)
		errors(r, "", "mail server is down")
		w.settle(hookDone(w.one(), ""))
		r.status(statuses.Succeeded)
		errors(r, "", "")

		r = s.open("mixed")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 3)...)
		ds := w.fetch(3)
		w.settle(retried(ds[0], 0), failed(ds[1]), snoozed(ds[2], 0))
		errors(r, "broken: "+ds[1].Task.ID, "try again")
		w.settle(retried(w.one(), 0))
		w.drain(wellDone)
		errors(r, "broken: "+ds[1].Task.ID, "try again")
		p.add(r, tasks(scan, "u", 1)...)
		last := failed(w.one())
		last.Error = "" // the newest counts, also if it has nothing to say
		w.settle(last)
		errors(r, "", "try again")
		p.seal(r)
		r.status(statuses.Failed)
		errors(r, "", "")

		r = s.start(store.StartParams{Job: "aborted", PreJob: hook(preJob)})
		w = r.worker()
		w.settle(retried(w.one(), 0))
		abort := plain(w.one(), verdicts.Abort)
		abort.Error = "no such directory"
		w.settle(abort)
		errors(r, "no such directory", "")

		r = s.open("stopped")
		p, w = r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 2)...)
		ds = w.fetch(2)
		r.stop(false)
		w.settle(retried(ds[0], 0), failed(ds[1]))
		r.status(statuses.Stopped)
		errors(r, "broken: "+ds[1].Task.ID, "")
	}},
	{"retries, duplicates and the last error are recorded", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, claimed(scan, "a", 0))
		s.True(p.offer(r, claimed(file, "a", 0))[0].Duplicate)
		w.settle(retried(w.one(), 0))
		w.settle(failed(w.one()))
		rec := r.record()
		s.Equal(int64(1), rec.Retried)
		s.Equal(int64(1), rec.Duplicate)
		s.Equal("broken: a", rec.Error)
		p.seal(r)
		r.status(statuses.Failed)
	}},
	{"dead letters carry the task as it was", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		it := claimed(scan, "t", time.Minute)
		it.Task.Payload = []byte{0, 0xff}
		it.Task.Headers = map[string]string{"k": "v"}
		it.Task.Attributes = []byte(`{"timeout":1}`)
		p.add(r, it)
		w.settle(failed(w.one()))
		fs, err := s.store.Failures(s.ctx, store.FailuresParams{Run: r.id, Limit: 10})
		s.NoError(err)
		s.Len(fs, 1)
		got := fs[0].Task
		s.Equal(it.Task.Payload, got.Payload)
		s.Equal(it.Task.Headers, got.Headers)
		s.Equal(it.Task.Attributes, got.Attributes)
		s.Equal("t", got.ID)
	}},
}

// agrees requires that the tasks in the sets add up to the counters.
func (s *scene) agrees(in store.Inspection) {
	s.tb.Helper()
	var waiting, delayed, held int64
	for _, l := range in.Lanes {
		if l.Route.Counted() {
			waiting += l.Waiting + l.Recovered + l.Staged
			delayed += l.Delayed
		}
	}
	for _, h := range in.Held {
		if h.Route.Counted() {
			held += h.Held
		}
	}
	c := in.Run.Counts
	s.Equal(map[string]int64{"waiting": c.Pending, "delayed": c.Delayed, "held": c.Running},
		map[string]int64{"waiting": waiting, "delayed": delayed, "held": held}, "lanes %+v", in.Lanes)
}
