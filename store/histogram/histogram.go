// Package histogram counts durations in buckets, so that many of them can be kept in little room,
// added up and asked for quantiles.
//
// Each bucket is √2 times as wide as the one before: below 1 ms, to 1.41 ms, to 2 ms, and so on, to
// 37 hours, and more than that. The bounds never change, so histograms of any time, queue and kind
// can be added up.
package histogram

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Size is the number of buckets.
const Size = 56

// bounds has the end of each bucket but the last, which has none.
var bounds = func() (all [Size - 1]time.Duration) {
	for i := range all {
		all[i] = time.Duration(math.Round(float64(time.Millisecond) * math.Exp2(float64(i)/2)))
	}
	return all
}()

// Index returns the number of the bucket of a duration, from 0. A negative duration counts as 0.
func Index(d time.Duration) int {
	i, found := slices.BinarySearch(bounds[:], d)
	if found {
		return i + 1
	}
	return i
}

// Histogram tells how many durations there were, by bucket, shortest first. Buckets without any are
// left out, so nil is the empty histogram.
type Histogram []Bucket

// Bucket counts durations from From, and shorter than Before.
type Bucket struct {
	From   time.Duration `json:"from_ns"`
	Before time.Duration `json:"before_ns"` // of the last one, the largest Duration
	Count  int64         `json:"count"`
}

// Of returns the bucket of a number, from 0 to [Size] - 1.
func Of(index int, count int64) Bucket {
	b := Bucket{Before: math.MaxInt64, Count: count}
	if index > 0 {
		b.From = bounds[index-1]
	}
	if index < len(bounds) {
		b.Before = bounds[index]
	}
	return b
}

// Count returns how many durations there were.
func (h Histogram) Count() (n int64) {
	for _, b := range h {
		n += b.Count
	}
	return n
}

// Quantile returns the duration that a share of all durations did not exceed: 0.5 asks for the
// median, 0.99 for what 99 of 100 did not exceed, and 1 for the longest. It is 0 if there were
// none.
//
// It is at most 19 % more or less than the exact one, if that is between 1 ms and 37 hours: it is
// the geometric mean of the bounds of the bucket. Less than 1 ms is told as 500 µs, and 37 hours or
// more as 37 hours.
func (h Histogram) Quantile(q float64) time.Duration {
	rank := max(1, int64(math.Ceil(q*float64(h.Count()))))
	for i, b := range h {
		if rank -= b.Count; rank <= 0 || i == len(h)-1 {
			return b.typical()
		}
	}
	return 0
}

// typical is what a duration of the bucket is told as.
func (b Bucket) typical() time.Duration {
	switch {
	case b.From == 0:
		return b.Before / 2
	case b.Before == math.MaxInt64:
		return b.From
	}
	return time.Duration(math.Sqrt(float64(b.From) * float64(b.Before)))
}

// Plus returns the sum of two histograms. They do not change.
func (h Histogram) Plus(o Histogram) Histogram {
	if len(h) == 0 || len(o) == 0 {
		return slices.Clone(append(h[:len(h):len(h)], o...))
	}
	sum := make(Histogram, 0, len(h)+len(o))
	for len(h) > 0 && len(o) > 0 {
		next := h[0]
		switch {
		case next.From == o[0].From:
			next.Count += o[0].Count
			h, o = h[1:], o[1:]
		case next.From < o[0].From:
			h = h[1:]
		default:
			next, o = o[0], o[1:]
		}
		sum = append(sum, next)
	}
	return append(append(sum, h...), o...)
}

// Validate returns an error if there can be no such histogram: a bucket has other bounds, is not
// behind the one before, or counts nothing, or so many that a sum may leave the range of int64.
func (h Histogram) Validate() error {
	last := -1
	for _, b := range h {
		i := Index(b.From)
		if b != Of(i, b.Count) || i <= last || b.Count <= 0 || b.Count > math.MaxInt64/Size {
			return fmt.Errorf("%d durations from %v to %v are no bucket, or not the next one", b.Count, b.From, b.Before)
		}
		last = i
	}
	return nil
}

// Counts counts durations as they come: it has the count of each bucket. The zero value is empty.
type Counts [Size]int64

// Histogram returns what was counted.
func (c *Counts) Histogram() (h Histogram) {
	for i, n := range c {
		if n != 0 {
			h = append(h, Of(i, n))
		}
	}
	return h
}
