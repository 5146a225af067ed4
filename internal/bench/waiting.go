package main

import (
	"context"
	"fmt"
	"sync/atomic"
)

// memory is what a task takes while it waits.
func memory(ctx context.Context, t *trial) error {
	n := t.sizes.n
	before, err := t.server.usage(ctx)
	if err != nil {
		return err
	}
	if err := fill(ctx, t.peer, n); err != nil {
		return err
	}
	after, err := t.server.usage(ctx)
	t.row(n).BytesPerTask = float64(after.memory-before.memory) / float64(n)
	return err
}

// waiting enqueues and works off tasks while few wait and while many do: what a task costs
// should not depend on it.
func waiting(ctx context.Context, t *trial) error {
	if _, err := t.only(); err != nil {
		return err
	}
	for _, backlog := range []int{1000, t.sizes.waiting} {
		if err := behind(ctx, t, backlog); err != nil {
			return err
		}
	}
	return nil
}

// behind measures n tasks that are enqueued, and as many worked off, while so many wait.
func behind(ctx context.Context, t *trial, backlog int) error {
	if err := t.reopen(ctx); err != nil { // what is left of the one before would be in the way
		return err
	}
	if err := t.peer.fill(ctx, backlog); err != nil {
		return err
	}
	const chunk = 256
	n := max(t.sizes.n/chunk, 1) * chunk
	c := newCountdown(n)
	var handled atomic.Int64
	refill := make(chan struct{}, n/chunk+2)
	refill <- struct{}{}
	refill <- struct{}{}
	var stop func() error
	_, err := t.measureAs(ctx, fmt.Sprintf("%s-%d", t.scenario, backlog), n, func() (err error) {
		stop, err = t.peer.work(ctx, 100, func(b []byte) {
			if handled.Add(1)%chunk == 0 {
				select {
				case refill <- struct{}{}:
				default: // enough were enqueued
				}
			}
			c.tick(b)
		})
		for stored := 0; stored < n && err == nil; stored += chunk {
			select {
			case <-refill:
				err = t.peer.fill(ctx, chunk)
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		if err == nil {
			err = c.wait(ctx)
		}
		return err
	})
	return ended(err, stop)
}
