package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// slowTime is how long a slow handler takes.
const slowTime = 10 * time.Millisecond

// slowHandlers shares tasks of 10 ms between two workers that have just had tasks of no length at
// all. Prefetching must keep the slots busy, and must not keep tasks from the worker that is free.
func slowHandlers(ctx context.Context, t *trial) error {
	if _, ok := t.peer.(*floor); ok {
		return errUnsupported // it runs handlers one after the other
	}
	const concurrency = 10
	other, err := t.open.open(ctx, t.server.url)
	if err != nil {
		return err
	}
	defer other.close()
	n := t.sizes.slow
	quick, left := newCountdown(n), newCountdown(n)
	var slow atomic.Bool
	var counts [2]atomic.Int64
	handler := func(k int) func([]byte) {
		return func(b []byte) {
			if !slow.Load() {
				quick.tick(b)
				return
			}
			time.Sleep(slowTime)
			counts[k].Add(1)
			left.tick(b)
		}
	}
	stop0, err := t.peer.work(ctx, concurrency, handler(0))
	if err != nil {
		return ended(err, stop0)
	}
	stop1, err := other.work(ctx, concurrency, handler(1))
	stop := func() error { return errors.Join(stop0(), ended(nil, stop1)) }
	if err != nil {
		return errors.Join(err, stop())
	}
	if err := errors.Join(fill(ctx, t.peer, n), quick.wait(ctx)); err != nil {
		return errors.Join(err, stop())
	}
	slow.Store(true)
	r, err := t.measure(ctx, n, func() error { return errors.Join(fill(ctx, t.peer, n), left.wait(ctx)) })
	if err == nil {
		ideal := time.Duration(n) * slowTime / (2 * concurrency)
		r.Busy = float64(ideal) / float64(r.elapsed)
		r.Share = float64(min(counts[0].Load(), counts[1].Load())) / float64(n)
	}
	return errors.Join(err, stop())
}
