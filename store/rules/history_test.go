package rules_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/histogram"
	"github.com/rollcall-go/rollcall/store/rules"
)

func add(f *store.Figures, o store.Figures) {
	f.Enqueued += o.Enqueued
	f.Succeeded += o.Succeeded
	f.Failed += o.Failed
	f.Retried += o.Retried
	f.Other += o.Other
}

// TestPointsAddUpToTheFigures has more kinds than there are series, of which some come late, and
// some do nothing for long.
func TestPointsAddUpToTheFigures(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var noted rules.Noted
	figures := make(map[store.Route]store.Figures)
	var minutes, hours store.Figures
	var took, minuteTimes, hourTimes store.Times
	now := time.Unix(1_700_000_000, 0)
	most := 0
	for step := range 400 {
		now = now.Add(time.Duration(1+rnd.IntN(90)) * time.Minute)
		if step%100 == 99 {
			now = now.Add(bounds.HoursKept)
		}
		for range 1 + rnd.IntN(20) {
			route := store.Route{Queue: "q", Set: "s", Kind: fmt.Sprintf("k%03d", rnd.IntN(min(300, 1+step)))}
			f := figures[route]
			f.Enqueued, f.Succeeded, f.Failed = f.Enqueued+rnd.Int64N(9), f.Succeeded+rnd.Int64N(9), f.Failed+rnd.Int64N(2)
			figures[route] = f
		}
		times := make(map[store.Route]store.Times)
		for range rnd.IntN(20) { // some come later than the figures, or though these are forgotten
			route := store.Route{Queue: "q", Set: "s", Kind: fmt.Sprintf("k%03d", rnd.IntN(min(303, 1+step)))}
			times[route] = store.Times{Wait: anyTimes(rnd), Run: anyTimes(rnd)}
		}
		for _, t := range times {
			took = took.Plus(t)
		}
		minute, hour, ok := noted.Take(now, figures, times)
		require.True(t, ok)
		_, _, again := noted.Take(now.Add(time.Second), figures, times)
		require.False(t, again && now.Unix()/60 == now.Add(time.Second).Unix()/60)
		var want store.Figures
		for _, f := range figures {
			add(&want, f)
		}
		for _, p := range minute {
			require.NotZero(t, store.SeriesPoint{Figures: p.Figures, Times: p.Times})
			add(&minutes, p.Figures)
			minuteTimes = minuteTimes.Plus(p.Times)
		}
		require.Equal(t, took, minuteTimes, "step %d", step)
		require.Equal(t, want, minutes, "step %d", step)
		for _, p := range hour {
			add(&hours, p.Figures)
			hourTimes = hourTimes.Plus(p.Times)
		}
		most = max(most, len(noted.Routes))
	}
	require.Equal(t, bounds.MaxSeries+1, most, "and those that have none of their own")
	var left store.Figures
	for _, r := range noted.Routes {
		add(&left, r.Hour)
		hourTimes = hourTimes.Plus(r.Times)
	}
	add(&left, hours)
	require.Equal(t, minutes, left)
	require.Equal(t, took, hourTimes)
}

// anyTimes is one bucket, or none.
func anyTimes(rnd *rand.Rand) histogram.Histogram {
	if rnd.IntN(4) == 0 {
		return nil
	}
	return histogram.Histogram{histogram.Of(rnd.IntN(histogram.Size), 1+rnd.Int64N(9))}
}

func TestFiguresThatBeginAnewAreCountedFromThere(t *testing.T) {
	a, b := store.Route{Queue: "q", Set: "s", Kind: "a"}, store.Route{Queue: "q", Set: "s", Kind: "b"}
	var noted rules.Noted
	now := time.Unix(1_700_000_000, 0)
	take := func(figures map[store.Route]store.Figures) []store.SeriesPoint {
		now = now.Add(time.Minute)
		points, _, ok := noted.Take(now, figures, nil)
		require.True(t, ok)
		return points
	}
	require.Equal(t, []store.SeriesPoint{{Route: a, Figures: store.Figures{Enqueued: 7, Succeeded: 5}}, {Route: b, Figures: store.Figures{Enqueued: 1}}},
		take(map[store.Route]store.Figures{a: {Enqueued: 7, Succeeded: 5}, b: {Enqueued: 1}}))
	require.Empty(t, take(map[store.Route]store.Figures{b: {Enqueued: 1}}), "the figures of a are forgotten")
	require.Equal(t, []store.SeriesPoint{{Route: a, Figures: store.Figures{Enqueued: 3, Succeeded: 2}}},
		take(map[store.Route]store.Figures{a: {Enqueued: 3, Succeeded: 2}, b: {Enqueued: 1}}))
	require.Equal(t, []store.SeriesPoint{{Route: a, Figures: store.Figures{Enqueued: -1, Succeeded: 1}}},
		take(map[store.Route]store.Figures{a: {Enqueued: 2, Succeeded: 3}, b: {Enqueued: 1}}), "a child was a duplicate")
	now = now.Add(-5 * time.Minute)
	_, _, ok := noted.Take(now, map[store.Route]store.Figures{}, nil)
	require.False(t, ok, "the clock went back")
	now = now.Add(-time.Hour)
	_, _, ok = noted.Take(now, map[store.Route]store.Figures{}, nil)
	require.True(t, ok, "and far enough")
}
