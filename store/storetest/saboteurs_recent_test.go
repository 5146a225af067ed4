package storetest_test

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// listsRunsByNumber lists runs by their numbers, whatever changed last.
type listsRunsByNumber struct{ store.Store }

func (s *listsRunsByNumber) ListRuns(ctx context.Context, p store.RunsParams) (store.RunPage, error) {
	page, err := s.Store.ListRuns(ctx, p)
	slices.SortFunc(page.Runs, func(a, b store.RunEntry) int { return int(b.Run.ID.Number - a.Run.ID.Number) })
	return page, err
}

// listsAsItBegan lists runs in the first state that they were listed in.
type listsAsItBegan struct {
	store.Store
	began map[store.RunID]statuses.Status
}

func (s *listsAsItBegan) ListRuns(ctx context.Context, p store.RunsParams) (store.RunPage, error) {
	page, err := s.Store.ListRuns(ctx, p)
	for i := range page.Runs {
		r := &page.Runs[i].Run
		if _, known := s.began[r.ID]; !known {
			s.began[r.ID] = r.Status
		}
		r.Status = s.began[r.ID]
	}
	return page, err
}

// listsNoPaused leaves out runs that are paused.
type listsNoPaused struct{ store.Store }

func (s *listsNoPaused) ListRuns(ctx context.Context, p store.RunsParams) (store.RunPage, error) {
	page, err := s.Store.ListRuns(ctx, p)
	page.Runs = slices.DeleteFunc(page.Runs, func(e store.RunEntry) bool { return e.Run.Paused })
	return page, err
}

// repeatsTheLast begins a page of runs with the last of the page before.
type repeatsTheLast struct {
	store.Store
	last store.RunEntry
}

func (s *repeatsTheLast) ListRuns(ctx context.Context, p store.RunsParams) (store.RunPage, error) {
	page, err := s.Store.ListRuns(ctx, p)
	if p.After != (store.Place{}) && p.After == s.last.Place {
		page.Runs = append([]store.RunEntry{s.last}, page.Runs...)
	}
	if n := len(page.Runs); n > 0 {
		s.last = page.Runs[n-1]
	}
	return page, err
}
