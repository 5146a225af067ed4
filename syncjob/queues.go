package syncjob

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func addFigures(f, o *states.Figures) {
	f.Waiting += o.Waiting
	f.Held += o.Held
	f.Delayed += o.Delayed
	f.Retrying += o.Retrying
	f.Running += o.Running
	f.Oldest = earliest(f.Oldest, o.Oldest)
	f.Enqueued += o.Enqueued
	f.Started += o.Started
	f.Succeeded += o.Succeeded
	f.Failed += o.Failed
	f.Retried += o.Retried
}

// Queues reads the ledger of all queues that have tasks or had some, sorted by name. It does not
// read it in one step: tasks that move meanwhile may be missing or be counted twice. What does not
// move is counted exactly. The time grows with the number of runs with tasks, not with that of
// tasks. If some partitions do not answer, it has what the others have; the error is a
// [*PartialError] then.
func (m *Manager) Queues(ctx context.Context) ([]states.Queue, error) {
	parts := make([]queuesPart, m.store.Partitions())
	err := m.inEveryPartition(ctx, false, func(ctx context.Context, partition int) error {
		return parts[partition].read(ctx, m.store, partition)
	})
	if err != nil {
		err = fmt.Errorf("read queues: %w", err)
	}
	routes := make(map[store.Route]*states.Route)
	served := make(map[store.Route]int)
	for i := range parts {
		parts[i].addTo(routes)
		addServed(served, parts[i].sessions)
	}
	queues := make(map[string]*states.Queue)
	for route, r := range routes {
		q := queues[route.Queue]
		if q == nil {
			q = &states.Queue{Name: route.Queue}
			queues[route.Queue] = q
		}
		r.Unserved = served[route] == 0
		addFigures(&q.Figures, &r.Figures)
		q.Unserved = q.Unserved || r.Unserved && r.Waiting+r.Held > 0
		q.Routes = append(q.Routes, *r)
	}
	list := make([]states.Queue, 0, len(queues))
	for _, name := range slices.Sorted(maps.Keys(queues)) {
		q := queues[name]
		slices.SortFunc(q.Routes, func(a, b states.Route) int {
			return cmp.Or(cmp.Compare(a.Set, b.Set), cmp.Compare(a.Kind, b.Kind))
		})
		list = append(list, *q)
	}
	return list, err
}

// queuesPart is what one partition has of the ledger; nothing if it does not answer.
type queuesPart struct {
	stats    []store.QueueRecord
	pauses   store.PauseSet
	sessions []store.SessionRecord
}

func (p *queuesPart) read(ctx context.Context, s store.Store, partition int) (err error) {
	var read queuesPart
	if read.stats, err = s.QueueStats(ctx, partition); err != nil {
		return err
	}
	if read.pauses, err = s.Pauses(ctx, partition); err != nil {
		return err
	}
	if read.sessions, err = s.LiveSessions(ctx, partition); err != nil {
		return err
	}
	*p = read
	return nil
}

func (p *queuesPart) addTo(routes map[store.Route]*states.Route) {
	for i := range p.stats {
		q := &p.stats[i]
		r := routes[q.Route]
		if r == nil {
			r = &states.Route{Set: q.Route.Set, Kind: q.Route.Kind}
			routes[q.Route] = r
		}
		r.Runs += q.Runs
		addFigures(&r.Figures, &states.Figures{
			Waiting: q.Waiting, Held: q.Held, Delayed: q.Delayed, Retrying: q.Retrying, Running: q.Running, Oldest: q.Oldest,
			Enqueued: q.Enqueued, Started: q.Started, Succeeded: q.Succeeded, Failed: q.Failed, Retried: q.Retried,
		})
		for _, pause := range p.pauses.Covering(q.Route, nil) {
			at := slices.IndexFunc(r.Paused, func(s states.Pause) bool { return s.Scope == pause.Scope })
			if at < 0 {
				r.Paused = append(r.Paused, pauseState(pause))
			} else {
				r.Paused[at].Since = earliest(r.Paused[at].Since, pause.Since)
			}
		}
	}
}

// addServed counts, for each route, the sessions of workers that can run it. Every worker has a
// session in every partition. An overdue session is not counted: if all workers are dead, no worker
// removes their sessions, so they stay in the list.
func addServed(served map[store.Route]int, sessions []store.SessionRecord) {
	for i := range sessions {
		if isServing(&sessions[i]) {
			for _, r := range sessions[i].Worker.Routes {
				served[r]++
			}
		}
	}
}

// addQuiet counts, for each route, the sessions of live workers that can run it and do not fetch.
func addQuiet(quiet map[store.Route]int, sessions []store.SessionRecord) {
	for i := range sessions {
		if s := &sessions[i]; !s.Overdue && !isServing(s) {
			for _, r := range s.Worker.Routes {
				quiet[r]++
			}
		}
	}
}

// earliest returns the earlier of two times. Zero means no time.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
