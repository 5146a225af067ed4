package storetest_test

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
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

// answersRetriesAnew takes each repeat of a retry for a new call.
type answersRetriesAnew struct {
	store.Store
	calls atomic.Int64
}

func (s *answersRetriesAnew) RedoFailures(ctx context.Context, p store.RedoParams) (store.RedoReply, error) {
	p.Number += 1000 * s.calls.Add(1)
	return s.Store.RedoFailures(ctx, p)
}

// discardsRetries cancels tasks that are to be retried.
type discardsRetries struct{ store.Store }

func (s *discardsRetries) RedoFailures(ctx context.Context, p store.RedoParams) (store.RedoReply, error) {
	p.Action = actions.RedoDiscard
	return s.Store.RedoFailures(ctx, p)
}

// retriesAll retries all kinds of tasks.
type retriesAll struct{ store.Store }

func (s *retriesAll) RedoFailures(ctx context.Context, p store.RedoParams) (store.RedoReply, error) {
	p.Kinds, p.IDs = nil, nil
	return s.Store.RedoFailures(ctx, p)
}

// keepsTheError still shows the error of failures that were retried.
type keepsTheError struct{ store.Store }

func (s *keepsTheError) Run(ctx context.Context, id store.RunID) (store.RunRecord, error) {
	rec, err := s.Store.Run(ctx, id)
	if rec.Retried > 0 && rec.Error == "" {
		rec.Error = "broken"
	}
	return rec, err
}
