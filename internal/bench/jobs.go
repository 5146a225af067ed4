package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

// treeArgs is a node of a tree: it enqueues as many children as the first number says, which
// enqueue as many as the second …
type treeArgs struct{ Widths []int }

// Kind implements enqueue.Args.
func (treeArgs) Kind() string { return kindTree }

// branch enqueues the children of a node through the node's own task, so that they appear with its
// success.
func branch(ctx context.Context, t *handlers.Task[treeArgs]) error {
	if len(t.Args.Widths) == 0 {
		return nil
	}
	_, err := t.EnqueueAll(ctx, func(yield func(enqueue.Item, error) bool) {
		child := treeArgs{Widths: t.Args.Widths[1:]}
		for range t.Args.Widths[0] {
			if !yield(enqueue.Task(child, nil), nil) {
				return
			}
		}
	})
	return err
}

// tree is a root with many children that have as many each, staged with the success of their
// parents.
func tree(ctx context.Context, t *trial) error {
	r, err := t.only()
	if err != nil {
		return err
	}
	width := t.sizes.tree
	n := 1 + width + width*width
	var stop func() error
	_, err = t.measure(ctx, n, func() (err error) {
		if stop, err = r.work(ctx, 100, func([]byte) {}); err != nil {
			return err
		}
		root := treeArgs{Widths: []int{width, width}}
		run, err := r.manager.Start(ctx, syncjob.Job{Name: "tree", Set: benchSet, Root: root}, nil)
		if err != nil {
			return err
		}
		return succeeded(ctx, run, n)
	})
	return ended(err, stop)
}

// perJob is how many tasks each of many jobs has.
const perJob = 10

// manyJobs works off many active jobs of a few tasks, and one job of as many tasks: what a task
// costs should not depend on how many jobs there are.
func manyJobs(ctx context.Context, t *trial) error {
	r, err := t.only()
	if err != nil {
		return err
	}
	n := t.sizes.jobs * perJob
	var runs []*syncjob.Run
	if _, err := t.measureAs(ctx, t.scenario+"-start", n, func() (err error) {
		runs, err = startJobs(ctx, r, t.sizes.jobs, perJob)
		return err
	}); err != nil {
		return err
	}
	if err := drainAll(ctx, t, r, t.scenario+"-drain", n); err != nil {
		return err
	}
	for _, run := range runs {
		if err := succeeded(ctx, run, perJob); err != nil {
			return err
		}
	}
	if err := r.fill(ctx, n); err != nil {
		return err
	}
	if err := drainAll(ctx, t, r, t.scenario+"-one-drain", n); err != nil {
		return err
	}
	return r.drained(ctx, n)
}

// drainAll works n tasks off, of any number of runs, until the worker has settled all of them and
// is closed.
func drainAll(ctx context.Context, t *trial, r *rollcall, name string, n int) error {
	c := newCountdown(n)
	_, err := t.measureAs(ctx, name, n, func() error {
		stop, err := r.work(ctx, 100, c.tick)
		if err == nil {
			err = c.wait(ctx)
		}
		return ended(err, stop)
	})
	return err
}

// startJobs starts jobs and fills each with so many tasks.
func startJobs(ctx context.Context, r *rollcall, jobs, tasks int) ([]*syncjob.Run, error) {
	runs := make([]*syncjob.Run, jobs)
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range producers {
		g.Go(func() error {
			for i := int(next.Add(1)) - 1; i < jobs; i = int(next.Add(1)) - 1 {
				run, err := r.manager.Start(
					ctx, syncjob.Job{Name: fmt.Sprintf("job/%05d", i), Set: benchSet, Open: true}, nil,
				)
				if err != nil {
					return err
				}
				if err := fillRun(ctx, run, tasks); err != nil {
					return err
				}
				if err := run.Seal(ctx); err != nil {
					return err
				}
				runs[i] = run
			}
			return nil
		})
	}
	return runs, g.Wait()
}
