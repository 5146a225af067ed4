package storetest_test

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
)

// answersAtOnce reads all failures in one reply, whatever they weigh.
type answersAtOnce struct{ store.Store }

func (s *answersAtOnce) Failures(ctx context.Context, id store.RunID, after int64, limit int) ([]store.Failure, error) {
	var all []store.Failure
	for {
		if len(all) > 0 {
			after = all[len(all)-1].Place
		}
		page, err := s.Store.Failures(ctx, id, after, limit-len(all))
		if all = append(all, page...); err != nil || len(page) == 0 || len(all) == limit {
			return all, err
		}
	}
}

// comparesFloats takes revisions for floats, as Lua does.
type comparesFloats struct{ store.Store }

func (s *comparesFloats) EnsureJob(ctx context.Context, p store.EnsureParams) (store.EnsureResult, error) {
	p.Revision = int64(float64(p.Revision))
	return s.Store.EnsureJob(ctx, p)
}
