package storetest_test

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// ignoresReadOnly keeps the mode, and fetches all the same.
type ignoresReadOnly struct{ store.Store }

func (s *ignoresReadOnly) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	for _, q := range p.Queues {
		for _, r := range q.Routes {
			p.InReadOnly = append(slices.Clip(p.InReadOnly), r.Set)
		}
	}
	return s.Store.Fetch(ctx, p)
}

// ignoresPauses pauses nothing but everything.
type ignoresPauses struct{ store.Store }

func (s *ignoresPauses) Pause(ctx context.Context, partition int, p store.Pause) error {
	if !p.Scope.IsReadOnly() {
		return nil
	}
	return s.Store.Pause(ctx, partition, p)
}

// pausesTooMuch pauses the whole set of a kind.
type pausesTooMuch struct{ store.Store }

func (s *pausesTooMuch) Pause(ctx context.Context, partition int, p store.Pause) error {
	if p.Scope.Set != "" {
		p.Scope.Kind = ""
	}
	return s.Store.Pause(ctx, partition, p)
}

func (s *pausesTooMuch) Resume(ctx context.Context, partition int, scope store.PauseScope) error {
	if scope.Set != "" {
		scope.Kind = ""
	}
	return s.Store.Resume(ctx, partition, scope)
}

// pausesAnew has the second pause of a scope begin when it is made.
type pausesAnew struct{ store.Store }

func (s *pausesAnew) Pause(ctx context.Context, partition int, p store.Pause) error {
	if err := s.Resume(ctx, partition, p.Scope); err != nil {
		return err
	}
	return s.Store.Pause(ctx, partition, p)
}

// tellsNoPauses has workers hear of pauses by signals only.
type tellsNoPauses struct{ store.Store }

func (s *tellsNoPauses) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	reply, err := s.Store.Fetch(ctx, p)
	reply.Pauses = 0
	return reply, err
}
