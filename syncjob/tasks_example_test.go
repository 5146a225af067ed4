package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func ExampleRun_Tasks() {
	ctx := context.Background()
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: ingest()})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	run, err := m.Start(ctx, syncjob.Job{Name: "import/42", Set: "ingest", Open: true}, nil)
	if err != nil {
		log.Fatal(err)
	}
	for i, delay := range []time.Duration{0, 0, time.Hour} {
		o := &enqueue.Options{ID: fmt.Sprint("file-", i), Delay: delay}
		if _, err := run.Enqueue(ctx, fileArgs{Path: "a.txt"}, o); err != nil {
			log.Fatal(err)
		}
	}
	for task, err := range run.Tasks(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(task.ID, task.State)
	}
	for task, err := range run.Tasks(ctx, &syncjob.TasksOptions{State: states.TaskWaiting, Kind: "file", Limit: 1}) {
		fmt.Println("the last to run:", task.ID, err)
	}
	// Output:
	// file-2 delayed
	// file-1 waiting
	// file-0 waiting
	// the last to run: file-1 <nil>
}

func ExampleTaskRef_State() {
	ctx := context.Background()
	set := handlers.NewSet("ingest", handlers.SetConfig{})
	handlers.Handle(set, func(context.Context, *handlers.Task[fileArgs]) error {
		return handlers.RetryAfter(time.Hour, errors.New("no such file"))
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
	run, err := m.Start(ctx, syncjob.Job{Name: "import/42", Set: "ingest", Open: true}, nil)
	if err != nil {
		log.Fatal(err)
	}
	receipt, err := run.Enqueue(ctx, fileArgs{Path: "a.txt"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	w, err := m.NewWorker(syncjob.WorkerConfig{Name: "worker-1"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.RunOnce(ctx); err != nil {
		log.Fatal(err)
	}

	task, err := run.Task(receipt.ID).State(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(task.State, "attempt", task.Attempt, "in", task.NextAttempt.Sub(task.Since).Round(time.Hour))
	for _, a := range task.Attempts {
		fmt.Println(a.Worker+":", a.Error)
	}
	_, err = run.Task("unknown").State(ctx)
	fmt.Println(errors.Is(err, syncjob.ErrTaskNotFound))
	// Output:
	// retrying attempt 2 in 1h0m0s
	// worker-1: no such file
	// true
}
