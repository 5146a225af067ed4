package main

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
)

// producers is how many goroutines enqueue one by one.
const producers = 10

// enqueueOne stores tasks one by one from so many goroutines, each call returning when its task is
// stored.
func enqueueOne(goroutines int) func(context.Context, *trial) error {
	return func(ctx context.Context, t *trial) error {
		n := max(t.sizes.n/4, goroutines)
		if goroutines == 1 {
			n = max(n/4, 1)
		}
		r, err := t.measure(ctx, n, func() error { return oneByOne(ctx, t.peer, n, goroutines) })
		if err == nil {
			r.BytesPerTask = r.grown
		}
		return err
	}
}

func oneByOne(ctx context.Context, p peer, n, goroutines int) error {
	g, ctx := errgroup.WithContext(ctx)
	for k := range goroutines {
		g.Go(func() error {
			for i := k; i < n; i += goroutines {
				if err := p.enqueue(ctx, payload(i), 0); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// enqueueBatch stores tasks as fast as one producer can.
func enqueueBatch(ctx context.Context, t *trial) error {
	r, err := t.measure(ctx, t.sizes.n, func() error { return t.peer.fill(ctx, t.sizes.n) })
	if err == nil {
		r.BytesPerTask = r.grown
	}
	return err
}

// fill stores n tasks in the fastest way that the peer has.
func fill(ctx context.Context, p peer, n int) error {
	err := p.fill(ctx, n)
	if errors.Is(err, errUnsupported) {
		err = oneByOne(ctx, p, n, producers)
	}
	return err
}

// drainAt works off tasks that wait, with handlers that do nothing.
func drainAt(concurrency int) func(context.Context, *trial) error {
	return func(ctx context.Context, t *trial) error {
		if err := fill(ctx, t.peer, t.sizes.n); err != nil {
			return err
		}
		var stop func() error
		_, err := t.measure(ctx, t.sizes.n, func() (err error) {
			stop, err = drain(ctx, t.peer, concurrency, newCountdown(t.sizes.n))
			return err
		})
		return ended(err, stop)
	}
}

// handlersOf works off tasks that wait, with handlers that take so long, in so many slots.
func handlersOf(takes time.Duration, slots int) func(context.Context, *trial) error {
	return func(ctx context.Context, t *trial) error {
		if _, ok := t.peer.(*floor); ok {
			return errUnsupported // it runs handlers one after the other
		}
		n := slots * max(1, int(t.sizes.busy/takes))
		if err := fill(ctx, t.peer, n); err != nil {
			return err
		}
		c := newCountdown(n)
		var stop func() error
		_, err := t.measure(ctx, n, func() (err error) {
			stop, err = t.peer.work(ctx, slots, func(b []byte) {
				time.Sleep(takes)
				c.tick(b)
			})
			if err == nil {
				err = c.wait(ctx)
			}
			if err == nil {
				err = t.peer.drained(ctx, n)
			}
			return err
		})
		return ended(err, stop)
	}
}

// drain works until all tasks are handled and the store knows it. The worker goes on, until it
// is stopped.
func drain(ctx context.Context, p peer, concurrency int, c *countdown) (stop func() error, err error) {
	n := c.left
	if stop, err = p.work(ctx, concurrency, c.tick); err != nil {
		return stop, err
	}
	if err := c.wait(ctx); err != nil {
		return stop, err
	}
	return stop, p.drained(ctx, n)
}

// ended stops a worker, if there is one.
func ended(err error, stop func() error) error {
	if stop != nil {
		err = errors.Join(err, stop())
	}
	return err
}

// bothAtOnce enqueues and works off at the same time.
func bothAtOnce(ctx context.Context, t *trial) error {
	n := t.sizes.n
	c := newCountdown(n)
	var stop func() error
	_, err := t.measure(ctx, n, func() (err error) {
		if stop, err = t.peer.work(ctx, 100, c.tick); err != nil {
			return err
		}
		if err := fill(ctx, t.peer, n); err != nil {
			return err
		}
		if err := c.wait(ctx); err != nil {
			return err
		}
		return t.peer.drained(ctx, n)
	})
	return ended(err, stop)
}
