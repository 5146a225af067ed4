package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// A run that holds for its failures waits until somebody decides. Its report is then made once, of
// the whole.
func ExampleRun_Accept() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	set := handlers.NewSet("ingest", handlers.SetConfig{
		Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries},
		Hooks: handlers.Hooks{PostJob: func(_ context.Context, r *handlers.Run) error {
			fmt.Println("report:", r.Counts.Succeeded, "succeeded,", r.Counts.Failed, "failed")
			return nil
		}},
	})
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[fileArgs]) error {
		if t.Args.Path == "" {
			return errors.New("no path")
		}
		return nil
	}, nil)
	m := exampleManager(ctx, set)
	defer func() { _ = m.Close() }()

	run, err := m.Start(ctx, syncjob.Job{
		Name: "ingest/4711", Set: "ingest", Root: fileArgs{}, OnFailure: syncjob.OnFailureHold,
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	untilHeld(ctx, run)
	// An operator adds a task that makes up for the one that failed, and accepts that it did.
	if _, err := run.Enqueue(ctx, fileArgs{Path: "/found"}, &enqueue.Options{ID: "instead"}); err != nil {
		log.Fatal(err)
	}
	if err := run.Accept(syncjob.WithReason(syncjob.WithActor(ctx, "ann"), "the path was added")); err != nil {
		log.Fatal(err)
	}
	state, err := run.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("it is", state.Status)
	// Output:
	// report: 1 succeeded, 1 failed
	// it is failed
}

// A post-job hook that gave up holds such a run, too. It is run again when it can pass.
func ExampleRun_RepeatPostJob() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var mail atomic.Bool // whether the mail server is up
	set := handlers.NewSet("ingest", handlers.SetConfig{
		Hooks: handlers.Hooks{PostJob: func(context.Context, *handlers.Run) error {
			if !mail.Load() {
				return handlers.Permanent(errors.New("mail server is down"))
			}
			return nil
		}},
	})
	handlers.Handle(set, func(context.Context, *handlers.Task[fileArgs]) error { return nil }, nil)
	m := exampleManager(ctx, set)
	defer func() { _ = m.Close() }()

	run, err := m.Start(ctx, syncjob.Job{
		Name: "ingest/4711", Set: "ingest", Root: fileArgs{Path: "/a"}, OnFailure: syncjob.OnFailureHold,
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	state := untilHeld(ctx, run)
	fmt.Println("held:", state.HookErr)
	mail.Store(true)
	if err := run.RepeatPostJob(ctx); err != nil {
		log.Fatal(err)
	}
	if state, err = run.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("it is", state.Status)
	// Output:
	// held: mail server is down
	// it is succeeded
}

// exampleManager makes a manager with a store in memory, and runs a worker.
func exampleManager(ctx context.Context, set *handlers.Set) *syncjob.Manager {
	registry, err := handlers.NewRegistry(set)
	if err != nil {
		log.Fatal(err)
	}
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: registry})
	if err != nil {
		log.Fatal(err)
	}
	worker, err := m.NewWorker(syncjob.WorkerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = worker.Run(ctx) }()
	return m
}

// untilHeld waits until the run is held.
func untilHeld(ctx context.Context, run *syncjob.Run) states.Run {
	for state, err := range run.Watch(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if state.Held {
			return state
		}
	}
	log.Fatal("the run ended")
	return states.Run{}
}
