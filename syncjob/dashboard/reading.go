package dashboard

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
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

// forget lets the next call read anew: something was changed here.
func (r *reading[T]) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.call = nil
}

// stale reports whether what was read is too old to be shared.
func (r *reading[T]) stale(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.call.stale(now)
}

type readCall[T any] struct {
	done  chan struct{}
	value T
	err   error
	until time.Time // while it is fresh; zero while it is in progress
}

func (c *readCall[T]) stale(now time.Time) bool {
	return c != nil && !c.until.IsZero() && !now.Before(c.until)
}

// get returns the value, which must not be changed.
func (r *reading[T]) get(ctx context.Context) (T, error) {
	r.mu.Lock()
	c := r.call
	mine := c == nil || c.stale(time.Now())
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
		until := time.Now()
		if c.err == nil || partly(c.err) { // else only those that wait share it
			until = until.Add(max(r.fresh, fresh))
		}
		r.mu.Lock()
		c.until = until
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

// openPages shares what pages at the same address read, as long as it is fresh.
type openPages struct {
	mu     sync.Mutex
	bodies map[string]*reading[any] // by address
}

// at returns the reading for an address, and drops those that are no longer shared.
func (p *openPages) at(address string, read func(context.Context) (any, error)) *reading[any] {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(p.bodies, func(_ string, r *reading[any]) bool { return r.stale(now) })
	r := p.bodies[address]
	if r == nil {
		r = &reading[any]{read: read}
		p.bodies[address] = r
	}
	return r
}

func (p *openPages) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.bodies)
}

// partly reports whether an error only names partitions that did not answer: the rest is there.
func partly(err error) bool {
	var some *syncjob.PartialError
	return errors.As(err, &some)
}
