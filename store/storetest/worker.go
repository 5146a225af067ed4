package storetest

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// worker is one session: it numbers its fetches and its settlements.
type worker struct {
	s       *scene
	session store.SessionID
	queues  []store.FetchQueue // what it asks for; everything by default
	fetches int64
	settles int64
	times   []store.RouteTimes // what each settlement brings
}

// worker opens a session in the run's partition that outlives the test.
func (r *run) worker() *worker {
	r.s.tb.Helper()
	return r.s.worker(r.partition, steady)
}

// shortLived opens a session in the run's partition whose lease soon runs out.
func (r *run) shortLived() *worker {
	r.s.tb.Helper()
	return r.s.worker(r.partition, brief)
}

func (s *scene) worker(partition int, lease time.Duration) *worker {
	s.tb.Helper()
	w := &worker{s: s, session: store.SessionID{Partition: partition, ID: s.name("session")}, queues: everything()}
	info := store.WorkerInfo{
		Name:        w.session.ID,
		Host:        "host",
		PID:         1,
		Concurrency: 4,
		Routes:      []store.Route{scan, file},
	}
	s.NoError(s.store.OpenSession(s.ctx, w.session, info, lease))
	return w
}

// tryFetch asks for up to n tasks.
func (w *worker) tryFetch(n int) ([]store.Delivery, error) {
	w.fetches++
	return w.refetch(n)
}

// refetch repeats the last fetch, as after a lost reply.
func (w *worker) refetch(n int) ([]store.Delivery, error) {
	reply, err := w.s.store.Fetch(w.s.ctx, w.params(n))
	return reply.Deliveries, err
}

func (w *worker) params(n int) store.FetchParams {
	return store.FetchParams{
		Session:   w.session,
		Number:    w.fetches,
		Max:       n,
		MaxBytes:  64 << 20,
		Recovered: true,
		Queues:    w.queues,
	}
}

// fetch asks for up to n tasks once.
func (w *worker) fetch(n int) []store.Delivery {
	w.s.tb.Helper()
	ds, err := w.tryFetch(n)
	w.s.NoError(err)
	w.s.LessOrEqual(len(ds), n, "at most Max deliveries")
	return ds
}

// take fetches until it has n tasks, and requires that there are so many.
func (w *worker) take(n int) (ds []store.Delivery) {
	w.s.tb.Helper()
	for idle := 0; len(ds) < n && idle < 8; idle++ {
		w.s.promote(w.session.Partition)
		if got := w.fetch(min(n-len(ds), bounds.MaxBatch)); len(got) > 0 {
			ds, idle = append(ds, got...), 0
		}
	}
	w.s.Len(ds, n, "tasks to be delivered")
	return ds
}

// one takes one task.
func (w *worker) one() store.Delivery {
	w.s.tb.Helper()
	return w.take(1)[0]
}

// none requires that nothing is delivered.
func (w *worker) none(why string) {
	w.s.tb.Helper()
	for range 3 {
		w.s.promote(w.session.Partition)
		w.s.Empty(w.fetch(bounds.MaxBatch), "nothing is delivered: %s", why)
	}
}

// try reports outcomes.
func (w *worker) try(outcomes ...store.Outcome) (store.SettleReply, error) {
	w.settles++
	return w.resettle(outcomes...)
}

// resettle repeats the last settlement, as after a lost reply.
func (w *worker) resettle(outcomes ...store.Outcome) (store.SettleReply, error) {
	return w.s.store.Settle(w.s.ctx, store.SettleParams{
		Session: w.session, Number: w.settles, Worker: w.session.ID, Outcomes: outcomes, Times: w.times,
	})
}

// settle reports outcomes and requires that each is applied.
func (w *worker) settle(outcomes ...store.Outcome) store.SettleReply {
	w.s.tb.Helper()
	reply, err := w.try(outcomes...)
	w.s.NoError(err)
	w.s.Empty(reply.Lost, "every lease is still held")
	return reply
}

// succeed settles deliveries with success, MaxBatch at a time.
func (w *worker) succeed(ds ...store.Delivery) {
	w.s.tb.Helper()
	for len(ds) > 0 {
		n := min(len(ds), bounds.MaxBatch)
		outcomes := make([]store.Outcome, n)
		for i, d := range ds[:n] {
			outcomes[i] = success(d)
		}
		w.settle(outcomes...)
		ds = ds[n:]
	}
}

// drain runs what it can get until nothing more comes, settling each delivery as
// outcome says, and returns the deliveries in order. Delayed tasks that are not due stay.
func (w *worker) drain(outcome func(d store.Delivery) store.Outcome) (all []store.Delivery) {
	w.s.tb.Helper()
	for idle := 0; idle < 4; idle++ {
		w.s.promote(w.session.Partition)
		ds := w.fetch(bounds.MaxBatch)
		if len(ds) == 0 {
			continue
		}
		idle = 0
		outcomes := make([]store.Outcome, len(ds))
		for i, d := range ds {
			outcomes[i] = outcome(d)
		}
		w.settle(outcomes...)
		all = append(all, ds...)
	}
	return all
}

// stage parks a chunk of children under the delivery.
func (w *worker) stage(d store.Delivery, r store.Route, offset int, items ...store.Item) error {
	return w.s.store.Stage(
		w.s.ctx, store.StageParams{Session: w.session, Lease: d.Lease, Route: r, Offset: offset, Items: items},
	)
}

// heartbeat extends the lease for good and asks for the states of runs.
func (w *worker) heartbeat(runs ...*run) (store.HeartbeatReply, error) {
	ids := make([]store.RunID, len(runs))
	for i, r := range runs {
		ids[i] = r.id
	}
	return w.s.store.Heartbeat(w.s.ctx, store.HeartbeatParams{Session: w.session, Lease: steady, Runs: ids})
}

// held lists what the store says the session holds.
func (w *worker) held() []store.Delivery {
	w.s.tb.Helper()
	known := make(map[store.Lease]bool)
	var all []store.Delivery
	for {
		ds, err := w.s.store.Held(w.s.ctx, w.session, known)
		w.s.NoError(err)
		if len(ds) == 0 {
			return all
		}
		for _, d := range ds {
			known[d.Lease] = true
		}
		all = append(all, ds...)
	}
}

// close ends the session; what it holds goes back as after a crash.
func (w *worker) close() {
	w.s.tb.Helper()
	w.s.NoError(w.s.store.CloseSession(w.s.ctx, w.session))
}

// lapse waits until the leases of short-lived sessions have run out and a sweep has closed them.
func (s *scene) lapse(workers ...*worker) {
	s.tb.Helper()
	for _, w := range workers {
		s.until(w.session.Partition, "the session is swept", func() bool {
			live, err := s.store.LiveSessions(s.ctx, w.session.Partition)
			s.NoError(err)
			for _, rec := range live {
				if rec.ID == w.session.ID {
					return false
				}
			}
			_, err = s.store.Held(s.ctx, w.session, nil)
			s.ErrorIs(err, store.ErrLeaseLost)
			return true
		})
	}
}
