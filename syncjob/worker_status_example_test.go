package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

// A supervisor restarts its worker, but not after an operator has drained it.
func ExampleWorkerRef_Drain() {
	ctx := context.Background()
	mail := handlers.NewSet("mail", handlers.SetConfig{})
	handlers.Handle(mail, func(context.Context, *handlers.Task[leaf]) error { return nil }, nil)
	registry, err := handlers.NewRegistry(mail)
	if err != nil {
		log.Fatal(err)
	}
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: registry})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	w, err := m.NewWorker(syncjob.WorkerConfig{Name: "mail-1"})
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()

	operator := syncjob.WithReason(syncjob.WithActor(ctx, "ann"), "its disk is full")
	for err = syncjob.ErrWorkerNotFound; errors.Is(err, syncjob.ErrWorkerNotFound); {
		err = m.Worker("mail-1").Drain(operator) // once it has begun
	}
	fmt.Println(err, errors.Is(<-done, syncjob.ErrDrained))
	// Output: <nil> true
}

func ExampleWorkerRef_Quiet() {
	ctx := context.Background()
	mail := handlers.NewSet("mail", handlers.SetConfig{})
	handlers.Handle(mail, func(context.Context, *handlers.Task[leaf]) error { return nil }, nil)
	registry, err := handlers.NewRegistry(mail)
	if err != nil {
		log.Fatal(err)
	}
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: registry})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	w, err := m.NewWorker(syncjob.WorkerConfig{Name: "mail-1"})
	if err != nil {
		log.Fatal(err)
	}
	running, stop := context.WithTimeout(ctx, time.Minute)
	done := make(chan error, 1)
	go func() { done <- w.Run(running) }()

	ref := m.Worker("mail-1")
	for err = syncjob.ErrWorkerNotFound; errors.Is(err, syncjob.ErrWorkerNotFound); {
		err = ref.Quiet(ctx) // once it has begun
	}
	states, _ := ref.States(ctx)
	fmt.Println(err, states[0].Status)
	err = ref.Resume(ctx)
	states, _ = ref.States(ctx)
	fmt.Println(err, states[0].Status)
	stop()
	fmt.Println(<-done)
	// Output:
	// <nil> quiet
	// <nil> active
	// <nil>
}
