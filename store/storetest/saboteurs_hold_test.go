package storetest_test

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
)

// endsDespiteFailures starts each run so that its failures do not hold it.
type endsDespiteFailures struct{ store.Store }

func (s *endsDespiteFailures) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	if p.OnFailure == store.OnFailureHold {
		p.OnFailure = store.OnFailureEnd
	}
	return s.Store.StartRun(ctx, p)
}

// forgetsToAccept says that it accepted, and does not.
type forgetsToAccept struct{ store.Store }

func (s *forgetsToAccept) RedoFailures(ctx context.Context, p store.RedoParams) (store.RedoReply, error) {
	if p.Action == actions.RedoAccept {
		return store.RedoReply{Moved: 1}, nil
	}
	return s.Store.RedoFailures(ctx, p)
}

// acceptsHooks accepts a hook that is to be repeated.
type acceptsHooks struct{ store.Store }

func (s *acceptsHooks) RedoFailures(ctx context.Context, p store.RedoParams) (store.RedoReply, error) {
	if p.Action == actions.RedoPostJob {
		p.Action = actions.RedoAccept
	}
	return s.Store.RedoFailures(ctx, p)
}

// listsAllAsHeld lists runs that are not held, too.
type listsAllAsHeld struct{ store.Store }

func (s *listsAllAsHeld) ListRuns(ctx context.Context, p store.RunsParams) (store.RunPage, error) {
	p.Held = false
	return s.Store.ListRuns(ctx, p)
}
