package storetest

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// is gives the session of a worker a status.
func (w *worker) is(status statuses.WorkerStatus) {
	w.s.tb.Helper()
	w.s.NoError(w.s.store.SetWorkerStatus(w.s.ctx, w.statusParams(status)))
	w.hears(status)
}

func (w *worker) statusParams(status statuses.WorkerStatus) store.WorkerStatusParams {
	return store.WorkerStatusParams{Session: w.session, Status: status, Worker: "worker-1"}
}

// hears requires that the worker hears of a status, and that the session is listed with it.
func (w *worker) hears(status statuses.WorkerStatus) {
	w.s.tb.Helper()
	beat, err := w.heartbeat()
	w.s.NoError(err)
	w.s.Equal(status, beat.Status, "a heartbeat returns the status")
	for _, rec := range w.s.live(w.session.Partition) {
		if rec.ID == w.session.ID {
			w.s.Equal(status, rec.Worker.Status, "a session is listed with its status")
		}
	}
}

var quietContract = []testCase{
	{"a quiet session gets no task, and others do", func(s *scene) {
		for _, status := range []statuses.WorkerStatus{statuses.WorkerQuiet, statuses.WorkerDraining} {
			r := s.open(s.name("import"))
			p, w, other := r.producer(), r.worker(), s.worker(r.partition, steady)
			w.hears(statuses.WorkerActive)
			p.add(r, tasks(scan, "t", 3)...)
			w.is(status)
			w.none("it is " + string(status))
			other.succeed(other.one())
			w.is(status)
			w.is(statuses.WorkerActive)
			w.succeed(w.one())
			w.is(status)
			p.add(r, task(file, "later"))
			w.none("it is " + string(status) + " again")
			other.succeed(other.take(2)...)
			other.hears(statuses.WorkerActive)
			other.close()
			w.close()
		}
	}},
	{"a quiet session goes on with what it has", func(s *scene) {
		r := s.open("import")
		p, w, other := r.producer(), r.worker(), s.worker(r.partition, steady)
		p.add(r, tasks(scan, "t", 4)...)
		w.fetches++
		ds, err := w.refetch(4)
		s.NoError(err)
		for len(ds) == 0 { // the first call of a session may only learn what there is
			ds, err = w.refetch(4)
			s.NoError(err)
		}
		s.Len(ds, 4)
		w.is(statuses.WorkerQuiet)
		again, err := w.refetch(4)
		s.NoError(err)
		s.ElementsMatch(leases(ds), leases(again), "a repeat of a fetch that delivered")
		s.ElementsMatch(leases(ds), leases(w.held()))
		w.settle(
			success(ds[0], task(file, "child")), plain(ds[1], verdicts.Release), failed(ds[2]), success(ds[3]),
		)
		w.none("it is quiet")
		s.Len(other.drain(wellDone), 2)
		s.NoError(p.release(r, store.HoldOpen))
		r.status(statuses.Failed)
	}},
	{"hooks and recovered tasks do not come to a quiet session", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PreJob: hook(preJob)})
		dead, w := r.shortLived(), r.worker()
		w.is(statuses.WorkerQuiet)
		w.none("a hook is no exception")
		dead.one()
		s.lapse(dead)
		w.none("a recovered hook is none, either")
		w.is(statuses.WorkerActive)
		w.settle(plain(w.one(), verdicts.Begin))
	}},
	{"a session begins with its status, and a repeat does not undo a later one", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, task(scan, "t"))
		w := &worker{s: s, session: store.SessionID{Partition: r.partition, ID: "born-quiet"}, queues: everything()}
		open := func() {
			s.NoError(s.store.OpenSession(s.ctx, w.session, store.WorkerInfo{Status: statuses.WorkerQuiet}, steady))
		}
		open()
		w.hears(statuses.WorkerQuiet)
		w.none("it begins quiet")
		w.is(statuses.WorkerDraining)
		open()
		w.hears(statuses.WorkerDraining)
		w.is(statuses.WorkerActive)
		open()
		w.hears(statuses.WorkerActive)
		w.succeed(w.one())
	}},
	{"a status ends with its session", func(s *scene) {
		r := s.open("import")
		s.sweep(r.partition)
		w, dead := r.worker(), r.shortLived()
		w.is(statuses.WorkerQuiet)
		s.NoError(s.store.SetWorkerStatus(s.ctx, dead.statusParams(statuses.WorkerDraining)))
		s.lapse(dead)
		w.close()
		s.Empty(s.live(r.partition))
		s.Equal(statuses.WorkerActive, s.lostSessions(r.partition)[0].Worker.Status)
		for _, gone := range []*worker{w, dead} {
			s.ErrorIs(s.store.SetWorkerStatus(s.ctx, gone.statusParams(statuses.WorkerQuiet)), store.ErrLeaseLost)
		}
		w = &worker{s: s, session: store.SessionID{Partition: r.partition, ID: "unheard"}}
		s.ErrorIs(s.store.SetWorkerStatus(s.ctx, w.statusParams(statuses.WorkerQuiet)), store.ErrLeaseLost)
		s.Empty(s.live(r.partition), "nothing was written")
	}},
	{"each change of a status adds a line, and none that changes nothing", func(s *scene) {
		w := s.worker(s.store.Partitions()-1, steady)
		for _, action := range []actions.Action{actions.Quiet, actions.Drain, actions.Resume} {
			status := map[actions.Action]statuses.WorkerStatus{
				actions.Quiet: statuses.WorkerQuiet, actions.Drain: statuses.WorkerDraining,
			}[action]
			want := store.AuditLine{Action: action, Subject: "worker worker-1"}
			s.adds(w.session.Partition, want, func(ctx context.Context) error {
				return s.store.SetWorkerStatus(ctx, w.statusParams(status))
			})
		}
	}},
	{"a status is signalled to its worker", func(s *scene) {
		w := s.worker(0, steady)
		for _, status := range []statuses.WorkerStatus{statuses.WorkerQuiet, statuses.WorkerActive} {
			l := s.listen()
			w.is(status)
			l.hears("its status", func(sig store.Signal) bool {
				return sig.Type == signals.Worker && sig.Session == w.session.ID && sig.Partition == 0
			})
			l.stop()
		}
	}},
}
