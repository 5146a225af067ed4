package handlers

import (
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// Queue returns the queue in code that tasks of a kind wait in unless they say otherwise.
// It makes a Registry an [enqueue.Router]. An unknown set or kind is a
// [*store.FieldError] for the field "Set" or "Kind".
func (r *Registry) Queue(set, kind string) (string, error) {
	return r.code.Queue(set, kind)
}

// Queues lists the queues of all kinds, sorted: what a worker consumes by
// default.
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

// Routes lists what a worker of the given queues can run, sorted by set and kind within
// each queue: every kind and alias on every queue, since any task may name a queue of
// its own, and the hooks of every set, which wait on the queue of the run's root
// task.
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
