package memstore

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// allowance limits the tasks of one fetch: by the budgets of its worker, and by the limits of each
// run. A nil allowance has no limits.
type allowance struct {
	budgets []store.Budget // with what is left of them
	perRun  []store.RunLimit
	waiting []bool // by budget: more tasks of its scope wait
}

func newAllowance(p *store.FetchParams, now time.Time) *allowance {
	if len(p.Budgets) == 0 && len(p.PerRun) == 0 {
		return nil
	}
	b := &allowance{budgets: slices.Clone(p.Budgets), perRun: p.PerRun, waiting: make([]bool, len(p.Budgets))}
	for i := range b.budgets {
		if until := b.budgets[i].Until; !until.IsZero() && !now.Before(until) {
			b.budgets[i].Left = 0
		}
	}
	return b
}

// affords returns how many more tasks of a route the budgets allow.
func (b *allowance) affords(r store.Route) int {
	left := math.MaxInt
	for i := range b.budgets {
		if b.budgets[i].Scope.Covers(r) {
			left = min(left, b.budgets[i].Left)
		}
	}
	return left
}

// allows returns how many more tasks of a lane the limits of its run allow.
func (b *allowance) allows(l *lane) int {
	left := math.MaxInt
	for i := range b.perRun {
		if limit := &b.perRun[i]; limit.Scope.Covers(l.route) {
			left = min(left, limit.Max-l.run.leased(limit.Scope))
		}
	}
	return left
}

// pick finds, on one side of the rings, the least advanced lane from which tasks may be taken, and
// how many. It returns nil if there is none.
func (k *picking) pick(rings []*ring, side func(*ring) *heap[*lane]) (*lane, int) {
	for {
		l := next(rings, side)
		if l == nil || k.allowance == nil {
			return l, math.MaxInt
		}
		affords, allows := k.affords(l.route), k.allows(l)
		switch {
		case affords < 1:
			rings = slices.DeleteFunc(slices.Clone(rings), func(g *ring) bool { return g == l.ring })
		case allows < 1:
			k.standAside(l)
		default:
			return l, min(affords, allows)
		}
	}
}

// spend counts a delivery, and reports whether its run counts it by kind.
func (k *picking) spend(l *lane) (tallied bool) {
	if k.allowance == nil {
		return false
	}
	for i := range k.budgets {
		if k.budgets[i].Scope.Covers(l.route) {
			k.budgets[i].Left--
		}
	}
	tallied = slices.ContainsFunc(k.perRun, func(r store.RunLimit) bool { return r.Scope.Covers(l.route) })
	if tallied {
		l.run.tally(l.route, 1)
	}
	return tallied
}

// spent sets a served lane aside at once if its run has reached its limit. Then raising the limit
// wakes workers, even if no other fetch has visited the lane.
func (k *picking) spent(l *lane) {
	if k.allowance != nil && (l.waitingAt >= 0 || l.recoveredAt >= 0) && k.allows(l) < 1 {
		k.standAside(l)
	}
}

// endTurn records the budgets that made the rings of a queue wait.
func (k *picking) endTurn(rings []*ring) {
	if k.allowance == nil {
		return
	}
	for _, g := range rings {
		for _, h := range []*heap[*lane]{&g.waiting, &g.recovered} {
			for i := range k.budgets {
				if h.len() > 0 && k.budgets[i].Left < 1 && k.budgets[i].Scope.Covers(h.top().route) {
					k.allowance.waiting[i] = true
				}
			}
		}
	}
}

// short lists the budgets that are used up while more tasks wait.
func (b *allowance) short() (short []int) {
	if b == nil {
		return nil
	}
	for i, waiting := range b.waiting {
		if waiting {
			short = append(short, i)
		}
	}
	return short
}

// kind is the key by which a run counts leased tasks.
type kind struct{ set, kind string }

// tally counts leased tasks by kind.
func (r *run) tally(route store.Route, n int) {
	if r.tallies == nil {
		r.tallies = make(map[kind]int)
	}
	r.tallies[kind{route.Set, route.Kind}] += n
}

func (r *run) leased(s store.Scope) (n int) {
	for _, k := range s.Kinds {
		n += r.tallies[kind{s.Set, k}]
	}
	return n
}

// standAside takes a lane out of its ring because its run has reached its limit. It stays out until
// the run may go on.
func (p *partition) standAside(l *lane) {
	p.leaveRing(l)
	l.aside = true
	l.run.aside = append(l.run.aside, l)
}

// goOn puts the lanes of a run that stand aside back into their rings.
func (p *partition) goOn(r *run, which func(*lane) bool) {
	var stay []*lane
	for _, l := range r.aside {
		if !which(l) {
			stay = append(stay, l)
			continue
		}
		l.aside = false
		p.enterRing(l)
	}
	r.aside = stay
}

// Reconsider puts all lanes of the routes that stand aside back into their rings.
func (s *backend) Reconsider(ctx context.Context, partition int, routes []store.Route) error {
	part, err := s.at(ctx, partition)
	if err != nil {
		return err
	}
	defer part.unlock()
	for _, r := range part.active {
		part.goOn(r, func(l *lane) bool { return slices.Contains(routes, l.route) })
	}
	return nil
}

// untally takes a settled task out of the count of its kind. So the run may go on.
func (p *partition) untally(h *holding) {
	if !h.tallied {
		return
	}
	r := h.lane.run
	r.tally(h.lane.route, -1)
	p.goOn(r, func(*lane) bool { return true })
}

// wholeMillis rounds up to milliseconds, as a server does.
func wholeMillis(d time.Duration) time.Duration {
	if rest := d % time.Millisecond; rest > 0 && d <= math.MaxInt64-time.Millisecond {
		return d - rest + time.Millisecond
	}
	return d
}
