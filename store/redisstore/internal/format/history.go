package format

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/rules"
)

// This file knows the form of the history. The hash series has what is noted: under the empty field
// "NUMBER MINUTE HOUR", where the number grows with each change; and under each route the minute of
// its last point, the figures then, and the figures and histograms since its last point of an hour.
// A member of minutes and hours has the number of the change, and a line for each point: its
// figures, its histograms as in times.go, and its route.

// appendFigures appends numbers, each followed by a space.
func appendFigures(b []byte, f store.Figures) []byte {
	for _, n := range []int64{f.Enqueued, f.Succeeded, f.Failed, f.Retried, f.Other} {
		b = append(strconv.AppendInt(b, n, 10), ' ')
	}
	return b
}

// numbers parses the first len(into) words of a text and returns the rest.
func numbers(s string, into ...*int64) (rest string, ok bool) {
	for _, n := range into {
		var word string
		var err error
		word, s, _ = strings.Cut(s, " ")
		if *n, err = ParseInt(word); err != nil {
			return s, false
		}
	}
	return s, true
}

func figures(f *store.Figures) []*int64 {
	return []*int64{&f.Enqueued, &f.Succeeded, &f.Failed, &f.Retried, &f.Other}
}

// Series is the hash series.
type Series struct {
	rules.Noted
	Head   string // the empty field, as it was read
	number int64
	fields map[string]string
}

// ParseSeries reads the hash. What cannot be read is as if it were not there.
func ParseSeries(h map[string]string) *Series {
	s := &Series{Head: h[""], fields: h}
	_, _ = numbers(s.Head, &s.number, &s.Minute, &s.Hour)
	for name, v := range h {
		r := rules.NotedRoute{}
		route, ok := ParseRoute(name)
		rest, read := numbers(v, slices.Concat([]*int64{&r.Changed}, figures(&r.Last), figures(&r.Hour))...)
		if ok && read {
			r.Route, r.Times = route, parseTimes(rest)
			s.Routes = append(s.Routes, r)
		}
	}
	slices.SortFunc(s.Routes, func(a, b rules.NotedRoute) int { return rules.CompareRoutes(a.Route, b.Route) })
	return s
}

// Changes returns what is to be written after a change: the empty field, pairs of field and value,
// and the fields that go.
func (s *Series) Changes() (head string, set, gone []string) {
	left := make(map[string]bool, len(s.Routes))
	for _, r := range s.Routes {
		name := RouteName(r.Route)
		b := append(strconv.AppendInt(nil, r.Changed, 10), ' ')
		v := string(appendTimes(appendFigures(appendFigures(b, r.Last), r.Hour), r.Times))
		if left[name] = true; s.fields[name] != v {
			set = append(set, name, v)
		}
	}
	for name := range s.fields {
		if name != "" && !left[name] {
			gone = append(gone, name)
		}
	}
	return fmt.Sprintf("%d %d %d", s.number+1, s.Minute, s.Hour), set, gone
}

// Points encodes the points of a change; empty for none.
func (s *Series) Points(points []store.SeriesPoint) string {
	if len(points) == 0 {
		return ""
	}
	b := strconv.AppendInt(nil, s.number+1, 10)
	for _, p := range points {
		b = appendTimes(appendFigures(append(b, '\n'), p.Figures), p.Times)
		b = append(append(b, ' '), RouteName(p.Route)...)
	}
	return string(b)
}

// ParsePoints reads what [Series.Points] made. It leaves out what cannot be read.
func ParsePoints(member string, minute float64) (points []store.HistoryPoint) {
	_, lines, _ := strings.Cut(member, "\n")
	for line := range strings.SplitSeq(lines, "\n") {
		p := store.HistoryPoint{At: time.Unix(int64(minute)*60, 0).UTC()}
		rest, read := numbers(line, figures(&p.Figures)...)
		times, name, _ := strings.Cut(rest, " ")
		route, ok := ParseRoute(name)
		if p.Route, p.Times = route, parseTimes(times); read && ok {
			points = append(points, p)
		}
	}
	return points
}
