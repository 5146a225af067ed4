package store

import (
	"context"
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
	up := func(t time.Time) int64 { return t.Add(time.Minute-1).Unix() / 60 }
	return up(p.From), up(p.To)
}

// HistoryPoint is what was done until a time, and since the point of the route before.
type HistoryPoint struct {
	Route Route     // zero for those that have no points of their own
	At    time.Time // a whole minute; what was done at most a few seconds later may be in it
	Figures
	Times
}

// Plus returns the sum of two figures. They do not change.
func (f Figures) Plus(o Figures) Figures {
	return Figures{
		f.Enqueued + o.Enqueued, f.Succeeded + o.Succeeded, f.Failed + o.Failed, f.Retried + o.Retried, f.Other + o.Other,
	}
}

// Minus returns the difference of two figures. They do not change.
func (f Figures) Minus(o Figures) Figures {
	return f.Plus(Figures{-o.Enqueued, -o.Succeeded, -o.Failed, -o.Retried, -o.Other})
}

// Fell reports whether a difference shows that figures were forgotten. Enqueued also falls when it
// turns out that a staged child was a duplicate.
func (f Figures) Fell() bool { return f.Succeeded < 0 || f.Failed < 0 || f.Retried < 0 || f.Other < 0 }

// SeriesPoint is a point of a route, whose time is known.
type SeriesPoint struct {
	Route Route
	Figures
	Times
}
