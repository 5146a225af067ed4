// Package lifecycle starts goroutines, and makes their starter wait for them.
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
	stopped bool // no goroutine starts after Wait began, because Add must not race with Wait

	wg sync.WaitGroup
}

// New returns a group. Its goroutines run under a context derived from ctx.
func New(ctx context.Context) *Group {
	ctx, cancel := context.WithCancelCause(ctx)
	return &Group{ctx: ctx, cancel: cancel}
}

// Context returns the context of the group's goroutines. It ends with the parent, or with Stop.
func (g *Group) Context() context.Context { return g.ctx }

// Go starts fn. After Wait has begun, it starts nothing and returns false.
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

// StopAfter waits. After the given time, it cancels the group's context with the given cause.
// Goroutines that obey their context return soon after that.
func (g *Group) StopAfter(d time.Duration, cause error) {
	late := time.AfterFunc(d, func() { g.cancel(cause) })
	defer late.Stop()
	g.Wait()
}

// Wait prevents new goroutines, and returns when all have returned.
func (g *Group) Wait() {
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
	g.wg.Wait()
	g.cancel(context.Canceled)
}
