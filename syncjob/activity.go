package syncjob

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// ActivityOptions select what [Manager.Activity] reads. Zero fields select everything.
type ActivityOptions struct {
	Queue, Set, Kind string
	// From and To are rounded down to Step. Defaults to the last hour, or as much before To.
	From, To time.Time
	// Step is the length of an interval: a number of minutes. Defaults to a minute if From is within
	// the last 8 hours, else to an hour.
	Step time.Duration
}

func activityPoint(h *store.HistoryPoint) states.ActivityPoint {
	f := &h.Figures
	return states.ActivityPoint{
		Enqueued: f.Enqueued, Ended: f.Succeeded + f.Failed + f.Retried + f.Other,
		Succeeded: f.Succeeded, Failed: f.Failed, Retried: f.Retried, Wait: h.Wait, Run: h.Run,
	}
}

// maxActivityPoints is how many points a series may have.
const maxActivityPoints = 10_000

// Activity reads how much was done when: a series for each kind of tasks in each queue that did
// anything, sorted by queue, set and kind; the series without names is the first.
//
// All points of a kind that are kept add up to the figures of [Manager.Queues] at the last sweep of
// a new minute: nothing is counted twice or left out, whatever happened to workers and replies. The
// time of what was done is inexact by up to the time between two sweeps, 5 s as a rule; what was
// done while no worker was alive to sweep is counted in the minute, or hour, before the next sweep.
// What was done in the present minute is not in it.
//
// The histograms are approximate: a quantile of one is at most 19 % more or less than the exact
// one, and up to 500 µs. A worker sends them about once a second, so they may be counted a second
// later than the attempts; and those of a worker that dies, or loses its session, may be missing
// for as long. Otherwise each attempt that a worker began is in both once, whatever happens to
// replies. A task waits from when it was ready, by the store's clock: when it was enqueued, or was
// due if it was delayed or is tried again.
//
// Each partition has series of 200 kinds, those that had tasks first. A kind that did nothing for
// 90 days makes place for another one. All others are in the series without names. Points of
// minutes are kept for 8 hours, and points of hours for 90 days: an interval of which From is
// before the last 8 hours is made of whole hours, so Step must be a number of hours then. For each
// partition a kind takes as many bytes as its names and about 19 more, and about 3 for each bucket
// of its histograms, for each minute and each hour in which anything was done.
//
// It makes a call for each 64 minutes, or 64 hours, to each partition. If some do not answer, it
// has what the others have, and the error is a [*PartialError]. Nil options mean the last hour.
// Error: a [*FieldError].
func (m *Manager) Activity(ctx context.Context, opts *ActivityOptions) ([]states.ActivitySeries, error) {
	var o ActivityOptions
	if opts != nil {
		o = *opts
	}
	hours, err := o.complete(time.Now())
	if err != nil {
		return nil, fmt.Errorf("read the activity: %w", err)
	}
	parts := make([]map[store.Route][]states.ActivityPoint, m.store.Partitions())
	err = m.inEveryPartition(ctx, false, func(ctx context.Context, partition int) (err error) {
		parts[partition], err = o.read(ctx, m.store, store.HistoryParams{Partition: partition, Hours: hours})
		return err
	})
	if err != nil {
		err = fmt.Errorf("read the activity: %w", err)
	}
	return activitySeries(parts), err
}

// activitySeries sums up what partitions have.
func activitySeries(parts []map[store.Route][]states.ActivityPoint) []states.ActivitySeries {
	all := make(map[store.Route][]states.ActivityPoint)
	for _, part := range parts {
		for route, points := range part {
			if all[route] == nil {
				all[route] = points
				continue
			}
			for i, p := range points {
				all[route][i].Add(p)
			}
		}
	}
	series := make([]states.ActivitySeries, 0, len(all))
	for r, points := range all {
		series = append(series, states.ActivitySeries{Queue: r.Queue, Set: r.Set, Kind: r.Kind, Points: points})
	}
	slices.SortFunc(series, func(a, b states.ActivitySeries) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Set, b.Set), cmp.Compare(a.Kind, b.Kind))
	})
	return series
}

// complete checks the options and replaces zero ones. It reports whether points of hours are read.
func (o *ActivityOptions) complete(now time.Time) (hours bool, err error) {
	if o.To.IsZero() {
		o.To = now
	}
	if o.From.IsZero() {
		o.From = o.To.Add(-time.Hour)
	}
	hours = now.Sub(o.From.Truncate(max(o.Step, time.Minute))) > bounds.MinutesKept
	unit := time.Minute
	if hours {
		unit = time.Hour
	}
	if o.Step == 0 {
		o.Step = unit
	}
	var bad []error
	add := func(is bool, field, reason string) {
		if is {
			bad = append(bad, &FieldError{Field: field, Reason: reason})
		}
	}
	add(o.Step < 0 || o.Step%unit != 0, "Step", fmt.Sprintf("is no number of %v", unit))
	if len(bad) == 0 {
		o.From, o.To = o.From.Truncate(o.Step).UTC(), o.To.Truncate(o.Step).UTC()
		add(o.To.Before(o.From), "To", "is before From")
		add(o.To.Sub(o.From)/o.Step > maxActivityPoints, "Step", "gives more than 10000 points")
	}
	p := store.HistoryParams{From: o.From, To: o.From}
	return hours, store.JoinFields(append(bad, p.Validate())...)
}

// read reads the points of one partition. What a point says was done before its time, so it belongs
// to the interval that has the minute before.
func (o *ActivityOptions) read(
	ctx context.Context, s store.History, p store.HistoryParams,
) (map[store.Route][]states.ActivityPoint, error) {
	all := make(map[store.Route][]states.ActivityPoint)
	from, to := o.From.Add(time.Minute), o.To.Add(time.Minute)
	span := bounds.MaxHistorySpan * time.Minute
	if p.Hours {
		span = bounds.MaxHistorySpan * time.Hour
	}
	for p.From = from; p.From.Before(to); p.From = p.To {
		p.To = earliest(p.From.Add(span), to)
		page, err := s.ReadHistory(ctx, p)
		if err != nil {
			return nil, err
		}
		for i := range page {
			h := &page[i]
			if !o.selects(h.Route) {
				continue
			}
			if all[h.Route] == nil {
				all[h.Route] = o.empty()
			}
			all[h.Route][h.At.Sub(from)/o.Step].Add(activityPoint(h))
		}
	}
	return all, nil
}

func (o *ActivityOptions) selects(r store.Route) bool {
	return (o.Queue == "" || o.Queue == r.Queue) && (o.Set == "" || o.Set == r.Set) && (o.Kind == "" || o.Kind == r.Kind)
}

// empty makes the points of a series.
func (o *ActivityOptions) empty() []states.ActivityPoint {
	points := make([]states.ActivityPoint, o.To.Sub(o.From)/o.Step)
	for i := range points {
		points[i].At = o.From.Add(time.Duration(i) * o.Step)
	}
	return points
}
