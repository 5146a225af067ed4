package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var bounded = []testCase{
	{"a finished run leaves nothing once its retention is over", func(s *scene) {
		partition := s.partition("import")
		p, w := s.producer(partition), s.worker(partition, steady)
		w.none("nothing was started")
		before := s.leftovers()

		r := s.start(
			store.StartParams{
				Job:       "import",
				Retention: brief,
				PreJob:    hook(preJob),
				PostJob:   hook(postJob),
				Args:      []byte("args"),
			},
		)
		w.settle(plain(w.one(), verdicts.Begin))
		root := w.one()
		s.NoError(w.stage(root, file, 0, tasks(file, "staged", 30)...))
		w.settle(withStaged(success(root, claimed(scan, "a", 0), claimed(scan, "b", never)), staged(file, 30)))
		p.add(r, append(tasks(scan, "t", 50), delayed(scan, "d", tick), claimed(file, "c", never))...)
		s.NoError(p.hold(r, "upload"))
		failures := 0
		s.until(partition, "everything ran", func() bool {
			w.drain(func(d store.Delivery) store.Outcome {
				if failures++; failures%5 == 0 && d.Lease.Lane.Route == scan {
					return failed(d)
				}
				return wellDone(d)
			})
			return r.record().Counts.Remaining() == 0
		})
		s.NoError(p.release(r, "upload"))
		w.drain(wellDone)
		r.status(statuses.Failed)
		gone(s, r)
		s.nothingBeyond(before, partition)
	}},
	{"a stopped run leaves nothing once its retention is over", func(s *scene) {
		partition := s.partition("import")
		p, w := s.producer(partition), s.worker(partition, steady)
		before := s.leftovers()
		r := s.start(store.StartParams{Job: "import", Open: true, Retention: brief})
		p.add(r, append(tasks(scan, "t", 300), delayed(scan, "d", never), claimed(file, "c", never))...)
		parent := w.one()
		s.NoError(w.stage(parent, file, 0, tasks(file, "staged", 200)...))
		s.NoError(p.hold(r, "upload"))
		r.stop(false)
		w.settle(plain(parent, verdicts.Cancel))
		r.status(statuses.Stopped)
		gone(s, r)
		s.nothingBeyond(before, partition)
	}},
	{"a summary is kept for its retention", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		r.worker().drain(wellDone)
		ended := r.record()
		for range 10 {
			s.h.Advance(s.tb, tick)
			s.sweep(r.partition)
		}
		s.Equal(ended, r.record())
	}},
	{"an active run does not expire", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", Retention: tick})
		for range 10 {
			s.h.Advance(s.tb, tick)
			s.sweep(r.partition)
		}
		r.counts(store.Counts{Pending: 1}, "far beyond the retention")
		r.worker().drain(wellDone)
		gone(s, r)
	}},
	{"many runs of a job come and go without a trace", func(s *scene) {
		partition := s.partition("import")
		w := s.worker(partition, steady)
		w.none("nothing was started")
		before := s.leftovers()
		for range 30 {
			r := s.start(store.StartParams{Job: "import", Retention: tick})
			w.drain(wellDone)
			r.status(statuses.Succeeded)
		}
		s.until(partition, "all are gone", func() bool {
			runs, err := s.store.JobRuns(s.ctx, "import")
			s.NoError(err)
			return len(runs) == 0
		})
		s.nothingBeyond(before, partition)
	}},
	{"nothing but figures keeps the name of a queue that was used", func(s *scene) {
		partition := s.partition("import")
		p := s.producer(partition)
		before := s.leftovers()
		r := s.open("import")
		const names = 500
		var queues []store.FetchQueue
		for i := range names {
			task := tasks(scan, "t", 1)[0]
			task.Route.Queue = fmt.Sprintf("q%03d", i)
			p.add(r, task)
			if i < 10 {
				queues = append(queues, store.FetchQueue{Queue: task.Route.Queue, Routes: []store.Route{task.Route}})
			}
		}
		s.Len(s.queues(partition), names)
		w := s.worker(partition, steady)
		w.queues = queues
		ds := w.drain(wellDone)
		s.Len(ds, len(queues))
		s.Len(s.queues(partition), names-len(queues))
		r.stop(false)
		r.status(statuses.Stopped)
		s.NoError(s.store.DeleteRun(s.ctx, r.id))
		w.close()
		s.nothingBeyond(before, partition)
		s.Empty(s.queues(partition))
	}},
	{"dead letters are capped, their number is exact", func(s *scene) {
		const limit = 10
		r := s.start(store.StartParams{Job: "import", FailureCap: limit, Open: true})
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 300)...)
		w.drain(failed)
		r.counts(store.Counts{Failed: 300}, "all failed")
		fs, err := s.store.Failures(s.ctx, store.FailuresParams{Run: r.id, Limit: 1000})
		s.NoError(err)
		places := make([]int64, len(fs))
		for i, f := range fs {
			places[i] = f.Place
		}
		s.Equal([]int64{1, 2, 3, 4, 5, 296, 297, 298, 299, 300}, places, "the first half and the newest")
		s.Equal("broken: "+fs[0].Task.ID, fs[0].Error)
		s.Equal("stack of "+fs[0].Task.ID, fs[0].Stack)
		s.Equal(w.session.ID, fs[0].Worker)
		s.Equal(store.Lane{Run: r.id, Route: scan}, fs[0].Lane)
		s.False(fs[0].At.IsZero())
		page, err := s.store.Failures(s.ctx, store.FailuresParams{Run: r.id, After: 4, Limit: 3})
		s.NoError(err)
		s.Equal(fs[4:7], page, "a page of the same list")
		page, err = s.store.Failures(s.ctx, store.FailuresParams{Run: r.id, After: 100, Limit: 3})
		s.NoError(err)
		s.Equal(fs[5:8], page, "after one that is not kept any more")
		for _, after := range []int64{300, 301} {
			past, err := s.store.Failures(s.ctx, store.FailuresParams{Run: r.id, After: after, Limit: 3})
			s.NoError(err)
			s.Empty(past)
		}
	}},
	{"pages of dead letters fit together while tasks fail", func(s *scene) {
		for _, limit := range []int{1, 2, 3, 8} {
			r := s.start(store.StartParams{Job: fmt.Sprintf("import/%d", limit), FailureCap: limit, Open: true})
			p, w := r.producer(), r.worker()
			var seen []int64
			for n, after := int64(0), int64(0); n < 30; n += 3 {
				p.add(r, tasks(scan, fmt.Sprint(n), 3)...)
				w.drain(failed)
				page, err := s.store.Failures(s.ctx, store.FailuresParams{Run: r.id, After: after, Limit: 2})
				s.NoError(err)
				s.NotEmpty(page, "the newest is always kept")
				for _, f := range page {
					after = f.Place
					seen = append(seen, after)
				}
				s.Equal(fmt.Sprint("broken: ", page[0].Task.ID), page[0].Error)
			}
			s.True(slices.IsSorted(seen))
			s.Equal(seen, slices.Compact(slices.Clone(seen)), "none comes twice")
			kept, err := s.store.Failures(s.ctx, store.FailuresParams{Run: r.id, Limit: 100})
			s.NoError(err)
			s.Len(kept, limit)
			s.Equal(int64(30), kept[len(kept)-1].Place)
		}
	}},
	{"claimed IDs are forgotten with their tasks, or after Keep", func(s *scene) {
		partition := s.partition("import")
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "warm", 1)...)
		w.drain(wellDone)
		before := s.leftovers()
		for i := range 20 {
			p.add(r, claimed(scan, fmt.Sprintf("id/%d", i), 0), claimed(scan, fmt.Sprintf("kept/%d", i), tick))
			w.drain(wellDone)
		}
		s.until(partition, "a kept ID is free again", func() bool {
			w.drain(wellDone)
			return !p.offer(r, claimed(scan, "kept/0", 0))[0].Duplicate
		})
		w.drain(wellDone)
		s.nothingBeyond(before, partition)
	}},
	{"producers and sessions that end leave nothing", func(s *scene) {
		r := s.open("import")
		before := s.leftovers()
		for range 20 {
			w := r.worker()
			w.none("nothing waits")
			w.close()
		}
		s.nothingBeyond(before, r.partition)
	}},
	{"a batch, a name and a payload at their limits are stored whole", func(s *scene) {
		name := strings.Repeat("j", bounds.MaxJobNameLen)
		r := s.open(name)
		p, w := r.producer(), r.worker()
		items := tasks(scan, "t", bounds.MaxBatch)
		p.add(r, items...)
		ds := w.fetch(bounds.MaxBatch)
		s.Len(ds, bounds.MaxBatch)
		w.succeed(ds...)

		big := claimed(scan, strings.Repeat("i", bounds.MaxTaskIDLen), 0)
		big.Task.Payload = bytes.Repeat([]byte{0, 0xff, '\n'}, bounds.DefaultMaxPayload/3)
		p.add(r, big)
		d := w.one()
		s.Equal(big.Task.ID, d.Task.ID)
		s.True(bytes.Equal(big.Task.Payload, d.Task.Payload))
	}},
	{"a fetch is bounded by the bytes of its payloads", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		items := tasks(scan, "t", 8)
		for i := range items {
			items[i].Task.Payload = make([]byte, 100_000)
		}
		p.add(r, items...)
		params := func(maxBytes int) store.FetchParams {
			w.fetches++
			f := w.params(8)
			f.MaxBytes = maxBytes
			return f
		}
		few, err := s.store.Fetch(s.ctx, params(250_000))
		s.NoError(err)
		s.NotEmpty(few.Deliveries)
		s.LessOrEqual(len(few.Deliveries), 2)
		one, err := s.store.Fetch(s.ctx, params(10))
		s.NoError(err)
		s.Len(one.Deliveries, 1, "at least one is delivered, however large")
		rest, err := s.store.Fetch(s.ctx, params(0))
		s.NoError(err)
		s.Len(rest.Deliveries, 7-len(few.Deliveries), "the default is 1 MiB")
	}},
}

// gone waits until the summary of a finished run has expired. Then the run and its single-pass job
// must be unknown.
func gone(s *scene, r *run) {
	s.tb.Helper()
	s.until(r.partition, "the summary has expired", func() bool {
		_, err := s.store.Run(s.ctx, r.id)
		if err != nil {
			s.ErrorIs(err, store.ErrRunNotFound)
		}
		return err != nil
	})
	runs, err := s.store.JobRuns(s.ctx, r.id.Job)
	s.NoError(err)
	s.Empty(runs)
	s.until(r.partition, "the job is forgotten", func() bool {
		_, err := s.store.Job(s.ctx, r.id.Job)
		if err != nil {
			s.ErrorIs(err, store.ErrJobNotFound)
		}
		return err != nil
	})
}
