package syncjob_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
)

func ExampleJob_deadline() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: ingest()})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	w, err := m.NewWorker(syncjob.WorkerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()

	job := syncjob.Job{Name: "import/42", Set: "ingest", Open: true, Deadline: 10 * time.Millisecond}
	run, err := m.Start(ctx, job, nil) // nobody seals it
	if err != nil {
		log.Fatal(err)
	}
	state, err := run.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(state.Status, "because", state.Reason)
	cancel()
	if err := <-done; err != nil {
		log.Fatal(err)
	}
	// Output: stopped because its deadline has passed
}
