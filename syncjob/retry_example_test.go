package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// A standing job is a queue: failed tasks are seen, and retried or discarded, while producers go on.
func ExampleRun_Retry() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var mounted atomic.Bool // whether the disk is there
	set := handlers.NewSet("ingest", handlers.SetConfig{
		Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries},
	})
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[fileArgs]) error {
		switch {
		case t.Args.Path == "":
			return errors.New("no path")
		case !mounted.Load():
			return fmt.Errorf("open %s: no such file", t.Args.Path)
		}
		return nil
	}, nil)
	registry, err := handlers.NewRegistry(set)
	if err != nil {
		log.Fatal(err)
	}
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: registry})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	worker, err := m.NewWorker(syncjob.WorkerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = worker.Run(ctx) }()
	if _, err := m.Ensure(ctx, syncjob.Job{Name: "uploads", Set: "ingest", Open: true}); err != nil {
		log.Fatal(err)
	}
	run, err := m.Latest(ctx, "uploads")
	if err != nil {
		log.Fatal(err)
	}
	until := func(reached func(states.Counts) bool) {
		for state, err := range run.Watch(ctx) {
			if err != nil {
				log.Fatal(err)
			}
			if reached(state.Counts) {
				return
			}
		}
	}

	for _, path := range []string{"a1.txt", "", "b2.txt"} {
		if _, err := m.Enqueue(ctx, "uploads", fileArgs{Path: path}, nil); err != nil {
			log.Fatal(err)
		}
	}
	until(func(c states.Counts) bool { return c.Failed == 3 })
	groups, err := m.FailureGroups(ctx, &syncjob.AllFailuresOptions{Prefix: "uploads"})
	if err != nil {
		log.Fatal(err)
	}
	for _, g := range groups.Groups {
		fmt.Println(g.Count, "failed:", g.Error)
	}

	var hopeless []string
	for f, err := range run.Failures(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		if f.Error == "no path" {
			hopeless = append(hopeless, f.TaskID)
		}
	}
	discarded, err := run.Discard(ctx, &syncjob.RetryOptions{IDs: hopeless})
	if err != nil {
		log.Fatal(err)
	}
	mounted.Store(true)
	retried, err := run.Retry(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := m.Enqueue(ctx, "uploads", fileArgs{Path: "c3.txt"}, nil); err != nil {
		log.Fatal(err)
	}
	until(func(c states.Counts) bool { return c.Succeeded == 3 })
	fmt.Println("discarded", discarded.Moved, "retried", retried.Moved)
	// Output:
	// 2 failed: open #: no such file
	// 1 failed: no path
	// discarded 1 retried 2
}
