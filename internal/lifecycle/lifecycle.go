// Package lifecycle starts goroutines so that whoever starts one waits for it.
package lifecycle

import (
	"context"
	"sync"
	"time"
)

// Group runs goroutines under one context and waits for all of them. Make one
// with [New]. Its methods may be called concurrently.
type Group struct {
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	stopped bool // no goroutine starts after Wait began: Add must not race Wait

	wg sync.WaitGroup
}

// New returns a group whose goroutines see a context derived from ctx.
func New(ctx context.Context) *Group {
	ctx, cancel := context.WithCancelCause(ctx)
	return &Group{ctx: ctx, cancel: cancel}
}

// Context is the context that the group's goroutines run under. It ends with
// the parent, or with Stop.
func (g *Group) Context() context.Context { return g.ctx }

// Go starts fn. It reports false, and starts nothing, once the group is being
// waited for.
func (g *Group) Go(fn func(ctx context.Context)) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return false
	}
	g.wg.Go(func() { fn(g.ctx) })
	return true
}

// Stop cancels the group's context with the given cause, then waits. It may be called
// more than once.
func (g *Group) Stop(cause error) {
	g.cancel(cause)
	g.Wait()
}

// StopAfter waits, and cancels the group's context with the given cause once so much time has
// passed. Goroutines that obey their context return soon after that.
func (g *Group) StopAfter(d time.Duration, cause error) {
	late := time.AfterFunc(d, func() { g.cancel(cause) })
	defer late.Stop()
	g.Wait()
}

// Wait lets no further goroutine start and returns when all have returned.
func (g *Group) Wait() {
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
	g.wg.Wait()
	g.cancel(context.Canceled)
}
