package dashboard

import (
	"context"
	"sync"
	"time"
)

// fresh is how long a reading is shared, unless it says otherwise.
const fresh = time.Second

// reading shares what many pages show. At most one call reads at a time, and none while what was
// read is fresh: the others wait for it and get the same. A call whose context ends gives up alone.
type reading[T any] struct {
	read  func(context.Context) (T, error)
	fresh time.Duration // how long it is shared; a second if zero

	mu   sync.Mutex
	call *readCall[T]
}

type readCall[T any] struct {
	done  chan struct{}
	value T
	err   error
	until time.Time // while it is fresh; zero while it is in progress
}

// get returns the value, which must not be changed.
func (r *reading[T]) get(ctx context.Context) (T, error) {
	r.mu.Lock()
	c := r.call
	mine := c == nil || !c.until.IsZero() && time.Now().After(c.until)
	if mine {
		c = &readCall[T]{done: make(chan struct{})}
		r.call = c
	}
	r.mu.Unlock()
	if mine {
		// Others wait for it, so it does not end with this request.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ReadTime)
		c.value, c.err = r.read(ctx)
		cancel()
		r.mu.Lock()
		c.until = time.Now().Add(max(r.fresh, fresh))
		r.mu.Unlock()
		close(c.done)
	}
	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
