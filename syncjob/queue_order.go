package syncjob

import (
	"sync"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
)

// queueOrder decides in which order a fetch asks a worker's queues.
type queueOrder struct {
	queues []store.FetchQueue // as configured, each with the routes that the worker can run
	index  map[string]int

	mu    sync.Mutex
	turns *strider
	order []int
	got   []int
}

func newQueueOrder(reg *handlers.Registry, queues []Queue, strict bool) *queueOrder {
	o := &queueOrder{index: make(map[string]int, len(queues)), got: make([]int, len(queues))}
	weights := make([]float64, len(queues))
	for i, q := range queues {
		o.queues = append(o.queues, store.FetchQueue{Queue: q.Name, Routes: reg.Routes(q.Name)})
		o.index[q.Name] = i
		weights[i] = q.Weight
	}
	o.turns = newStrider(weights, strict)
	return o
}

func (o *queueOrder) serves(queue string) bool {
	_, ok := o.index[queue]
	return ok
}

func (o *queueOrder) routes() []store.Route {
	var routes []store.Route
	for _, q := range o.queues {
		routes = append(routes, q.Routes...)
	}
	return routes
}

// next is what to ask for. The result is in buf unless there is but one queue.
func (o *queueOrder) next(buf []store.FetchQueue) []store.FetchQueue {
	if len(o.queues) == 1 {
		return o.queues
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.order = o.turns.order(o.order[:0])
	for _, i := range o.order {
		buf = append(buf, o.queues[i])
	}
	return buf
}

// received charges deliveries to their queues.
func (o *queueOrder) received(ds []store.Delivery) {
	if len(o.queues) == 1 || len(ds) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.got)
	for i := range ds {
		if q, ok := o.index[ds[i].Lease.Lane.Route.Queue]; ok {
			o.got[q]++
		}
	}
	o.turns.received(o.got)
}
