package store

import (
	"cmp"
	"time"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// FailuresParams ask for a page of the failures of a run.
type FailuresParams struct {
	Run    RunID
	After  int64 // only those with a place above it
	Before int64 // only those with a place below it; 0 for all
	Newest bool  // the newest first; otherwise the oldest
	Limit  int   // at most so many; 1 to [bounds.MaxPage]
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *FailuresParams) Validate() error {
	return JoinFields(p.Run.validate(), within("Limit", p.Limit, 1, bounds.MaxPage))
}

// Has reports whether a failure with this place is asked for. It is for implementers.
func (p *FailuresParams) Has(place int64) bool {
	return place > p.After && (p.Before == 0 || place < p.Before)
}

// FailingRun is a run of which at least one failure is kept.
type FailingRun struct {
	Run  RunID
	Last time.Time // when a task of it failed last, by the store's clock
}

// FailingRunsParams ask for a page of the runs that keep failures.
type FailingRunsParams struct {
	Partition int
	After     FailingRun // the last one of the page before; zero for the first page
	Limit     int        // at most so many; 1 to [bounds.MaxPage]
}

// Validate returns a [*FieldError] for each bad field, joined, except the partition, which depends
// on the store.
func (p *FailingRunsParams) Validate() error {
	return JoinFields(ValidateTime("After.Last", p.After.Last), within("Limit", p.Limit, 1, bounds.MaxPage))
}

// Compare orders runs as FailingRuns lists them: by Last, the newest first, then by number, the
// highest first. It is for implementers.
func (r FailingRun) Compare(other FailingRun) int {
	return cmp.Or(other.Last.Compare(r.Last), cmp.Compare(other.Run.Number, r.Run.Number))
}

// Behind reports whether a run comes after another one, or that is zero. It is for implementers.
func (r FailingRun) Behind(other FailingRun) bool { return other.Last.IsZero() || r.Compare(other) > 0 }
