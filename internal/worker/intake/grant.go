package intake

import (
	"iter"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// Grant is the permission for one fetch. It ends with an answer, or it becomes a debt.
type Grant struct {
	Max     int
	Suspect bool
	Queues  []store.FetchQueue // in the order in which to ask for them
	PerRun  []store.RunLimit

	src    *Source
	shares []share // shares of limits; reserved until the fetch is answered
	back   bool    // the room was given back
}

// Budgets returns the grant's shares of limits, in the form for a fetch.
func (g *Grant) Budgets() []store.Budget {
	if len(g.shares) == 0 {
		return nil
	}
	list := make([]store.Budget, len(g.shares))
	for i, s := range g.shares {
		list[i] = store.Budget{Scope: s.limit.scope, Left: s.n, Until: s.until}
	}
	return list
}

// GiveBack returns the room of a grant whose fetch failed. The fetch will be repeated, and the
// source stays busy until it is answered.
func (g *Grant) GiveBack() {
	in := g.src.in
	in.mu.Lock()
	defer in.mu.Unlock()
	g.returnLocked()
	in.decideLocked()
}

// Owe ends a grant whose fetch ended without an answer. The fetch may have leased tasks. So its
// shares of limits stay reserved until it is known that the session is gone.
func (g *Grant) Owe(d *Debt) {
	g.src.in.mu.Lock()
	defer g.src.in.mu.Unlock()
	d.shares = append(d.shares, g.shares...)
}

func (g *Grant) returnLocked() {
	if g.back {
		return
	}
	g.back = true
	in := g.src.in
	in.inHand.Add(-int64(g.Max))
	if g.Suspect {
		in.suspect = false
	}
}

// Answered reports the answer to a fetch, and which tasks are leased.
func (g *Grant) Answered(r *store.FetchReply, took time.Duration, tasks iter.Seq[*Task]) {
	got, suspects := len(r.Deliveries), 0
	for i := range r.Deliveries {
		if r.Deliveries[i].Task.Recovered {
			suspects++
		}
	}
	src, in := g.src, g.src.in
	in.mu.Lock()
	defer in.mu.Unlock()
	in.limits.fetchedLocked(g, r, tasks)
	in.queues.receivedLocked(r.Deliveries)
	in.pace.sample(took)
	g.returnLocked()
	in.inHand.Add(int64(got))
	in.suspect = in.suspect || suspects > 0
	src.suspect = src.suspect || suspects > 0
	src.busy = false
	src.unsettled += got
	src.turn.receive(got)
	if src.unasked += got; g.Suspect {
		src.unasked = 0
	}
	switch {
	case got > 0:
		src.hot = src.hot || !r.Drained // a signal may have come meanwhile
	case !g.Suspect:
		src.unprobed = true
	}
	in.decideLocked()
}
