package semaphore_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
)

func ExampleNew() {
	ctx := context.Background()
	sems := semaphore.New(memstore.New(nil)) // or redisstore.Open
	lease, err := sems.TryAcquire(ctx, "reindex", semaphore.Options{TTL: time.Minute, Holder: "indexer on host-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = sems.TryAcquire(ctx, "reindex", semaphore.Options{TTL: time.Minute, Holder: "indexer on host-2"})
	if taken := (*semaphore.UnavailableError)(nil); errors.As(err, &taken) {
		fmt.Println("taken by", taken.Holders[0].Holder)
	}
	fmt.Println(lease.Release(ctx))
	// Output:
	// taken by indexer on host-1
	// <nil>
}

func ExampleGate() {
	gate := semaphore.Gate{
		Semaphores: semaphore.New(memstore.New(nil)),
		Key:        "nightly-report",
		TTL:        time.Minute,
		Holder:     "report on host-1",
	}
	err := gate.Run(context.Background(), func(ctx context.Context) error {
		fmt.Println("runs under a lease:", semaphore.FromContext(ctx).Fence > 0)
		// A second one, on this or on another machine, lets it be.
		second := gate.Run(ctx, func(context.Context) error { return errors.New("never called") })
		fmt.Println("the second is skipped:", errors.Is(second, semaphore.ErrSkipped))
		return nil
	})
	fmt.Println(err)
	// Output:
	// runs under a lease: true
	// the second is skipped: true
	// <nil>
}

type exportArgs struct{ Number int }

func (exportArgs) Kind() string { return "export" }

// A gated worker: at most Max processes of the cluster work, each on Concurrency tasks.
func ExampleGate_worker() {
	set := handlers.NewSet("exports", handlers.SetConfig{})
	handlers.Handle(set, func(context.Context, *handlers.Task[exportArgs]) error { return nil }, nil)
	registry, err := handlers.NewRegistry(set)
	if err != nil {
		fmt.Println(err)
		return
	}
	s := memstore.New(nil) // or redisstore.Open
	m, err := syncjob.New(s, syncjob.Config{Registry: registry})
	if err != nil {
		fmt.Println(err)
		return
	}
	w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	gate := semaphore.Gate{Semaphores: semaphore.New(s), Key: "exporters", Max: 5, Holder: "exporter on host-1"}

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error)
	go func() { done <- gate.Run(ctx, w.Run) }()
	run, err := m.Start(ctx, syncjob.Job{Name: "export", Set: "exports", Root: exportArgs{1}}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	final, err := run.Wait(ctx)
	fmt.Println(final.Status, err)
	stop()
	fmt.Println(<-done, m.Close())
	// Output:
	// succeeded <nil>
	// <nil> <nil>
}
