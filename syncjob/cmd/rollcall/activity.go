package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-go/rollcall/store/histogram"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func (a *app) activity() *cobra.Command {
	var o syncjob.ActivityOptions
	last, times := time.Hour, false
	c := a.command(
		"activity", "Show how much was done of each kind, and when", cobra.NoArgs, false,
		func(ctx context.Context, _ []string) error {
			o.To = time.Now()
			o.From = o.To.Add(-last)
			series, err := a.m.Activity(ctx, &o)
			if times {
				return list(a, slice(series, err), timesOfActivity)
			}
			return list(a, slice(series, err), []column[states.ActivitySeries]{
				{"queue", func(s states.ActivitySeries) any { return s.Queue }},
				{"set", func(s states.ActivitySeries) any { return s.Set }},
				{"kind", func(s states.ActivitySeries) any { return s.Kind }},
				{"enqueued", summed(func(p *states.ActivityPoint) int64 { return p.Enqueued })},
				{"succeeded", summed(func(p *states.ActivityPoint) int64 { return p.Succeeded })},
				{"retried", summed(func(p *states.ActivityPoint) int64 { return p.Retried })},
				{"failed", summed(func(p *states.ActivityPoint) int64 { return p.Failed })},
				{"attempts that ended", func(s states.ActivitySeries) any { return drawn(s.Points) }},
			})
		},
	)
	f := c.Flags()
	f.DurationVar(&last, "last", last, "how far back; up to 8h by minutes, else by hours")
	f.DurationVar(&o.Step, "step", 0, "length of an interval in JSON (default 1m or 1h)")
	f.BoolVar(&times, "times", false, "how long tasks waited and ran: what half, and 99 of 100, took at most")
	f.StringVar(&o.Queue, "queue", "", "only this queue")
	f.StringVar(&o.Set, "set", "", "only this handler set")
	f.StringVar(&o.Kind, "kind", "", "only this kind")
	return c
}

// timesOfActivity are the columns of --times.
var timesOfActivity = []column[states.ActivitySeries]{
	{"queue", func(s states.ActivitySeries) any { return s.Queue }},
	{"set", func(s states.ActivitySeries) any { return s.Set }},
	{"kind", func(s states.ActivitySeries) any { return s.Kind }},
	{"ended", summed(func(p *states.ActivityPoint) int64 { return p.Ended })},
	{"wait p50", quantile(.5, func(p *states.ActivityPoint) histogram.Histogram { return p.Wait })},
	{"wait p99", quantile(.99, func(p *states.ActivityPoint) histogram.Histogram { return p.Wait })},
	{"run p50", quantile(.5, func(p *states.ActivityPoint) histogram.Histogram { return p.Run })},
	{"run p99", quantile(.99, func(p *states.ActivityPoint) histogram.Histogram { return p.Run })},
}

// quantile is what a share of the durations of all intervals did not exceed; "" if there were none.
func quantile(share float64, of func(*states.ActivityPoint) histogram.Histogram) func(states.ActivitySeries) any {
	return func(s states.ActivitySeries) any {
		var sum histogram.Histogram
		for i := range s.Points {
			sum = sum.Plus(of(&s.Points[i]))
		}
		if sum.Count() == 0 {
			return ""
		}
		return sum.Quantile(share)
	}
}

// summed is the sum of a figure over all intervals.
func summed(figure func(*states.ActivityPoint) int64) func(states.ActivitySeries) any {
	return func(s states.ActivitySeries) any {
		var sum int64
		for i := range s.Points {
			sum += figure(&s.Points[i])
		}
		return sum
	}
}

// bars is how many columns a picture of the activity has.
const bars = 20

// drawn is a picture of how many attempts ended, from the first interval to the last: a full block is
// the most, and a space is none.
func drawn(points []states.ActivityPoint) string {
	var sums [bars]int64
	var most int64
	for i, p := range points {
		at := i * bars / len(points)
		sums[at] += p.Ended
		most = max(most, sums[at])
	}
	var b strings.Builder
	for _, sum := range sums {
		if sum == 0 {
			b.WriteByte(' ')
			continue
		}
		b.WriteRune([]rune("▁▂▃▄▅▆▇█")[(sum*8-1)/most])
	}
	return b.String()
}
