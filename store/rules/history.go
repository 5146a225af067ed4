package rules

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// Noted is what the history of a partition has noted, in the order of the routes; the zero route
// has the sum of those without points of their own.
type Noted struct {
	Minute, Hour int64 // in which points were made last, since 1970: of minutes, and of hours
	Routes       []NotedRoute
}

// NotedRoute is what is noted of a route.
type NotedRoute struct {
	Route   store.Route
	Last    store.Figures // at its last point of a minute
	Hour    store.Figures // what was done since its last point of an hour
	Times   store.Times   // since then, too
	Changed int64         // minute of its last point
}

// Due reports whether points are to be made. After a clock went back by more than ten minutes, they
// are made again.
func (n *Noted) Due(now time.Time) bool {
	at := minuteOf(now)
	return at > n.Minute || at <= n.Minute-10
}

// Take notes the figures that a partition has now, with the histograms since it did so last, and
// returns the points. ok is false if they are not [Noted.Due]; then nothing changes.
func (n *Noted) Take(
	now time.Time, known map[store.Route]store.Figures, came map[store.Route]store.Times,
) (minute, hour []store.SeriesPoint, ok bool) {
	if !n.Due(now) {
		return nil, nil, false
	}
	at := minuteOf(now)
	figures, times := make(map[store.Route]store.Figures, len(known)), make(map[store.Route]store.Times, len(came))
	for route, t := range came {
		figures[route], times[route] = store.Figures{}, t
	}
	maps.Copy(figures, known)
	n.admit(at, figures, times)
	n.addRest(figures, times)
	full := at/60 != n.Hour/60
	for i := range n.Routes {
		r := &n.Routes[i]
		d, took := store.Figures{}, times[r.Route]
		if f, known := figures[r.Route]; known {
			d = r.since(f)
		}
		if d != (store.Figures{}) || !took.Empty() {
			r.Hour, r.Times, r.Changed = r.Hour.Plus(d), r.Times.Plus(took), at
			minute = append(minute, store.SeriesPoint{Route: r.Route, Figures: d, Times: took})
		}
		if full && (r.Hour != (store.Figures{}) || !r.Times.Empty()) {
			hour = append(hour, store.SeriesPoint{Route: r.Route, Figures: r.Hour, Times: r.Times})
			r.Hour, r.Times = store.Figures{}, store.Times{}
		}
	}
	if n.Minute = at; full {
		n.Hour = at
	}
	return minute, hour, true
}

// addRest sums up the routes without points of their own, as the zero route.
func (n *Noted) addRest(figures map[store.Route]store.Figures, times map[store.Route]store.Times) {
	rest, took := store.Figures{}, store.Times{}
	for route, f := range figures {
		if _, own := n.find(route); !own {
			rest, took = rest.Plus(f), took.Plus(times[route])
		}
	}
	figures[store.Route{}] = rest
	if !took.Empty() {
		times[store.Route{}] = took
	}
}

// since returns what was done since the last point, and notes the figures.
func (r *NotedRoute) since(f store.Figures) store.Figures {
	d := f.Minus(r.Last)
	switch {
	case d.Fell() && r.Route == (store.Route{}): // some of the others were forgotten
		d = store.Figures{}
	case d.Fell(): // it was forgotten, and came back
		if d = f; f == (store.Figures{}) {
			return d
		}
	}
	r.Last = f
	return d
}

func (n *Noted) find(r store.Route) (int, bool) {
	return slices.BinarySearchFunc(n.Routes, r, func(n NotedRoute, r store.Route) int { return CompareRoutes(n.Route, r) })
}

// CompareRoutes compares by queue, set and kind.
func CompareRoutes(a, b store.Route) int {
	return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Set, b.Set), cmp.Compare(a.Kind, b.Kind))
}

// admit gives new routes points of their own as long as there is room, those that did most first.
// From the first time that there is none, a route is counted with the others until it is admitted.
func (n *Noted) admit(at int64, figures map[store.Route]store.Figures, times map[store.Route]store.Times) {
	var waiting []store.Route
	for route, f := range figures {
		if _, own := n.find(route); !own && (f != (store.Figures{}) || !times[route].Empty()) {
			waiting = append(waiting, route)
		}
	}
	if len(waiting) == 0 {
		return
	}
	slices.SortFunc(waiting, func(a, b store.Route) int {
		return cmp.Or(cmp.Compare(figures[b].Enqueued, figures[a].Enqueued), CompareRoutes(a, b))
	})
	var rest NotedRoute
	shared := len(n.Routes) > 0 && n.Routes[0].Route == store.Route{}
	if shared {
		rest, n.Routes = n.Routes[0], n.Routes[1:]
	}
	if len(n.Routes) == bounds.MaxSeries {
		n.evict(at, figures, &rest)
	}
	for _, route := range waiting[:min(len(waiting), bounds.MaxSeries-len(n.Routes))] {
		r := NotedRoute{Route: route, Changed: at}
		if shared { // what it did until now goes to the others
			r.Last = figures[route]
			rest.Last = rest.Last.Plus(store.Figures{}.Minus(r.Last))
		}
		i, _ := n.find(route)
		n.Routes = slices.Insert(n.Routes, i, r)
	}
	if shared || len(waiting) > 0 && len(n.Routes) == bounds.MaxSeries {
		n.Routes = slices.Insert(n.Routes, 0, rest)
	}
}

// evict counts routes that have no points any more with the others.
func (n *Noted) evict(at int64, figures map[store.Route]store.Figures, rest *NotedRoute) {
	n.Routes = slices.DeleteFunc(n.Routes, func(r NotedRoute) bool {
		_, known := figures[r.Route]
		if known && at-r.Changed < int64(bounds.HoursKept/time.Minute) {
			return false
		}
		rest.Hour, rest.Times = rest.Hour.Plus(r.Hour), rest.Times.Plus(r.Times)
		if known {
			rest.Last = rest.Last.Plus(r.Last)
		}
		return true
	})
}

// KeepPoints adds points of a minute to those of a partition, oldest first, and drops those that
// are too old.
func KeepPoints(all []store.HistoryPoint, points []store.SeriesPoint, now time.Time, kept time.Duration) []store.HistoryPoint {
	at := time.Unix(minuteOf(now)*60, 0).UTC()
	for _, p := range points {
		all = append(all, store.HistoryPoint{Route: p.Route, At: at, Figures: p.Figures, Times: p.Times})
	}
	for len(all) > 0 && now.Sub(all[0].At) > kept {
		all = all[1:]
	}
	return all
}

// PointsOf keeps the points that are asked for.
func PointsOf(all []store.HistoryPoint, p *store.HistoryParams) []store.HistoryPoint {
	return slices.DeleteFunc(all, func(h store.HistoryPoint) bool { return !p.Has(minuteOf(h.At)) })
}
