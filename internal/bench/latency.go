package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// stamped is a payload that says when its task should start.
func stamped(due time.Time) []byte {
	b, _ := json.Marshal(due.UnixNano()) // a number always marshals
	return b
}

func due(payload []byte) time.Time {
	var nanos int64
	_ = json.Unmarshal(payload, &nanos)
	return time.Unix(0, nanos)
}

// latencies gathers how late tasks start.
type latencies struct {
	mu   sync.Mutex
	late []time.Duration
}

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.late = append(l.late, d)
}

// into writes the percentiles to a row.
func (l *latencies) into(r *result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.late)
	r.P50Us, r.P99Us = percentile(l.late, 50), percentile(l.late, 99)
}

func percentile(sorted []time.Duration, p int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[(len(sorted)-1)*p/100].Nanoseconds()) / 1e3
}

// idleGap is the longest pause between two tasks for an idle worker.
const idleGap = 20 * time.Millisecond

// pickup is how long it takes from the call that enqueues until the handler starts, with an idle
// worker, at random times.
func pickup(ctx context.Context, t *trial) error {
	var late latencies
	started := make(chan struct{}, 1)
	stop, err := t.peer.work(ctx, 10, func(b []byte) {
		late.add(time.Since(due(b)))
		started <- struct{}{}
	})
	if err != nil {
		return ended(err, stop)
	}
	for i := 0; i < t.sizes.samples && err == nil; i++ {
		time.Sleep(time.Duration(rand.Int64N(int64(idleGap))))
		if err = t.peer.enqueue(ctx, stamped(time.Now()), 0); err != nil {
			break
		}
		select {
		case <-started:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err == nil {
		late.into(t.row(t.sizes.samples))
	}
	return ended(err, stop)
}

// delayed is how late tasks start that were enqueued with a delay.
func delayed(ctx context.Context, t *trial) error {
	var late latencies
	c := newCountdown(t.sizes.samples)
	stop, err := t.peer.work(ctx, 100, func(b []byte) {
		late.add(time.Since(due(b)))
		c.tick(b)
	})
	if err != nil {
		return ended(err, stop)
	}
	g, gctx := errgroup.WithContext(ctx)
	for k := range producers {
		g.Go(func() error {
			for i := k; i < t.sizes.samples; i += producers {
				delay := 300*time.Millisecond + time.Duration(rand.Int64N(int64(time.Second)))
				if err := t.peer.enqueue(gctx, stamped(time.Now().Add(delay)), delay); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err = g.Wait(); err == nil {
		err = c.wait(ctx)
	}
	if err == nil {
		late.into(t.row(t.sizes.samples))
	}
	return ended(err, stop)
}
