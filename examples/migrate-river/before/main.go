// Before is a small service on River: it sends mails, with retries, delays and unique jobs, and
// cleans up each night. Folder after has the same on Rollcall.
//
// It needs a PostgreSQL, and makes River's tables there:
//
//	go run . -database postgres://localhost/river
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

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/robfig/cron/v3"
)

type welcome struct {
	User int `json:"user" river:"unique"`
}

func (welcome) Kind() string { return "welcome" }

func (welcome) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: "mail", MaxAttempts: 6, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

type welcomeWorker struct {
	river.WorkerDefaults[welcome]
}

func (*welcomeWorker) Timeout(*river.Job[welcome]) time.Duration { return time.Minute }

func (*welcomeWorker) Work(_ context.Context, job *river.Job[welcome]) error {
	if job.Args.User == 0 {
		fmt.Println("there is no user 0")
		return river.JobCancel(errors.New("no such user"))
	}
	fmt.Printf("welcome, user %d\n", job.Args.User)
	return nil
}

type clean struct{}

func (clean) Kind() string { return "clean" }

func (clean) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: "mail"} }

func main() {
	url := flag.String("database", "postgres://localhost/river", "where the jobs live")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	pool := must(pgxpool.New(ctx, *url))
	defer pool.Close()
	migrator := must(rivermigrate.New(riverpgxv5.New(pool), nil))
	must(migrator.Migrate(ctx, rivermigrate.DirectionUp, nil))

	// Workers, and a schedule: the process that leads inserts its jobs.
	workers := river.NewWorkers()
	river.AddWorker(workers, &welcomeWorker{})
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[clean]) error { return nil }))
	client := must(river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues:  map[string]river.QueueConfig{"mail": {MaxWorkers: 10}},
		Workers: workers,
		PeriodicJobs: []*river.PeriodicJob{river.NewPeriodicJob(
			must(cron.ParseStandard("0 3 * * *")),
			func() (river.JobArgs, *river.InsertOpts) { return clean{}, nil },
			nil,
		)},
	}))

	// Producers. A second job with the same arguments is not inserted; that is no error.
	for user := range 3 {
		due := time.Now().Add(100 * time.Millisecond)
		must(client.Insert(ctx, welcome{user}, &river.InsertOpts{ScheduledAt: due}))
	}

	// It works until SIGINT or SIGTERM; then its jobs may finish.
	must(0, client.Start(context.Background()))
	<-ctx.Done()
	must(0, client.Stop(context.Background()))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
