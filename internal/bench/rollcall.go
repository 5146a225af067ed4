package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

const benchQueue = "bench"

// rollcall is the library through its public API, with everything on: retries, leases, heartbeats, exact counts.
type rollcall struct {
	manager *syncjob.Manager
	run     *syncjob.Run
}

func newRollcall(ctx context.Context, url string) (peer, error) {
	set := handlers.NewSet("bench", handlers.SetConfig{Attributes: handlers.Attributes{Queue: benchQueue}})
	handlers.HandleRaw(set, "noop", func(context.Context, *handlers.Task[json.RawMessage]) error { return nil }, nil)
	registry, err := handlers.NewRegistry(set)
	if err != nil {
		return nil, err
	}
	m, err := syncjob.Open(ctx, url, syncjob.Config{Registry: registry})
	if err != nil {
		return nil, err
	}
	return &rollcall{manager: m}, nil
}

func (r *rollcall) name() string { return "rollcall" }
func (r *rollcall) close()       { _ = r.manager.Close() }

func (r *rollcall) fill(ctx context.Context, n int) error {
	run, err := r.manager.Start(ctx, syncjob.Job{Name: "bench", Set: "bench", Open: true}, nil)
	if err != nil {
		return err
	}
	r.run = run
	added, err := run.EnqueueAll(ctx, items(n), nil)
	if err != nil {
		return err
	}
	if added.Enqueued != n {
		return fmt.Errorf("rollcall stored %d of %d", added.Enqueued, n)
	}
	return run.Seal(ctx)
}

func items(n int) iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		for i := range n {
			if !yield(enqueue.Raw("noop", payload(i), nil), nil) {
				return
			}
		}
	}
}

func (r *rollcall) drain(ctx context.Context, n, concurrency int) error {
	w, err := r.manager.NewWorker(syncjob.WorkerConfig{Concurrency: concurrency})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	final, err := r.run.Wait(ctx)
	cancel()
	if stopped := <-done; err == nil {
		err = stopped
	}
	if err == nil && final.Counts.Succeeded != int64(n) {
		err = fmt.Errorf("rollcall counts %+v, want %d succeeded", final.Counts, n)
	}
	return err
}
