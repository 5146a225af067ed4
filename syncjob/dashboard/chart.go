package dashboard

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store/histogram"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// chart is how much was done in each interval of a span. It has a fixed shape: its width is the
// number of intervals, its height 100. The browser stretches it, so a reading changes bars only.
type chart struct {
	Title  string
	Span   span
	Points []states.ActivityPoint
	Sum    states.ActivityPoint
	Top    int64 // what the highest place of the chart stands for
	Most   int64 // that ended in an interval
}

// newChart sums up the series that are chosen. Without any it has no points, and is empty.
func newChart(title string, s span, all []states.ActivitySeries, choose func(*states.ActivitySeries) bool) *chart {
	c := &chart{Title: title, Span: s}
	for i := range all {
		if !choose(&all[i]) {
			continue
		}
		if c.Points == nil {
			c.Points = make([]states.ActivityPoint, len(all[i].Points))
		}
		for j, p := range all[i].Points {
			c.Points[j].At = p.At
			c.Points[j].Add(p)
			c.Sum.Add(p)
		}
	}
	var highest int64
	for _, p := range c.Points {
		c.Most = max(c.Most, p.Ended)
		highest = max(highest, p.Ended, p.Enqueued)
	}
	c.Top = roundUp(highest)
	return c
}

// roundUp returns the next number that is 1, 2 or 5 with zeros.
func roundUp(n int64) int64 {
	for top := int64(1); top < 1<<60; top *= 10 {
		for _, digit := range []int64{1, 2, 5} {
			if n <= top*digit {
				return top * digit
			}
		}
	}
	return n
}

// Empty reports whether nothing was done.
func (c *chart) Empty() bool { return c.Sum.Idle() }

// Label says in words what the chart shows.
func (c *chart) Label() string {
	text := fmt.Sprintf("%s in the last %s: %s ended, %s failed for good, %s enqueued.", c.Title, c.Span.Text,
		plural(c.Sum.Ended, "attempt"), plural(c.Sum.Failed, "task"), plural(c.Sum.Enqueued, "task"))
	return text + fmt.Sprintf(" At most %s ended in %s.", grouped(c.Most), c.Span.Unit)
}

// Took says how long tasks waited, and how long their attempts ran; "" if that is not known.
func (c *chart) Took() string {
	if c.Sum.Run.Count() == 0 {
		return ""
	}
	waited, ran := c.Waited(), c.Ran()
	return fmt.Sprintf("Half of these waited up to %s, and 99 of 100 up to %s. Half ran up to %s, and 99 of 100 up to %s.",
		waited[0], waited[1], ran[0], ran[1])
}

// quantile is about how long most took: a share of them; "–" if that is not known.
func quantile(h histogram.Histogram, share float64) string {
	if h.Count() == 0 {
		return "–"
	}
	return took(h.Quantile(share))
}

// Waited is how long half of the tasks waited at most, and 99 of 100.
func (c *chart) Waited() [2]string {
	return [2]string{quantile(c.Sum.Wait, .5), quantile(c.Sum.Wait, .99)}
}

// Ran is how long half of the attempts ran at most, and 99 of 100.
func (c *chart) Ran() [2]string {
	return [2]string{quantile(c.Sum.Run, .5), quantile(c.Sum.Run, .99)}
}

// interval is what ended in one interval.
type interval struct {
	states.ActivityPoint
	X     int
	Left  string // of the bar
	Parts []part
}

// part is a part of a bar.
type part struct{ State, Y, Tall string }

// Intervals are those in which anything was done, from the left to the right.
func (c *chart) Intervals() (list []interval) {
	for i, p := range c.Points {
		if idle(p) {
			continue
		}
		in := interval{ActivityPoint: p, X: i, Left: figure(float64(i) + .12)}
		y := 100.0
		add := func(state string, count int64) {
			if count > 0 {
				tall := max(1, 100*float64(count)/float64(c.Top))
				y = max(0, y-tall)
				in.Parts = append(in.Parts, part{state, figure(y), figure(tall)})
			}
		}
		add("succeeded", p.Succeeded)
		add("retrying", p.Retried)
		add("cancelled", others(p))
		add("failed", p.Failed)
		list = append(list, in)
	}
	return list
}

// others counts attempts that ended in another way, for example because their run was stopped.
func others(p states.ActivityPoint) int64 { return p.Ended - p.Succeeded - p.Retried - p.Failed }

// Others is how many attempts ended in another way.
func (c *chart) Others() int64 { return others(c.Sum) }

// idle reports whether nothing was done in an interval.
func idle(p states.ActivityPoint) bool { return p.Idle() }

// Line is where the line of what was enqueued goes.
func (c *chart) Line() string {
	var b strings.Builder
	for i, p := range c.Points {
		y := figure(100 - 100*float64(p.Enqueued)/float64(max(1, c.Top)))
		fmt.Fprintf(&b, "%d,%s %d,%s ", i, y, i+1, y)
	}
	return strings.TrimSpace(b.String())
}

// Rows are the intervals in which anything was done, the newest first.
func (c *chart) Rows() []states.ActivityPoint {
	rows := slices.DeleteFunc(slices.Clone(c.Points), idle)
	slices.Reverse(rows)
	return rows
}

// At writes when an interval begins, as exactly as its length needs.
func (c *chart) At(t time.Time) string {
	switch {
	case c.Span.step >= 24*time.Hour:
		return t.UTC().Format(time.DateOnly)
	case c.Span.long >= 24*time.Hour:
		return t.UTC().Format("2006-01-02 15:04")
	}
	return t.UTC().Format("15:04")
}

// From is where a chart with points begins.
func (c *chart) From() string { return c.At(c.Points[0].At) }

// Until is where it ends.
func (c *chart) Until() string { return c.At(c.Points[len(c.Points)-1].At.Add(c.Span.step)) }

// Interval is what is over before an interval shows.
func (c *chart) Interval() string {
	if c.Span.step >= time.Hour {
		return "hour"
	}
	return "minute"
}

// figure writes a coordinate in as few signs as it needs.
func figure(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", f), "0"), ".")
}
