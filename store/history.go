package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// History tells how much was done when.
//
// The first sweep of each minute, by the store's clock, compares the figures of the ledger with
// those that the history has noted. It stores the differences as a point of each route that
// changed, and in the same step notes the new figures, unless somebody has noted some meanwhile. So
// the points of a route always add up to what is noted, whatever happens to calls and replies: a
// lost sweep loses a point, and the next one makes up for it. Nothing is stored of a route that did
// not change. The first sweep of an hour likewise makes the points of hours.
//
// [bounds.MaxSeries] routes of a partition have points of their own: those that had tasks first.
// When there are as many, one makes place for a new one if it has no points any more. The others
// count together as the zero route. A point takes as many bytes as the three names and about 19
// more, and about 3 for each bucket of its histograms; in Redis a minute with points takes about
// 150 more. Points of minutes are kept for [bounds.MinutesKept], points of hours for
// [bounds.HoursKept].
//
// [SettleParams].Times bring the histograms. A store adds them up until a sweep makes points; the
// step that notes the figures takes them away. So each is in one point of a minute and in one of an
// hour.
type History interface {
	// ReadHistory reads points of a partition, oldest first. Those of one time are in the order of
	// their routes.
	ReadHistory(ctx context.Context, p HistoryParams) ([]HistoryPoint, error)
}

// HistoryParams ask for points. To - From is at most [bounds.MaxHistorySpan] minutes, or with Hours
// as many hours.
type HistoryParams struct {
	Partition int
	Hours     bool      // read the points of hours, not those of minutes
	From, To  time.Time // points at From or later, and before To
}

// unit is the time between two points.
func (p *HistoryParams) unit() time.Duration {
	if p.Hours {
		return time.Hour
	}
	return time.Minute
}

// Validate returns a [*FieldError] for each bad field, joined. Only the store knows its partitions.
func (p *HistoryParams) Validate() error {
	var f faults
	f.check(ValidateTime("From", p.From), "")
	f.check(ValidateTime("To", p.To), "")
	f.add(p.To.Before(p.From), "To", "is before From")
	f.add(p.To.Sub(p.From) > bounds.MaxHistorySpan*p.unit(), "To", "is too long after From")
	return f.err()
}

// Has reports whether a point of a minute since 1970 is asked for. It is for implementers.
func (p *HistoryParams) Has(minute int64) bool {
	from, before := p.Minutes()
	return minute >= from && minute < before
}

// Minutes returns the first minute since 1970 that is asked for, and the one behind the last. It is
// for implementers.
func (p *HistoryParams) Minutes() (from, before int64) {
	up := func(t time.Time) int64 { return minuteOf(t.Add(time.Minute - 1)) }
	return up(p.From), up(p.To)
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// HistoryPoint is what was done until a time, and since the point of the route before.
type HistoryPoint struct {
	Route Route     // zero for those that have no points of their own
	At    time.Time // a whole minute; what was done at most a few seconds later may be in it
	Figures
	Times
}

func (f Figures) plus(o Figures) Figures {
	return Figures{
		f.Enqueued + o.Enqueued, f.Succeeded + o.Succeeded, f.Failed + o.Failed, f.Retried + o.Retried, f.Other + o.Other,
	}
}

func (f Figures) minus(o Figures) Figures {
	return f.plus(Figures{-o.Enqueued, -o.Succeeded, -o.Failed, -o.Retried, -o.Other})
}

// fell reports whether a difference shows that figures were forgotten. Enqueued also falls when it
// turns out that a staged child was a duplicate.
func (f Figures) fell() bool { return f.Succeeded < 0 || f.Failed < 0 || f.Retried < 0 || f.Other < 0 }

// Noted is what the history of a partition has noted, in the order of the routes; the zero route
// has the sum of those without points of their own. It is for implementers.
type Noted struct {
	Minute, Hour int64 // in which points were made last, since 1970: of minutes, and of hours
	Routes       []NotedRoute
}

// NotedRoute is what is noted of a route.
type NotedRoute struct {
	Route   Route
	Last    Figures // at its last point of a minute
	Hour    Figures // what was done since its last point of an hour
	Times   Times   // since then, too
	Changed int64   // minute of its last point
}

// SeriesPoint is a point of a route, whose time is known.
type SeriesPoint struct {
	Route Route
	Figures
	Times
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
	now time.Time, known map[Route]Figures, came map[Route]Times,
) (minute, hour []SeriesPoint, ok bool) {
	if !n.Due(now) {
		return nil, nil, false
	}
	at := minuteOf(now)
	figures, times := make(map[Route]Figures, len(known)), make(map[Route]Times, len(came))
	for route, t := range came {
		figures[route], times[route] = Figures{}, t
	}
	maps.Copy(figures, known)
	n.admit(at, figures, times)
	n.addRest(figures, times)
	full := at/60 != n.Hour/60
	for i := range n.Routes {
		r := &n.Routes[i]
		d, took := Figures{}, times[r.Route]
		if f, known := figures[r.Route]; known {
			d = r.since(f)
		}
		if d != (Figures{}) || !took.empty() {
			r.Hour, r.Times, r.Changed = r.Hour.plus(d), r.Times.Plus(took), at
			minute = append(minute, SeriesPoint{r.Route, d, took})
		}
		if full && (r.Hour != (Figures{}) || !r.Times.empty()) {
			hour = append(hour, SeriesPoint{r.Route, r.Hour, r.Times})
			r.Hour, r.Times = Figures{}, Times{}
		}
	}
	if n.Minute = at; full {
		n.Hour = at
	}
	return minute, hour, true
}

// addRest sums up the routes without points of their own, as the zero route.
func (n *Noted) addRest(figures map[Route]Figures, times map[Route]Times) {
	rest, took := Figures{}, Times{}
	for route, f := range figures {
		if _, own := n.find(route); !own {
			rest, took = rest.plus(f), took.Plus(times[route])
		}
	}
	figures[Route{}] = rest
	if !took.empty() {
		times[Route{}] = took
	}
}

// since returns what was done since the last point, and notes the figures.
func (r *NotedRoute) since(f Figures) Figures {
	d := f.minus(r.Last)
	switch {
	case d.fell() && r.Route == (Route{}): // some of the others were forgotten
		d = Figures{}
	case d.fell(): // it was forgotten, and came back
		if d = f; f == (Figures{}) {
			return d
		}
	}
	r.Last = f
	return d
}

func (n *Noted) find(r Route) (int, bool) {
	return slices.BinarySearchFunc(n.Routes, r, func(n NotedRoute, r Route) int { return CompareRoutes(n.Route, r) })
}

// CompareRoutes compares by queue, set and kind. It is for implementers.
func CompareRoutes(a, b Route) int {
	return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Set, b.Set), cmp.Compare(a.Kind, b.Kind))
}

// admit gives new routes points of their own as long as there is room, those that did most first.
// From the first time that there is none, a route is counted with the others until it is admitted.
func (n *Noted) admit(at int64, figures map[Route]Figures, times map[Route]Times) {
	var waiting []Route
	for route, f := range figures {
		if _, own := n.find(route); !own && (f != (Figures{}) || !times[route].empty()) {
			waiting = append(waiting, route)
		}
	}
	if len(waiting) == 0 {
		return
	}
	slices.SortFunc(waiting, func(a, b Route) int {
		return cmp.Or(cmp.Compare(figures[b].Enqueued, figures[a].Enqueued), CompareRoutes(a, b))
	})
	var rest NotedRoute
	shared := len(n.Routes) > 0 && n.Routes[0].Route == Route{}
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
			rest.Last = rest.Last.plus(Figures{}.minus(r.Last))
		}
		i, _ := n.find(route)
		n.Routes = slices.Insert(n.Routes, i, r)
	}
	if shared || len(waiting) > 0 && len(n.Routes) == bounds.MaxSeries {
		n.Routes = slices.Insert(n.Routes, 0, rest)
	}
}

// evict counts routes that have no points any more with the others.
func (n *Noted) evict(at int64, figures map[Route]Figures, rest *NotedRoute) {
	n.Routes = slices.DeleteFunc(n.Routes, func(r NotedRoute) bool {
		_, known := figures[r.Route]
		if known && at-r.Changed < int64(bounds.HoursKept/time.Minute) {
			return false
		}
		rest.Hour, rest.Times = rest.Hour.plus(r.Hour), rest.Times.Plus(r.Times)
		if known {
			rest.Last = rest.Last.plus(r.Last)
		}
		return true
	})
}

// KeepPoints adds points of a minute to those of a partition, oldest first, and drops those that
// are too old. It is for implementers.
func KeepPoints(all []HistoryPoint, points []SeriesPoint, now time.Time, kept time.Duration) []HistoryPoint {
	at := time.Unix(minuteOf(now)*60, 0).UTC()
	for _, p := range points {
		all = append(all, HistoryPoint{p.Route, at, p.Figures, p.Times})
	}
	for len(all) > 0 && now.Sub(all[0].At) > kept {
		all = all[1:]
	}
	return all
}

// PointsOf keeps the points that are asked for. It is for implementers.
func PointsOf(all []HistoryPoint, p *HistoryParams) []HistoryPoint {
	return slices.DeleteFunc(all, func(h HistoryPoint) bool { return !p.Has(minuteOf(h.At)) })
}
