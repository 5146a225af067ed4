package storetest_test

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// overdraws takes one more than a budget holds.
type overdraws struct{ store.Store }

func (s *overdraws) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	p.Budgets = slices.Clone(p.Budgets)
	for i := range p.Budgets {
		p.Budgets[i].Left++
	}
	return s.Store.Fetch(ctx, p)
}

// forgetsRunLimits heeds only the first limit of runs.
type forgetsRunLimits struct{ store.Store }

func (s *forgetsRunLimits) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	p.PerRun = p.PerRun[:min(1, len(p.PerRun))]
	return s.Store.Fetch(ctx, p)
}

// neverReconsiders leaves runs aside though their limits have changed.
type neverReconsiders struct{ store.Store }

func (*neverReconsiders) Reconsider(context.Context, int, []store.Route) error { return nil }

// hidesShortness never says that a budget fell short.
type hidesShortness struct{ store.Store }

func (s *hidesShortness) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	reply, err := s.Store.Fetch(ctx, p)
	reply.Short = nil
	return reply, err
}
