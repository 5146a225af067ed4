package storetest_test

import (
	"cmp"
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// readsTheOldest reads the oldest failures first, whatever is asked for.
type readsTheOldest struct{ store.Store }

func (s *readsTheOldest) Failures(ctx context.Context, p store.FailuresParams) ([]store.Failure, error) {
	p.Newest = false
	return s.Store.Failures(ctx, p)
}

// listsByNumber lists the runs that keep failures by when they began.
type listsByNumber struct{ store.Store }

func (s *listsByNumber) FailingRuns(ctx context.Context, p store.FailingRunsParams) ([]store.FailingRun, error) {
	runs, err := s.Store.FailingRuns(ctx, p)
	slices.SortFunc(runs, func(a, b store.FailingRun) int { return cmp.Compare(b.Run.Number, a.Run.Number) })
	return runs, err
}
