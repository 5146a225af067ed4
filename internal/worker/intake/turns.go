package intake

import (
	"cmp"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// turn is the place of one claimant among others. They share something by weight (stride
// scheduling): the claimant that received the least for its weight comes first.
type turn struct {
	weight float64
	pass   float64 // received / weight
}

// receive records what the claimant was given.
func (t *turn) receive(n int) { t.pass += float64(n) / t.weight }

// lift prevents a burst of a claimant that wanted or had nothing for a while: it moves up to floor,
// the place of the first among the others.
func (t *turn) lift(floor float64) { t.pass = max(t.pass, floor) }

// Queue is a queue of a worker, with the routes that the worker can run.
type Queue struct {
	store.FetchQueue
	Weight float64
}

// queueOrder decides in which order a fetch asks a worker's queues: by turns, or strictly as
// configured.
type queueOrder struct {
	queues []store.FetchQueue // as configured
	strict bool
	index  map[string]int

	// Guarded by Intake.mu.
	turns []turn
	order []int // indexes of the queues in the order of their turns
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

// nextLocked returns the queues to ask, in order. If there are several, the result is in buf.
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

// receivedLocked counts deliveries for their queues. The fetch asked all queues, so a queue that
// gave nothing was empty.
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
