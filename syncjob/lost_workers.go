package syncjob

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// LostWorkers lists the workers that were lost within the last day, newest first. A worker that
// shuts down in order is not among them. One that was lost several times is listed once, as it was
// lost last. Each partition of the store keeps the 100 workers that it lost last.
//
// A worker is given up by the sweep of another one: while no worker is alive, nobody notices that
// one dies. So after the last worker has died, the next that starts finds that out, a lease after
// its start. Workers whose lease has run out and that were not given up yet are listed by
// [Manager.Workers], with Overdue.
//
// If some partitions do not answer, the error is a [*PartialError], and the list has what the
// others know. It makes two calls to each partition. Records cost nothing while no worker is lost.
func (m *Manager) LostWorkers(ctx context.Context) ([]states.LostWorker, error) {
	lost := make([][]store.LostSession, m.store.Partitions())
	live := make([][]store.SessionRecord, len(lost))
	err := m.inEveryPartition(ctx, false, func(ctx context.Context, partition int) (err error) {
		if lost[partition], err = m.store.LostSessions(ctx, partition); err == nil {
			live[partition], err = m.store.LiveSessions(ctx, partition)
		}
		if err != nil {
			return fmt.Errorf("read lost workers of partition %d: %w", partition, err)
		}
		return nil
	})
	return mergeLost(lost, live), err
}

// mergeLost makes one worker of its last lost session in each partition.
func mergeLost(lost [][]store.LostSession, live [][]store.SessionRecord) (list []states.LostWorker) {
	workers := make(map[process]*states.LostWorker)
	for i, sessions := range lost {
		seen := make(map[process]bool)
		for _, s := range sessions { // newest first
			key := processOf(s.Worker)
			if seen[key] {
				continue
			}
			seen[key] = true
			w := workers[key]
			if w == nil {
				w = newLostWorker(s.Worker)
				workers[key] = w
			}
			w.Heard, w.Ended = latest(w.Heard, s.Heard), latest(w.Ended, s.Ended)
			w.Held += s.Held
		}
		for _, s := range live[i] {
			// A worker has one session in a partition at a time: this one is newer than the lost one.
			if key := processOf(s.Worker); seen[key] && !s.Overdue {
				workers[key].Back = true
			}
		}
	}
	for _, w := range workers {
		w.Reason = "was not heard from in time"
		if !w.Heard.IsZero() {
			w.Reason = fmt.Sprintf("was not heard from for %v", w.Ended.Sub(w.Heard).Round(time.Millisecond))
		}
		list = append(list, *w)
	}
	slices.SortFunc(list, func(a, b states.LostWorker) int {
		return cmp.Or(
			b.Ended.Compare(a.Ended), cmp.Compare(a.Name, b.Name), a.Started.Compare(b.Started), cmp.Compare(a.PID, b.PID),
		)
	})
	return list
}

func newLostWorker(info store.WorkerInfo) *states.LostWorker {
	return &states.LostWorker{
		Name: info.Name, Host: info.Host, PID: info.PID, Version: info.Version, Concurrency: info.Concurrency,
		Started: info.Started,
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
