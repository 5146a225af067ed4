package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/syncjob"
)

func ExampleTaskRef_Cancel() {
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
	if _, err := run.Enqueue(ctx, fileArgs{Path: "a.txt"}, &enqueue.Options{ID: "file-a"}); err != nil {
		log.Fatal(err)
	}

	for _, id := range []string{"file-a", "file-b"} {
		result, err := run.Task(id).Cancel(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(id, result)
	}
	state, err := run.State(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("pending:", state.Counts.Pending, "cancelled:", state.Counts.Cancelled)
	// Output:
	// file-a cancelled
	// file-b not found
	// pending: 0 cancelled: 1
}

func ExampleTaskRef_RunNow() {
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
	o := &enqueue.Options{ID: "file-a", Delay: time.Hour}
	if _, err := run.Enqueue(ctx, fileArgs{Path: "a.txt"}, o); err != nil {
		log.Fatal(err)
	}
	if err := run.Task("file-a").RunNow(ctx); err != nil {
		log.Fatal(err)
	}
	w, err := m.NewWorker(syncjob.WorkerConfig{Name: "worker-1"})
	if err != nil {
		log.Fatal(err)
	}
	done, err := w.RunOnce(ctx)
	fmt.Println(done, err)
	// Output: 1 <nil>
}

func ExampleTaskRef_Reschedule() {
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
	for id, delay := range map[string]time.Duration{"file-a": time.Hour, "file-b": 0} {
		o := &enqueue.Options{ID: id, Delay: delay}
		if _, err := run.Enqueue(ctx, fileArgs{Path: "a.txt"}, o); err != nil {
			log.Fatal(err)
		}
	}

	newYear := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := run.Task("file-a").Reschedule(ctx, newYear); err != nil {
		log.Fatal(err)
	}
	state, err := run.Task("file-a").State(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("next attempt:", state.NextAttempt.UTC().Format(time.DateOnly))
	err = run.Task("file-b").Reschedule(ctx, newYear)
	fmt.Println("it waits for no time:", errors.Is(err, syncjob.ErrTaskNotDelayed))
	// Output:
	// next attempt: 2100-01-01
	// it waits for no time: true
}
