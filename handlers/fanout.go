package handlers

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// Up to this many children, and bytes, are sent with the success of their parent. More are staged
// in chunks. Memory is bounded by one chunk, whatever the number of routes.
const (
	maxInline      = 128
	maxInlineBytes = 64 << 10
	maxChunk       = bounds.MaxBatch
	maxChunkBytes  = 64 << 10
	maxRoutes      = bounds.MaxBatch // different routes for which one attempt may stage
)

// finishTimeout bounds the staging of the last chunk, after the handler has
// returned.
const finishTimeout = 30 * time.Second

// fanout collects the children of one attempt.
type fanout struct {
	mu     sync.Mutex
	items  []store.Item // collected, not yet staged
	bytes  int
	staged []store.Staged      // what was staged, or may have been
	routes map[store.Route]int // index of a route in staged; nil while all children may be sent with the success
	ended  bool
	failed error // of a call of Stage: some children are missing
}

// add collects a child, and stages the collected ones when they are too many. It holds the mutex
// while it stages a chunk: so the chunks of a lane keep their order, and other callers wait instead
// of filling memory.
func (f *fanout) add(a *Attempt, item store.Item) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.ended:
		return ErrAttemptEnded
	case f.failed != nil:
		return f.failed
	}
	size := encode.Size(item)
	if f.routes == nil && !f.holds(size, maxInline, maxInlineBytes) {
		f.routes = make(map[store.Route]int)
	}
	if f.routes != nil && len(f.items) > 0 && !f.holds(size, maxChunk, maxChunkBytes) {
		if err := f.flush(&a.ctx, a); err != nil {
			return err
		}
	}
	f.items = append(f.items, item)
	f.bytes += size
	return nil
}

// holds reports whether one more child of the size stays within the limits.
func (f *fanout) holds(size, items, bytes int) bool {
	return len(f.items) < items && f.bytes+size <= bytes
}

// flush stages the collected children, route by route.
func (f *fanout) flush(ctx context.Context, a *Attempt) error {
	byRoute := make(map[store.Route][]store.Item)
	var order []store.Route
	for _, item := range f.items {
		if byRoute[item.Route] == nil {
			order = append(order, item.Route)
		}
		byRoute[item.Route] = append(byRoute[item.Route], item)
	}
	for _, route := range order {
		if err := f.stage(ctx, a, route, byRoute[route]); err != nil {
			f.failed = err
			return err
		}
	}
	clear(f.items)
	f.items, f.bytes = f.items[:0], 0
	return nil
}

func (f *fanout) stage(ctx context.Context, a *Attempt, route store.Route, items []store.Item) error {
	at, known := f.routes[route]
	if !known {
		if at = len(f.staged); at == maxRoutes {
			return &store.FieldError{
				Field:  "Queue",
				Reason: fmt.Sprintf("makes more than %d different routes in one fan-out", maxRoutes),
			}
		}
		f.routes[route] = at
		f.staged = append(f.staged, store.Staged{Route: route})
	}
	if err := a.cfg.Runtime.Stage(ctx, a.delivery.Lease, route, f.staged[at].Count, items); err != nil {
		return fmt.Errorf("stage %d tasks: %w", len(items), err)
	}
	f.staged[at].Count += len(items)
	return nil
}

// end refuses later children. It returns why children are missing; nil if none are.
func (f *fanout) end() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	return f.failed
}

// finish completes the children of an attempt that succeeded; it is called after end. It returns
// the children to send with the success. If they are too many, it stages all of them. It does so
// even if the context has ended, because the attempt has succeeded.
func (f *fanout) finish(ctx context.Context, a *Attempt) ([]store.Item, error) {
	if f.routes == nil {
		return f.items, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	return nil, f.flush(ctx, a)
}
