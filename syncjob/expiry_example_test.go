package syncjob_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/syncjob"
)

func ExampleRun_Enqueue_expires() {
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
	now := time.Now()
	for id, expires := range map[string]time.Time{"late": now, "in-time": now.Add(time.Hour)} {
		o := &enqueue.Options{ID: id, Expires: expires}
		if _, err := run.Enqueue(ctx, fileArgs{Path: id}, o); err != nil {
			log.Fatal(err)
		}
	}
	late, err := run.Task("late").State(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("before a worker came:", late.State)

	w, err := m.NewWorker(syncjob.WorkerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.RunOnce(ctx); err != nil {
		log.Fatal(err)
	}
	state, err := run.State(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("succeeded:", state.Counts.Succeeded, "cancelled:", state.Counts.Cancelled)
	// Output:
	// before a worker came: expired
	// succeeded: 1 cancelled: 1
}
