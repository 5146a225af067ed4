package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/syncjob"
)

// Names of the set, its queue and the kinds that scenarios use.
const (
	benchSet   = "bench"
	benchQueue = "bench"
	kindTask   = "task"
	kindTree   = "tree"
)

// rollcall is the library through its public API, with everything on: retries, leases, heartbeats,
// exact counts.
type rollcall struct {
	manager *syncjob.Manager
	handle  atomic.Pointer[func([]byte)]

	mu  sync.Mutex
	run *syncjob.Run // that enqueue and fill add to
}

func openRollcall(ctx context.Context, url string) (peer, error) {
	r := &rollcall{}
	set := handlers.NewSet(benchSet, handlers.SetConfig{Attributes: handlers.Attributes{Queue: benchQueue}})
	handlers.HandleRaw(set, kindTask, func(_ context.Context, t *handlers.Task[json.RawMessage]) error {
		(*r.handle.Load())(t.Args)
		return nil
	}, nil)
	handlers.Handle(set, branch, nil)
	registry, err := handlers.NewRegistry(set)
	if err != nil {
		return nil, err
	}
	if r.manager, err = syncjob.Open(ctx, url, syncjob.Config{Registry: registry}); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *rollcall) close() { _ = r.manager.Close() }

// current is the run that takes tasks.
func (r *rollcall) current(ctx context.Context) (run *syncjob.Run, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.run == nil {
		r.run, err = r.manager.Start(ctx, syncjob.Job{Name: "bench", Set: benchSet, Open: true}, nil)
	}
	return r.run, err
}

func (r *rollcall) enqueue(ctx context.Context, payload []byte, delay time.Duration) error {
	run, err := r.current(ctx)
	if err != nil {
		return err
	}
	_, err = run.Enqueue(ctx, enqueue.Raw(kindTask, payload, &enqueue.Options{Delay: delay}), nil)
	return err
}

func (r *rollcall) fill(ctx context.Context, n int) error {
	run, err := r.current(ctx)
	if err != nil {
		return err
	}
	return fillRun(ctx, run, n)
}

func fillRun(ctx context.Context, run *syncjob.Run, n int) error {
	added, err := run.EnqueueAll(ctx, items(n), nil)
	if err == nil && added.Enqueued != n {
		err = fmt.Errorf("stored %d of %d", added.Enqueued, n)
	}
	return err
}

func items(n int) iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		for i := range n {
			if !yield(enqueue.Raw(kindTask, payload(i), nil), nil) {
				return
			}
		}
	}
}

// fillLarge stores n payloads as large as they may be.
func (r *rollcall) fillLarge(ctx context.Context, n int) error {
	run, err := r.current(ctx)
	if err != nil {
		return err
	}
	body := fmt.Appendf(nil, "\"%0*d\"", bounds.DefaultMaxPayload-2, 0)
	for range n {
		if _, err := run.Enqueue(ctx, enqueue.Raw(kindTask, body, nil), nil); err != nil {
			return err
		}
	}
	return nil
}

func (r *rollcall) work(ctx context.Context, concurrency int, handle func([]byte)) (func() error, error) {
	r.handle.Store(&handle)
	w, err := r.manager.NewWorker(syncjob.WorkerConfig{Concurrency: concurrency})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return func() error { cancel(); return <-done }, nil
}

// drained seals the run and waits for its end; the next task begins another.
func (r *rollcall) drained(ctx context.Context, n int) error {
	run, err := r.current(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.run = nil
	r.mu.Unlock()
	if err := run.Seal(ctx); err != nil {
		return err
	}
	return succeeded(ctx, run, n)
}

// succeeded waits for a run to end and checks its counts.
func succeeded(ctx context.Context, run *syncjob.Run, n int) error {
	final, err := run.Wait(ctx)
	if err == nil && final.Counts.Succeeded != int64(n) {
		err = fmt.Errorf("counts are %+v, want %d succeeded", final.Counts, n)
	}
	return err
}
