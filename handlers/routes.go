package handlers

import (
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// Queue returns the queue of a kind in code. Tasks wait there unless their options name another
// queue. Queue makes a Registry an [enqueue.Router]. For an unknown set or kind it returns a
// [*store.FieldError] for the field "Set" or "Kind".
func (r *Registry) Queue(set, kind string) (string, error) {
	return r.code.Queue(set, kind)
}

// Queues lists the queues of all kinds, sorted. A worker fetches from them by default.
func (r *Registry) Queues() []string {
	var queues []string
	for _, s := range r.sets {
		for _, k := range s.kinds {
			queues = append(queues, r.code.at(k.index).Queue)
		}
	}
	slices.Sort(queues)
	return slices.Compact(queues)
}

// Routes lists what a worker of these queues can run, sorted by queue, set and kind. Each queue has
// every kind and alias, because a task's options may name any queue. It also has the hooks of every
// set: they wait in the queue of the run's root task.
func (r *Registry) Routes(queues ...string) []store.Route {
	var routes []store.Route
	for _, queue := range queues {
		for _, set := range r.Sets() {
			kinds := append(r.sets[set].source.Kinds(), store.KindPreJob, store.KindPostJob)
			for _, kind := range kinds {
				routes = append(routes, store.Route{Queue: queue, Set: set, Kind: kind})
			}
		}
	}
	return routes
}
