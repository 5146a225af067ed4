package syncjob_test

import (
	"context"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

// A licence allows two conversions at a time, in all processes together.
func Example_limits() {
	ctx, stop := context.WithCancel(context.Background())
	var running, most atomic.Int64
	set := handlers.NewSet("ingest", handlers.SetConfig{})
	handlers.Handle(set, func(ctx context.Context, t *handlers.Task[scanArgs]) error {
		_, err := t.EnqueueAll(ctx, paths(t.Args.Dirs))
		return err
	}, nil)
	handlers.Handle(set, func(context.Context, *handlers.Task[fileArgs]) error {
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		<-time.After(5 * time.Millisecond)
		return nil
	}, &handlers.KindOptions{Attributes: handlers.Attributes{MaxRunning: 2}})
	reg, err := handlers.NewRegistry(set)
	if err != nil {
		log.Fatal(err)
	}
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: reg})
	if err != nil {
		log.Fatal(err)
	}
	drained := make(chan error)
	for range 3 {
		w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 8})
		if err != nil {
			log.Fatal(err)
		}
		go func() { drained <- w.Run(ctx) }()
	}
	run, err := m.Start(ctx, syncjob.Job{Name: "import", Set: "ingest", Root: scanArgs{Dirs: 20}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	final, err := run.Wait(ctx)
	fmt.Println(final.Counts.Succeeded, err, most.Load() <= 2)
	stop()
	fmt.Println(<-drained, <-drained, <-drained)
	fmt.Println(m.Close())
	// Output:
	// 21 <nil> true
	// <nil> <nil> <nil>
	// <nil>
}

func ExampleManager_SetMode() {
	ctx := context.Background()
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	fmt.Println(m.SetMode(ctx, syncjob.ModeReadOnly))
	mode, err := m.Mode(ctx)
	fmt.Println(mode, err, m.Writable(ctx))
	fmt.Println(m.SetMode(ctx, syncjob.ModeReadWrite), m.Writable(ctx))
	// Output:
	// <nil>
	// read-only <nil> false
	// <nil> true
}
