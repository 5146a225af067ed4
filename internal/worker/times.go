package worker

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/histogram"
)

// timesEvery is how often a session sends histograms at most.
const timesEvery = time.Second

// took says how long a task waited for an attempt, and how long that took, as buckets.
type took struct {
	known     bool // the attempt counts, and was not gathered yet
	wait, run uint8
}

// timing gathers the histograms of a session until they travel with a settlement: its number makes
// them count once. Only the settle loop uses it. What was not sent when the session is lost is
// lost.
type timing struct {
	routes map[store.Route]*counts
	last   *counts // of the last task
	sent   time.Time
	timer  *time.Timer
	armed  bool
}

type counts struct {
	route     store.Route
	wait, run histogram.Counts
}

func newTiming() *timing {
	t := &timing{routes: make(map[store.Route]*counts), timer: time.NewTimer(timesEvery)}
	t.timer.Stop()
	return t
}

// count counts an attempt, once.
func (t *timing) count(route *store.Route, k *took) {
	if !k.known {
		return
	}
	c := t.of(route)
	c.wait[k.wait]++
	c.run[k.run]++
	k.known = false
}

func (t *timing) of(route *store.Route) *counts {
	if t.last != nil && t.last.route == *route {
		return t.last
	}
	t.last = t.routes[*route]
	if t.last == nil {
		t.last = &counts{route: *route}
		t.routes[*route] = t.last
	}
	return t.last
}

// isDue reports whether the next settlement is to bring something. It is not if some was sent
// within the last second, unless it is the last settlement.
func (t *timing) isDue(last bool) bool {
	return len(t.routes) > 0 && (last || time.Since(t.sent) >= timesEvery)
}

// due returns what the next settlement is to bring.
func (t *timing) due(last bool) (all []store.RouteTimes) {
	if !t.isDue(last) {
		return nil
	}
	for route, c := range t.routes {
		all = append(all, store.RouteTimes{
			Route: route, Times: store.Times{Wait: c.wait.Histogram(), Run: c.run.Histogram()},
		})
		if len(all) == bounds.MaxRouteTimes {
			break // the others come with the next settlement
		}
	}
	return all
}

// arrived forgets what a settlement brought.
func (t *timing) arrived(all []store.RouteTimes) {
	if len(all) == 0 {
		return
	}
	for i := range all {
		delete(t.routes, all[i].Route)
	}
	t.last = nil
	if len(t.routes) == 0 {
		t.sent = time.Now()
	}
}

// wait returns a channel that tells when to send what no settlement has taken along.
func (t *timing) wait() <-chan time.Time {
	if len(t.routes) > 0 && !t.armed {
		t.armed = true
		t.timer.Reset(timesEvery - time.Since(t.sent))
	}
	return t.timer.C
}
