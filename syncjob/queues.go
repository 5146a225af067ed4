package syncjob

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// QueueState is the ledger of one queue, of all jobs. An autoscaler can use it, and it shows a
// queue that no worker serves.
type QueueState struct {
	Name string `json:"name"`
	QueueFigures
	// Unserved is true if tasks wait here, or are held, that no live worker can run, or all that
	// can are quiet.
	Unserved bool         `json:"unserved"`
	Routes   []RouteState `json:"routes"` // sorted by set and kind
}

// RouteState is the ledger of what a queue has for one handler: for one set and kind.
type RouteState struct {
	Set  string `json:"set"`
	Kind string `json:"kind"`
	QueueFigures
	Runs     int64 `json:"runs"`     // runs with waiting or held tasks
	Unserved bool  `json:"unserved"` // no live worker that fetches has the queue and the handler
	// Paused are the pauses that cover it, with read-only mode, which has the empty scope. They may
	// not hold back the sets that read-only mode leaves out.
	Paused []PauseState `json:"paused,omitempty"`
}

// QueueFigures count tasks, without hooks. Each task that is there is in one of the depths, as
// [Run.Tasks] lists it; one that has expired is counted where it was, until a worker fetches it.
//
// The other figures count since the route was first used, and only grow. But Started falls when a
// worker gives back a task that it did not begin, and may when an attempt ends amid a reading;
// Enqueued falls when a child that a task enqueued turns out to be a duplicate. Figures of a route
// are kept while it has waiting tasks, or is among the 10,000 of its partition that had some last.
type QueueFigures struct {
	Waiting  int64     `json:"waiting"`
	Held     int64     `json:"held"`            // paused, or the pre-job hook has not passed
	Delayed  int64     `json:"delayed"`         // until a time
	Retrying int64     `json:"retrying"`        // likewise, after an attempt that failed
	Running  int64     `json:"running"`         // held by workers, running or about to
	Oldest   time.Time `json:"oldest,omitzero"` // since when the first waits; zero if none does

	Enqueued  int64 `json:"enqueued"`  // tasks that were added to runs; a retry of a failed one is none
	Started   int64 `json:"started"`   // attempts that ended in whatever way, and Running
	Succeeded int64 `json:"succeeded"` // tasks
	Failed    int64 `json:"failed"`    // tasks that failed for good
	Retried   int64 `json:"retried"`   // attempts that failed, and are made again
}

func (f *QueueFigures) add(o *QueueFigures) {
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
func (m *Manager) Queues(ctx context.Context) ([]QueueState, error) {
	parts := make([]queuesPart, m.store.Partitions())
	err := m.inEveryPartition(ctx, false, func(ctx context.Context, partition int) error {
		return parts[partition].read(ctx, m.store, partition)
	})
	if err != nil {
		err = fmt.Errorf("read queues: %w", err)
	}
	routes := make(map[store.Route]*RouteState)
	served := make(map[store.Route]int)
	for i := range parts {
		parts[i].addTo(routes)
		addServed(served, parts[i].sessions)
	}
	queues := make(map[string]*QueueState)
	for route, r := range routes {
		q := queues[route.Queue]
		if q == nil {
			q = &QueueState{Name: route.Queue}
			queues[route.Queue] = q
		}
		r.Unserved = served[route] == 0
		q.add(&r.QueueFigures)
		q.Unserved = q.Unserved || r.Unserved && r.Waiting+r.Held > 0
		q.Routes = append(q.Routes, *r)
	}
	list := make([]QueueState, 0, len(queues))
	for _, name := range slices.Sorted(maps.Keys(queues)) {
		q := queues[name]
		slices.SortFunc(q.Routes, func(a, b RouteState) int {
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

func (p *queuesPart) addTo(routes map[store.Route]*RouteState) {
	for i := range p.stats {
		q := &p.stats[i]
		r := routes[q.Route]
		if r == nil {
			r = &RouteState{Set: q.Route.Set, Kind: q.Route.Kind}
			routes[q.Route] = r
		}
		r.Runs += q.Runs
		r.add(&QueueFigures{
			Waiting: q.Waiting, Held: q.Held, Delayed: q.Delayed, Retrying: q.Retrying, Running: q.Running, Oldest: q.Oldest,
			Enqueued: q.Enqueued, Started: q.Started, Succeeded: q.Succeeded, Failed: q.Failed, Retried: q.Retried,
		})
		for _, pause := range p.pauses.Covering(q.Route, nil) {
			at := slices.IndexFunc(r.Paused, func(s PauseState) bool { return s.Scope == pause.Scope })
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
