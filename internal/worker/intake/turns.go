package intake

import (
	"cmp"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// turn is the place of a claimant among others that receive something in proportion to their
// weights (stride scheduling): whoever has received the least for its weight comes first.
type turn struct {
	weight float64
	pass   float64 // received / weight
}

// receive charges what the claimant was given.
func (t *turn) receive(n int) { t.pass += float64(n) / t.weight }

// lift takes from a claimant the right to a burst that it saved up while it wanted, or had,
// nothing: floor is the place of the first of those that did.
func (t *turn) lift(floor float64) { t.pass = max(t.pass, floor) }

// Queue is a queue of a worker, with the routes that it can run.
type Queue struct {
	store.FetchQueue
	Weight float64
}

// queueOrder decides in which order a fetch asks a worker's queues: by turns, or strictly as they
// are configured.
type queueOrder struct {
	queues []store.FetchQueue // as configured
	strict bool
	index  map[string]int

	// Guarded by Intake.mu.
	turns []turn
	order []int // indexes of the queues, the most entitled first
	got   []int
}

func newQueueOrder(queues []Queue, strict bool) *queueOrder {
	o := &queueOrder{index: make(map[string]int, len(queues)), got: make([]int, len(queues)), strict: strict}
	for i, q := range queues {
		o.queues = append(o.queues, q.FetchQueue)
		o.index[q.Queue] = i
		o.turns = append(o.turns, turn{weight: q.Weight})
		o.order = append(o.order, i)
	}
	return o
}

// nextLocked is what to ask for. The result is in buf unless there is but one queue.
func (o *queueOrder) nextLocked(buf []store.FetchQueue) []store.FetchQueue {
	if len(o.queues) == 1 {
		return o.queues
	}
	if !o.strict {
		slices.SortFunc(o.order, func(a, b int) int {
			return cmp.Or(cmp.Compare(o.turns[a].pass, o.turns[b].pass), a-b)
		})
	}
	for _, i := range o.order {
		buf = append(buf, o.queues[i])
	}
	return buf
}

// receivedLocked charges deliveries to their queues. All queues were asked, so one that gave
// nothing had nothing.
func (o *queueOrder) receivedLocked(ds []store.Delivery) {
	if len(o.queues) == 1 || len(ds) == 0 {
		return
	}
	clear(o.got)
	for i := range ds {
		if q, ok := o.index[ds[i].Lease.Lane.Route.Queue]; ok {
			o.got[q]++
		}
	}
	floor, found := 0.0, false
	for q, n := range o.got {
		if n > 0 && (!found || o.turns[q].pass < floor) {
			floor, found = o.turns[q].pass, true
		}
	}
	for q, n := range o.got {
		if n > 0 {
			o.turns[q].receive(n)
		} else {
			o.turns[q].lift(floor)
		}
	}
}
