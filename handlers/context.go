package handlers

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/internal/execute"
)

type attemptKey struct{}

// FromContext returns the attempt of a handler's context. It returns false for any other context,
// also for that of a hook.
func FromContext(ctx context.Context) (*Attempt, bool) {
	a, ok := ctx.Value(attemptKey{}).(*Attempt)
	return a, ok
}

// attemptContext is the context of a handler. It carries the attempt. It ends with the attempt's
// timeout, or when the handler has returned.
//
// The timer starts only when Done is called or a context is derived. Most handlers do neither, and
// a timer costs as much as the rest of an attempt. The handler sees no difference: without Done it
// can see the end only through Err, and Err reads the clock.
type attemptContext struct {
	parent   context.Context
	attempt  *Attempt
	limit    time.Duration // 0 for none
	deadline time.Time     // zero for none

	mu     sync.Mutex
	ended  bool            // the handler has returned
	timed  context.Context // the parent under the deadline; nil until needed
	cancel context.CancelFunc
}

// start sets the timeout of an attempt that is about to begin.
func (c *attemptContext) start(limit time.Duration) {
	if limit > 0 {
		c.limit, c.deadline = limit, time.Now().Add(limit)
	}
}

// end cancels the context, and stops the timer.
func (c *attemptContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.cancel != nil {
		c.cancel()
	}
}

// current returns the context that answers now. For waiting it makes one that ends by itself.
func (c *attemptContext) current(waiting bool) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed != nil {
		return c.timed
	}
	expired := c.limit > 0 && !time.Now().Before(c.deadline)
	if !waiting && !expired && !c.ended {
		return c.parent
	}
	if c.limit > 0 {
		c.timed, c.cancel = context.WithDeadlineCause(c.parent, c.deadline, &timeoutError{c.limit})
	} else {
		c.timed, c.cancel = context.WithCancel(c.parent)
	}
	if c.ended {
		c.cancel()
	}
	return c.timed
}

// Deadline implements [context.Context].
func (c *attemptContext) Deadline() (time.Time, bool) {
	outer, ok := c.parent.Deadline()
	if c.limit == 0 || ok && outer.Before(c.deadline) {
		return outer, ok
	}
	return c.deadline, true
}

// Done implements [context.Context].
func (c *attemptContext) Done() <-chan struct{} { return c.current(true).Done() }

// Err implements [context.Context].
func (c *attemptContext) Err() error { return c.current(false).Err() }

// Value implements [context.Context]. Package context uses it to find the parent of derived
// contexts and the cause; it gets the context that ends by itself.
func (c *attemptContext) Value(key any) any {
	switch key.(type) {
	case attemptKey:
		return c.attempt
	case execute.ManagerKey:
		return c.attempt.cfg.Manager
	}
	return c.current(false).Value(key)
}
