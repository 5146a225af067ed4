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

// QueueState counts the tasks of one queue, of all jobs. An autoscaler can use it, and it shows a
// queue that no worker serves.
type QueueState struct {
	Name    string    `json:"name"`
	Waiting int64     `json:"waiting"`
	Running int64     `json:"running"`         // held by workers, running or about to
	Oldest  time.Time `json:"oldest,omitzero"` // enqueue time of the oldest task at the front; zero if none waits
	// Unserved is true if tasks wait here that no live worker can run.
	Unserved bool         `json:"unserved"`
	Routes   []RouteState `json:"routes"` // sorted by set and kind
}

// RouteState counts the tasks of a queue that one handler runs: those of one set and kind.
type RouteState struct {
	Set      string    `json:"set"`
	Kind     string    `json:"kind"`
	Waiting  int64     `json:"waiting"`
	Running  int64     `json:"running"`
	Runs     int64     `json:"runs"` // runs with work here
	Oldest   time.Time `json:"oldest,omitzero"`
	Unserved bool      `json:"unserved"` // no live worker has the queue and the handler
}

// Queues reads all queues that have tasks, sorted by name. It does not read them in one step: tasks
// that move meanwhile may be missing or be counted twice. If some partitions do not answer, it counts
// what the others have; the error is a [*PartialError] then.
func (m *Manager) Queues(ctx context.Context) ([]QueueState, error) {
	routes := make(map[store.Route]*RouteState)
	served := make(map[store.Route]int)
	stats := make([][]store.QueueRecord, m.store.Partitions())
	sessions := make([][]store.SessionRecord, m.store.Partitions())
	err := m.inEveryPartition(ctx, false, func(ctx context.Context, partition int) (err error) {
		if stats[partition], err = m.store.QueueStats(ctx, partition); err == nil {
			sessions[partition], err = m.store.LiveSessions(ctx, partition)
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("read queues: %w", err)
	}
	for partition := range stats {
		for _, q := range stats[partition] {
			r := routes[q.Route]
			if r == nil {
				r = &RouteState{Set: q.Route.Set, Kind: q.Route.Kind}
				routes[q.Route] = r
			}
			r.Waiting += q.Waiting
			r.Running += q.Running
			r.Runs += q.Runs
			r.Oldest = earliest(r.Oldest, q.Oldest)
		}
		addServed(served, sessions[partition])
	}
	queues := make(map[string]*QueueState)
	for route, r := range routes {
		q := queues[route.Queue]
		if q == nil {
			q = &QueueState{Name: route.Queue}
			queues[route.Queue] = q
		}
		r.Unserved = served[route] == 0
		q.Waiting += r.Waiting
		q.Running += r.Running
		q.Oldest = earliest(q.Oldest, r.Oldest)
		q.Unserved = q.Unserved || r.Unserved && r.Waiting > 0
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

// addServed counts, for each route, the sessions of workers that can run it. Every worker has a
// session in every partition. An overdue session is not counted: if all workers are dead, no worker
// removes their sessions, so they stay in the list.
func addServed(served map[store.Route]int, sessions []store.SessionRecord) {
	for _, s := range sessions {
		if s.Overdue {
			continue
		}
		for _, r := range s.Worker.Routes {
			served[r]++
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
