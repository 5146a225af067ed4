package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/syncjob"
)

// idle is what workers that have nothing to do cost, in commands a second. Rollcall has
// many jobs besides, one half of them paused, the other waiting in a queue that nobody serves.
func idle(ctx context.Context, t *trial) error {
	if _, ok := t.peer.(*floor); ok {
		return errUnsupported // it asks all the time
	}
	if r, _ := t.only(); r != nil {
		if err := idleJobs(ctx, r, t.sizes.jobs); err != nil {
			return err
		}
	}
	var stops []func() error
	var err error
	for range t.sizes.workers {
		var p peer
		if p, err = t.open.open(ctx, t.server.url); err != nil {
			break
		}
		defer p.close()
		var stop func() error
		if stop, err = p.work(ctx, 10, func([]byte) {}); err != nil {
			break
		}
		stops = append(stops, stop)
	}
	if err == nil {
		time.Sleep(time.Second) // they settle down
		err = t.countCommands(ctx)
	}
	var g errgroup.Group
	for _, stop := range stops {
		g.Go(stop)
	}
	return errors.Join(err, g.Wait())
}

// countCommands counts what the server is asked while nothing happens, and what that makes it do.
func (t *trial) countCommands(ctx context.Context) error {
	before, err := t.server.usage(ctx)
	if err != nil {
		return err
	}
	time.Sleep(t.sizes.idle)
	after, err := t.server.usage(ctx)
	seconds := after.at.Sub(before.at).Seconds()
	r := t.row(t.sizes.workers)
	r.RequestsPerS = float64(after.requests-before.requests-1) / seconds // less the bench's own
	r.CommandsPerS = float64(after.commands-before.commands-1) / seconds
	return err
}

func idleJobs(ctx context.Context, r *rollcall, jobs int) error {
	runs, err := startJobs(ctx, r, 0, jobs/2, 1, producers)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(producers)
	for _, run := range runs {
		g.Go(func() error { return run.Pause(gctx) })
	}
	for i := range jobs - jobs/2 {
		g.Go(func() error {
			run, err := r.manager.Start(
				gctx, syncjob.Job{Name: fmt.Sprintf("unserved/%05d", i), Set: benchSet, Open: true}, nil,
			)
			if err == nil {
				_, err = run.Enqueue(gctx, enqueue.Raw(kindTask, nil, &enqueue.Options{Queue: "unserved"}), nil)
			}
			return err
		})
	}
	return g.Wait()
}

// emptyMemory is more than a server takes that holds no tasks to speak of.
const emptyMemory = 10 << 20

// stop is how long it takes to stop a run of which many tasks wait.
func stop(ctx context.Context, t *trial) error {
	r, err := t.only()
	if err != nil {
		return err
	}
	if err := r.fill(ctx, t.sizes.waiting); err != nil {
		return err
	}
	run, err := r.current(ctx)
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := run.Stop(ctx, nil); err != nil {
		return err
	}
	took := time.Since(begun)
	final, err := run.Wait(ctx)
	if err == nil && final.Counts.Cancelled != int64(t.sizes.waiting) {
		err = fmt.Errorf("counts are %+v, want %d cancelled", final.Counts, t.sizes.waiting)
	}
	if err == nil {
		_, err = r.manager.Store().Sweep(ctx, 0) // as a worker would, to purge what is left
	}
	if err == nil {
		err = poll(ctx, func() (bool, error) {
			u, err := t.server.usage(ctx)
			return u.memory < emptyMemory, err
		})
	}
	row := t.row(t.sizes.waiting)
	row.P50Us, row.P99Us = float64(took.Microseconds()), float64(took.Microseconds())
	return err
}

// list reads all jobs with their newest runs.
func list(ctx context.Context, t *trial) error {
	r, err := t.only()
	if err != nil {
		return err
	}
	if _, err := startJobs(ctx, r, 0, t.sizes.jobs, 1, producers); err != nil {
		return err
	}
	_, err = t.measure(ctx, t.sizes.jobs, func() error {
		n := 0
		for _, err := range r.manager.Jobs(ctx, nil) {
			if err != nil {
				return err
			}
			n++
		}
		if n != t.sizes.jobs {
			return fmt.Errorf("listed %d jobs of %d", n, t.sizes.jobs)
		}
		return nil
	})
	return err
}

// watch drains a run that many watch: p50 and p99 are from the end of the last handler to the
// last snapshot of a watcher.
func watch(ctx context.Context, t *trial) error {
	r, err := t.only()
	if err != nil {
		return err
	}
	n := t.sizes.n
	if err := r.fill(ctx, n); err != nil {
		return err
	}
	run, err := r.current(ctx)
	if err != nil {
		return err
	}
	c := newCountdown(n)
	var late latencies
	watchers, wctx := errgroup.WithContext(ctx)
	ends := make(chan time.Time, t.sizes.watchers)
	for range t.sizes.watchers {
		watchers.Go(func() error {
			for _, err := range run.Watch(wctx) {
				if err != nil {
					return err
				}
			}
			ends <- time.Now()
			return nil
		})
	}
	var halt func() error
	row, err := t.measure(ctx, n, func() error {
		if halt, err = drain(ctx, r, 100, c); err != nil {
			return err
		}
		return watchers.Wait()
	})
	if err == nil {
		for range t.sizes.watchers {
			late.add((<-ends).Sub(c.at))
		}
		late.into(row)
	}
	return ended(err, halt)
}

// large drains payloads at the limit, of which the scripts must not take many at a time.
func large(ctx context.Context, t *trial) error {
	r, err := t.only()
	if err != nil {
		return err
	}
	n := t.sizes.large
	_, err = t.measureAs(ctx, t.scenario+"-enqueue", n, func() error { return r.fillLarge(ctx, n) })
	if err != nil {
		return err
	}
	var halt func() error
	_, err = t.measureAs(ctx, t.scenario+"-drain", n, func() (err error) {
		halt, err = drain(ctx, r, 10, newCountdown(n))
		return err
	})
	return ended(err, halt)
}
