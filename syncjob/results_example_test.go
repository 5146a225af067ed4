package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// thumbnails has a handler whose result is the number of bytes of a thumbnail.
func thumbnails() *handlers.Registry {
	set := handlers.NewSet("ingest", handlers.SetConfig{})
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[fileArgs]) error {
		if t.Args.Path == "none.jpg" {
			return handlers.Permanent(errors.New("no such file"))
		}
		return t.SetResult(map[string]int{"bytes": 100 * len(t.Args.Path)})
	}, &handlers.KindOptions{Attributes: handlers.Attributes{
		ResultRetention: handlers.ResultRetention{Number: 1000},
	}})
	registry, err := handlers.NewRegistry(set)
	if err != nil {
		log.Fatal(err)
	}
	return registry
}

// One service asks, and another computes.
func ExampleTaskRef_Wait() {
	ctx := context.Background()
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: thumbnails()})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	w, err := m.NewWorker(syncjob.WorkerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	working, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.Run(working) }()

	run, err := m.Start(ctx, syncjob.Job{Name: "thumbnails", Set: "ingest", Open: true}, nil)
	if err != nil {
		log.Fatal(err)
	}
	ask := func(path string) {
		receipt, err := run.Enqueue(ctx, fileArgs{Path: path}, &enqueue.Options{ID: "thumbnail of " + path})
		if err != nil {
			log.Fatal(err)
		}
		var thumbnail struct{ Bytes int }
		err = run.Task(receipt.ID).Wait(ctx, &thumbnail)
		fmt.Println(thumbnail.Bytes, errors.Is(err, syncjob.ErrTaskFailed))
	}
	ask("a.jpg")
	ask("none.jpg")
	stop()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output:
	// 500 false
	// 0 true
}

func ExampleTaskRef_Result() {
	ctx := context.Background()
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: thumbnails()})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	run, err := m.Start(ctx, syncjob.Job{Name: "thumbnails", Set: "ingest", Open: true}, nil)
	if err != nil {
		log.Fatal(err)
	}
	receipt, err := run.Enqueue(ctx, fileArgs{Path: "a.jpg"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	task := run.Task(receipt.ID)
	fmt.Println(errors.Is(task.Result(ctx, nil), syncjob.ErrResultPending))

	w, err := m.NewWorker(syncjob.WorkerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.RunOnce(ctx); err != nil {
		log.Fatal(err)
	}
	var thumbnail struct{ Bytes int }
	if err := task.Result(ctx, &thumbnail); err != nil {
		log.Fatal(err)
	}
	fmt.Println(thumbnail.Bytes)
	fmt.Println(errors.Is(run.Task("unknown").Result(ctx, nil), states.ErrNoResult))
	// Output:
	// true
	// 500
	// true
}

// The post-job hook of a run reads the results of all its tasks.
func ExampleRun_Results() {
	ctx := context.Background()
	var m *syncjob.Manager
	set := handlers.NewSet("ingest", handlers.SetConfig{})
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[fileArgs]) error {
		return t.SetResult(len(t.Args.Path))
	}, nil)
	set.OnPostJob(func(ctx context.Context, r *handlers.Run) error {
		sum := 0
		for result, err := range m.Run(r.Job, r.Number).Results(ctx, &syncjob.ResultsOptions{Kind: "file"}) {
			if err != nil {
				return err
			}
			var n int
			if err := result.Decode(&n); err != nil {
				return err
			}
			sum += n
		}
		return r.SetResult(sum)
	})
	registry, err := handlers.NewRegistry(set)
	if err != nil {
		log.Fatal(err)
	}
	m, err = syncjob.Open(ctx, "memory://", syncjob.Config{Registry: registry})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	run, err := m.Start(ctx, syncjob.Job{Name: "import/42", Set: "ingest", Open: true}, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range []string{"a.txt", "bc.txt", "def.txt"} {
		if _, err := run.Enqueue(ctx, fileArgs{Path: path}, nil); err != nil {
			log.Fatal(err)
		}
	}
	if err := run.Seal(ctx); err != nil {
		log.Fatal(err)
	}
	w, err := m.NewWorker(syncjob.WorkerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	for range 4 { // three tasks, and the hook
		if _, err := w.RunOnce(ctx); err != nil {
			log.Fatal(err)
		}
	}
	state, err := run.State(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(state.Status, string(state.Result))
	// Output:
	// succeeded 18
}
