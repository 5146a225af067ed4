// After is the service of folder before, on Rollcall: it sends mails, with retries, delays and IDs,
// and cleans up each night. See MOVING.md for how to go from one to the other while both run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"syscall"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
)

type welcome struct{ User int }

func (welcome) Kind() string { return "welcome" }

type clean struct{}

func (clean) Kind() string { return "clean" }

func sendWelcome(_ context.Context, t *handlers.Task[welcome]) error {
	if t.Args.User == 0 {
		fmt.Println("there is no user 0")
		return handlers.Permanent(errors.New("no such user"))
	}
	fmt.Printf("welcome, user %d\n", t.Args.User)
	return nil
}

func main() {
	url := flag.String("store", "redis://localhost:6379", "where the jobs live")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	// Handlers have the options that asynq keeps with each task: so they can change later.
	set := handlers.NewSet("mail", handlers.SetConfig{
		Attributes: handlers.Attributes{Queue: "mail", MaxRetries: 5, Timeout: time.Minute},
	})
	handlers.Handle(set, sendWelcome, nil)
	handlers.Handle(set, func(context.Context, *handlers.Task[clean]) error { return nil }, nil)
	m := must(syncjob.Open(ctx, *url, syncjob.Config{Registry: must(handlers.NewRegistry(set))}))
	defer m.Close()

	// A standing job is the queue, and a periodic job the schedule. Each process may declare both.
	must(m.Ensure(ctx, syncjob.Job{Name: "mail", Set: "mail", Open: true}))
	must(m.Ensure(ctx, syncjob.Job{
		Name: "clean", Set: "mail", Root: clean{}, Schedule: &schedule.Schedule{Cron: "0 3 * * *"},
	}))

	// Producers. A second task with the same ID is not added; that is no error.
	for user := range 3 {
		options := &enqueue.Options{ID: fmt.Sprintf("welcome-%d", user), Delay: 100 * time.Millisecond}
		must(m.Enqueue(ctx, "mail", welcome{user}, options))
	}

	// Workers. Run ends with SIGINT or SIGTERM.
	worker := must(m.NewWorker(syncjob.WorkerConfig{Concurrency: 10}))
	must(0, worker.Run(ctx))
	final := must(m.State(context.Background(), "mail"))
	fmt.Printf("%d sent, %d failed\n", final.Run.Counts.Succeeded, final.Run.Counts.Failed)
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
