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
	lease, err := sems.TryAcquire(ctx, "reindex", &semaphore.Options{TTL: time.Minute, Holder: "indexer on host-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = sems.TryAcquire(ctx, "reindex", &semaphore.Options{TTL: time.Minute, Holder: "indexer on host-2"})
	if taken := (*semaphore.NotAcquiredError)(nil); errors.As(err, &taken) {
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
		lease, ok := semaphore.FromContext(ctx)
		fmt.Println("runs under a lease:", ok && lease.Fence > 0)
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

// Whoever waits is told for whom, and gets the place when it is free.
func ExampleSemaphores_Acquire() {
	ctx := context.Background()
	sems := semaphore.New(memstore.New(nil)) // or redisstore.Open
	first, err := sems.TryAcquire(ctx, "reindex", &semaphore.Options{TTL: time.Minute, Holder: "indexer on host-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	second, err := sems.Acquire(ctx, "reindex", &semaphore.Options{TTL: time.Minute, Holder: "indexer on host-2",
		OnBlocked: func(taken *semaphore.NotAcquiredError) {
			fmt.Println("waits for", taken.Holders[0].Holder)
			fmt.Println(first.Release(ctx)) // elsewhere, mostly
		}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("fencing number has grown:", second.Fence > first.Fence)
	fmt.Println(second.Release(ctx))
	// Output:
	// waits for indexer on host-1
	// <nil>
	// fencing number has grown: true
	// <nil>
}

// A writer holds the semaphore alone. While it waits no reader is let in, so those that read are
// the last ones.
func ExampleOptions_exclusive() {
	ctx := context.Background()
	sems := semaphore.New(memstore.New(nil)) // or redisstore.Open
	reader := func(name string) *semaphore.Options {
		return &semaphore.Options{Max: 10, TTL: time.Minute, Holder: name}
	}
	var reading []*semaphore.Lease
	for _, name := range []string{"reader 1", "reader 2"} {
		lease, err := sems.TryAcquire(ctx, "catalogue", reader(name))
		if err != nil {
			fmt.Println(err)
			return
		}
		reading = append(reading, lease)
	}
	writer, err := sems.Acquire(ctx, "catalogue", &semaphore.Options{Max: 10, Exclusive: true, TTL: time.Minute, Holder: "writer",
		OnBlocked: func(taken *semaphore.NotAcquiredError) {
			fmt.Println(len(taken.Holders), "still read")
			_, err := sems.TryAcquire(ctx, "catalogue", reader("reader 3"))
			fmt.Println("a third is refused:", errors.Is(err, semaphore.ErrNotAcquired))
			for _, lease := range reading {
				fmt.Println(lease.Release(ctx))
			}
		}})
	if err != nil {
		fmt.Println(err)
		return
	}
	holders, err := sems.Holders(ctx, "catalogue")
	fmt.Println(holders[0].Holder, "is alone:", len(holders) == 1, err)
	fmt.Println(writer.Release(ctx))
	// Output:
	// 2 still read
	// a third is refused: true
	// <nil>
	// <nil>
	// writer is alone: true <nil>
	// <nil>
}

// Whoever needs several gets all of them or none. In whatever order callers name them, none waits
// for the other in a circle.
func ExampleSemaphores_AcquireAll() {
	ctx := context.Background()
	sems := semaphore.New(memstore.New(nil)) // or redisstore.Open
	leases, err := sems.AcquireAll(
		ctx, []string{"warehouse", "invoices"}, &semaphore.Options{TTL: time.Minute, Holder: "closing of the year"},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, lease := range leases.All {
		fmt.Println(lease.Key)
	}
	fmt.Println(leases.Context().Err(), leases.Release(ctx)) // the context ends when one of them is lost
	// Output:
	// invoices
	// warehouse
	// <nil> <nil>
}
