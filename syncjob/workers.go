package syncjob

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// WorkerRef is a reference to the workers of one name, or to the one of an ID. Usually this is one,
// alive or not. Making one makes no call and does not check that a worker is alive: see
// [Manager.Worker]. Its methods may be called concurrently.
type WorkerRef struct {
	m    *Manager
	name string
}

// Worker returns a reference to a worker by [WorkerConfig.Name], or by [states.Worker].ID. It makes
// no call.
func (m *Manager) Worker(id string) *WorkerRef { return &WorkerRef{m: m, name: id} }

// Name returns the name, or the ID, that the reference was made with.
func (w *WorkerRef) Name() string { return w.name }

// States returns one state for each live worker that is meant, sorted by start; none if no such
// worker is alive. It reads all workers, as [Manager.Workers] does.
func (w *WorkerRef) States(ctx context.Context) ([]states.Worker, error) {
	all, err := w.m.Workers(ctx)
	return slices.DeleteFunc(all, func(s states.Worker) bool { return s.Name != w.name && s.ID != w.name }), err
}

// Workers lists the workers that are alive, sorted by name and start. Each worker is known to every
// partition, so if some do not answer, Held and Running lack what they know; the error is a
// [*PartialError] then.
func (m *Manager) Workers(ctx context.Context) ([]states.Worker, error) {
	sessions := make([][]store.SessionRecord, m.store.Partitions())
	err := m.inEveryPartition(ctx, false, func(ctx context.Context, partition int) (err error) {
		sessions[partition], err = m.store.LiveSessions(ctx, partition)
		return err
	})
	if err != nil {
		err = fmt.Errorf("read workers: %w", err)
	}
	workers := make(map[process]*states.Worker)
	for _, sessions := range sessions {
		for _, s := range sessions {
			key := processOf(s.Worker)
			w := workers[key]
			if w == nil {
				w = newWorkerState(&s)
				workers[key] = w
			}
			w.Expires = earliest(w.Expires, s.Expires)
			w.Overdue = w.Overdue || s.Overdue
			noteStatus(w, workerStatus(s.Worker.Status))
			w.Held += s.Held
			w.Running = append(w.Running, s.Running...)
			for set, version := range s.Configurations {
				if w.Configurations == nil {
					w.Configurations = make(map[string]int64)
				}
				w.Configurations[set] = max(w.Configurations[set], version)
			}
		}
	}
	list := make([]states.Worker, 0, len(workers))
	for _, w := range workers {
		w.Busy = min(len(w.Running), w.Concurrency)
		w.Idle = w.Concurrency - w.Busy
		list = append(list, *w)
	}
	slices.SortFunc(list, func(a, b states.Worker) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Started.Compare(b.Started), cmp.Compare(a.PID, b.PID))
	})
	return list, err
}

// noteStatus adds the status of a partition.
func noteStatus(w *states.Worker, s states.WorkerStatus) {
	w.Partial = w.Partial || s != w.Status
	if slices.Index(workerStatuses, s) < slices.Index(workerStatuses, w.Status) {
		w.Status = s
	}
}

// process is the identity of a worker, which has a session in each partition.
type process struct {
	name, host string
	pid        int
	started    int64
}

func processOf(info store.WorkerInfo) process {
	return process{info.Name, info.Host, info.PID, info.Started.UnixNano()}
}

func newWorkerState(s *store.SessionRecord) *states.Worker {
	info := &s.Worker
	w := &states.Worker{
		ID:          workerID(s.ID),
		Status:      workerStatus(info.Status),
		Name:        info.Name,
		Host:        info.Host,
		PID:         info.PID,
		Version:     info.Version,
		Concurrency: info.Concurrency,
		Started:     info.Started,
	}
	for _, r := range info.Routes {
		w.Queues = append(w.Queues, r.Queue)
		if r.Counted() { // it is no hook
			w.Kinds = append(w.Kinds, r.Set+"/"+r.Kind)
		}
	}
	slices.Sort(w.Queues)
	slices.Sort(w.Kinds)
	w.Queues, w.Kinds = slices.Compact(w.Queues), slices.Compact(w.Kinds)
	return w
}
