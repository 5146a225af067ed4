// After is the service of folder before, on Rollcall: it sends mails, with retries, delays and
// unique tasks, and cleans up each night.
//
// # While both run
//
// MOVING.md has the plan for any queue. For this service:
//
//  1. Deploy after without producers. It serves its own queue, which is empty.
//  2. Let producers call m.Enqueue in place of client.Insert. Where the insert was part of a
//     transaction, insert a row into an outbox there: MOVING.md says how.
//  3. A mail is unique in each system by itself. One that River has inserted may be enqueued here, too,
//     if its producer repeats it: until River's table has no welcome left that is not finalized, let
//     the producer look there first.
//  4. Remove the periodic job from River's configuration in the same deploy that declares clean here.
//  5. Let River work until select count(*) from river_job where finalized_at is null is 0. Then remove
//     it.
//
// To go back, let producers insert again. The workers of both are still there.
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

type welcome struct {
	User int `json:"user"`
}

func (welcome) Kind() string { return "welcome" }

// id makes tasks with the same arguments one task, as River's UniqueOpts do.
func (w welcome) id() string { return fmt.Sprintf("welcome-%d", w.User) }

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

	// The options of InsertOpts and of the worker are attributes of the handlers: they can change
	// while tasks wait. Six attempts are five retries.
	set := handlers.NewSet("mail", handlers.SetConfig{
		Attributes: handlers.Attributes{Queue: "mail", MaxRetries: 5, Timeout: time.Minute},
	})
	handlers.Handle(set, sendWelcome, nil)
	handlers.Handle(set, func(context.Context, *handlers.Task[clean]) error { return nil }, nil)
	m := must(syncjob.Open(ctx, *url, syncjob.Config{Registry: must(handlers.NewRegistry(set))}))
	defer m.Close()

	// A standing job is the queue, and a periodic job the schedule. Each process may declare both:
	// nobody leads.
	must(m.Ensure(ctx, syncjob.Job{Name: "mail", Set: "mail", Open: true}))
	must(m.Ensure(ctx, syncjob.Job{
		Name: "clean", Set: "mail", Root: clean{}, Schedule: &schedule.Schedule{Cron: "0 3 * * *"},
	}))

	// Producers. A second task with the same ID is not added; that is no error.
	for user := range 3 {
		mail := welcome{user}
		options := &enqueue.Options{ID: mail.id(), IDFor: 24 * time.Hour, Delay: 100 * time.Millisecond}
		must(m.Enqueue(ctx, "mail", mail, options))
	}

	// Workers. Run ends with SIGINT or SIGTERM; then its tasks may finish.
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
