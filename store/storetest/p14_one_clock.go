package storetest

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// skew is the error of the clocks of workers and producers in these cases.
const skew = 5 * 365 * 24 * time.Hour

var oneClock = []testCase{
	{"a lease lasts by the store's clock, whatever the worker's says", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, tasks(scan, "t", 2)...)
		fast, slow := s.skewed(r, steady, skew), s.skewed(r, steady, -skew)
		held := append(fast.take(1), slow.take(1)...)
		for range 10 {
			s.h.Advance(s.tb, tick)
			s.sweep(r.partition)
		}
		s.Len(fast.held(), 1)
		s.Len(slow.held(), 1)
		fast.succeed(held[0])
		slow.succeed(held[1])

		late, early := s.skewed(r, brief, skew), s.skewed(r, brief, -skew)
		s.lapse(late, early)
	}},
	{"a delay is counted by the store's clock, whatever the producer's says", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		now := s.now(w)
		for _, off := range []time.Duration{skew, -skew} {
			it := delayed(scan, "d"+off.String(), 2*tick)
			it.Task.Enqueued = now.Add(off)
			p.add(r, it)
		}
		var got []store.Delivery
		s.until(r.partition, "both are due", func() bool {
			got = append(got, w.fetch(bounds.MaxBatch)...)
			return len(got) == 2
		})
		far := delayed(scan, "never", never)
		far.Task.Enqueued = now.Add(-skew)
		p.add(r, far)
		w.none("its delay is not over")
	}},
	{"the clock that the store reports is the one that decides", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, delayed(scan, "t", 4*tick))
		reply, err := s.store.Fetch(s.ctx, s.next(w))
		s.NoError(err)
		s.Empty(reply.Deliveries)
		s.True(reply.NextDue.After(reply.Now.Add(-time.Millisecond)), "NextDue %v, Now %v", reply.NextDue, reply.Now)
		s.False(reply.NextDue.After(reply.Now.Add(4*tick)), "NextDue %v, Now %v", reply.NextDue, reply.Now)
		beat, err := w.heartbeat()
		s.NoError(err)
		s.WithinDuration(reply.NextDue, beat.NextDue, time.Millisecond)
		for s.now(w).Before(reply.NextDue) {
			s.NotEmpty(r.inspect().Lanes[0].NextDue)
			s.h.Advance(s.tb, tick)
		}
		s.h.Advance(s.tb, time.Millisecond) // the stored time may be rounded
		s.Equal(1, s.promote(r.partition))
		s.Len(w.fetch(1), 1)
	}},
	{"times in records are the store's", func(s *scene) {
		w := s.worker(s.partition("import"), steady)
		from := s.now(w)
		r := s.start(store.StartParams{Job: "import"})
		s.h.Advance(s.tb, tick)
		d := w.one()
		s.h.Advance(s.tb, tick)
		w.settle(failed(d))
		to := s.now(w)
		rec := r.record()
		fs, err := s.store.Failures(s.ctx, store.FailuresParams{Run: r.id, Limit: 1})
		s.NoError(err)
		s.Len(fs, 1)
		times := []time.Time{from.Add(-time.Millisecond), rec.Created, rec.Started, rec.Ended, to.Add(time.Millisecond)}
		for i := range len(times) - 1 {
			s.False(times[i].After(times[i+1]), "in order: %v", times)
		}
		s.WithinDuration(rec.Ended, fs[0].At, time.Second)
		job, err := s.store.Job(s.ctx, "import")
		s.NoError(err)
		s.WithinDuration(rec.Created, job.Created, time.Second)
	}},
}

// skewed opens a session whose worker says that it started at a wrong time.
func (s *scene) skewed(r *run, lease, off time.Duration) *worker {
	s.tb.Helper()
	w := &worker{s: s, session: store.SessionID{Partition: r.partition, ID: s.name("skewed")}, queues: everything()}
	info := store.WorkerInfo{Name: w.session.ID, Started: time.Now().Add(off)}
	s.NoError(s.store.OpenSession(s.ctx, w.session, info, lease))
	return w
}

// next numbers a fetch that asks for one task.
func (s *scene) next(w *worker) store.FetchParams {
	w.fetches++
	return w.params(1)
}

// now reads the store's clock.
func (s *scene) now(w *worker) time.Time {
	s.tb.Helper()
	beat, err := w.heartbeat()
	s.NoError(err)
	s.False(beat.Now.IsZero())
	return beat.Now
}
