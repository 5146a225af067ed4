package storetest

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// modelBounds is what is left to a worker that fetches within bounds, as the model counts it.
type modelBounds struct {
	budgets []store.Budget
	perRun  []store.RunLimit
}

// Times that every clock has passed, and that none comes to.
var (
	longAgo = time.Unix(1e8, 0)
	farOff  = time.Unix(1e10, 0)
)

// bounds draws budgets and limits of each run.
func (m *machine) bounds(t *rapid.T) *modelBounds {
	scopes := rapid.SampledFrom([]store.Scope{scope(scan), scope(file), scope(scan, file)})
	b := &modelBounds{}
	for range rapid.IntRange(0, 2).Draw(t, "budgets") {
		b.budgets = append(b.budgets, store.Budget{
			Scope: scopes.Draw(t, "scope"), Left: rapid.IntRange(0, 4).Draw(t, "left"),
			Until: rapid.SampledFrom([]time.Time{{}, {}, longAgo, farOff}).Draw(t, "until"),
		})
	}
	for range rapid.IntRange(0, 2).Draw(t, "limits") {
		b.perRun = append(
			b.perRun,
			store.RunLimit{Scope: scopes.Draw(t, "scope of runs"), Max: rapid.IntRange(1, 3).Draw(t, "of each run")},
		)
	}
	return b
}

// FetchWithin fetches within bounds until nothing more comes. What waits then is over one of them.
func (m *machine) FetchWithin(t *rapid.T) {
	w, b := m.worker(t), m.bounds(t)
	most := rapid.SampledFrom([]int{2, bounds.MaxBatch}).Draw(t, "max")
	for idle := 0; idle < 4; idle++ {
		w.fetches++
		p := w.params(most)
		p.Recovered = w.mayTakeRecovered()
		p.Budgets, p.PerRun = slices.Clone(b.budgets), b.perRun
		reply := m.lease(w, p)
		if len(reply.Deliveries) > 0 {
			idle = 0
		}
		m.charge(b, p, reply)
		for _, i := range reply.Short {
			m.s.Zero(b.budgets[i].Left, "a budget of which something is left is not short")
		}
	}
	if w.status != statuses.WorkerActive {
		return // where everything waits
	}
	for _, r := range m.m.ordered() {
		for _, task := range r.tasks {
			if !r.deliverable(task) || m.m.pauses.cover(task.item.Route) || task.recovered && !w.mayTakeRecovered() {
				continue
			}
			m.s.True(
				m.over(b, r, task.item.Route), "%s of %v is within all bounds, and not delivered", task.item.Task.ID, r.id,
			)
		}
	}
}

// charge takes what one fetch delivered from what was left, and requires that nothing is overdrawn.
func (m *machine) charge(b *modelBounds, p store.FetchParams, reply store.FetchReply) {
	for i := range b.budgets {
		if until := b.budgets[i].Until; !until.IsZero() && !reply.Now.Before(until) {
			b.budgets[i].Left = 0
		}
	}
	for _, d := range reply.Deliveries {
		route := d.Lease.Lane.Route
		m.s.Equal(p.Tallies(route), d.Lease.Tallied, "tallied")
		for i := range b.budgets {
			if b.budgets[i].Scope.Covers(route) {
				b.budgets[i].Left--
				m.s.GreaterOrEqual(b.budgets[i].Left, 0, "no budget is overdrawn")
			}
		}
		for _, limit := range b.perRun {
			if limit.Scope.Covers(route) {
				m.s.LessOrEqual(m.tallied(d.Lease.Lane.Run, limit.Scope), limit.Max, "no run has more than its limit")
			}
		}
	}
}

// tallied counts what is leased of a scope of a run by fetches that named a limit for it.
func (m *machine) tallied(run store.RunID, s store.Scope) (n int) {
	for _, w := range m.workers {
		for lease := range w.holds {
			if lease.Tallied && lease.Lane.Run == run && s.Covers(lease.Lane.Route) {
				n++
			}
		}
	}
	return n
}

// over reports whether a task of the route is kept back by one of the bounds.
func (m *machine) over(b *modelBounds, r *modelRun, route store.Route) bool {
	return slices.ContainsFunc(
		b.budgets, func(budget store.Budget) bool { return budget.Scope.Covers(route) && budget.Left == 0 },
	) ||
		slices.ContainsFunc(b.perRun, func(l store.RunLimit) bool { return l.Scope.Covers(route) && m.tallied(r.id, l.Scope) >= l.Max })
}
