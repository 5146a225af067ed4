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
	alone := max(1, t.sizes.jobs/10)
	n := t.sizes.jobs * perJob
	var runs []*syncjob.Run
	for _, part := range []struct {
		name                 string
		first, end, starters int
	}{{"-start-1", 0, alone, 1}, {"-start", alone, t.sizes.jobs, producers}} {
		if _, err := t.measureAs(ctx, t.scenario+part.name, (part.end-part.first)*perJob, func() error {
			started, err := startJobs(ctx, r, part.first, part.end, perJob, part.starters)
			runs = append(runs, started...)
			return err
		}); err != nil {
			return err
		}
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

// startJobs starts the jobs from one number to another, and fills each with so many tasks. So many
// goroutines do it.
func startJobs(ctx context.Context, r *rollcall, first, end, tasks, starters int) ([]*syncjob.Run, error) {
	runs := make([]*syncjob.Run, end-first)
	var next atomic.Int64
	next.Store(int64(first))
	g, ctx := errgroup.WithContext(ctx)
	for range starters {
		g.Go(func() error {
			for i := int(next.Add(1)) - 1; i < end; i = int(next.Add(1)) - 1 {
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
				runs[i-first] = run
			}
			return nil
		})
	}
	return runs, g.Wait()
}
