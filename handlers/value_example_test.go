package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

// deliver runs the job "mail" in memory, once for each letter, and calls read with the last run.
func deliver(set *handlers.Set, letters []letter, read func(ctx context.Context, run *syncjob.Run) error) {
	ctx := context.Background()
	must := func(err error) {
		if err != nil {
			log.Panic(err)
		}
	}
	registry, err := handlers.NewRegistry(set)
	must(err)
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: registry})
	must(err)
	defer func() { must(m.Close()) }()
	w, err := m.NewWorker(syncjob.WorkerConfig{})
	must(err)
	var run *syncjob.Run
	for _, l := range letters {
		run, err = m.Start(ctx, syncjob.Job{Name: "mail", Set: set.Name(), Root: l}, nil)
		must(err)
		_, err = w.RunOnce(ctx)
		must(err)
	}
	must(read(ctx, run))
}

// What an attempt appends is there if it succeeds, so a letter that is tried twice is listed once.
func ExampleNewList() {
	set := handlers.NewSet("mail", handlers.SetConfig{})
	sent := handlers.NewList[string](set, "sent", nil)
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[letter]) error {
		if err := sent.Append(t, t.Args.To); err != nil {
			return err
		}
		if t.Retry == 0 {
			return handlers.RetryAfter(0, errors.New("mailbox is busy")) // appends nothing
		}
		return nil
	}, nil)
	deliver(set, []letter{{"ada"}}, func(ctx context.Context, run *syncjob.Run) error {
		for to, err := range sent.Of(run).Range(ctx, 0) {
			if err != nil {
				return err
			}
			fmt.Println(to)
		}
		return nil
	})
	// Output: ada
}

// A map of the job goes on from one run to the next.
func ExampleNewMap() {
	set := handlers.NewSet("mail", handlers.SetConfig{})
	known := handlers.NewMap[bool](set, "known", &handlers.ValueOptions{OfJob: true})
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[letter]) error {
		return known.Set(t, t.Args.To, true)
	}, nil)
	deliver(set, []letter{{"ada"}, {"bob"}}, func(ctx context.Context, run *syncjob.Run) error {
		found, err := known.Of(run).GetAll(ctx, "ada", "bob", "eve")
		fmt.Println(found)
		return err
	})
	// Output: map[ada:true bob:true]
}

// What an attempt removes is gone if it succeeds.
func ExampleMap_Remove() {
	set := handlers.NewSet("mail", handlers.SetConfig{})
	known := handlers.NewMap[bool](set, "known", &handlers.ValueOptions{OfJob: true})
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[letter]) error {
		if who, moved := strings.CutSuffix(t.Args.To, ", moved"); moved {
			return known.Remove(t, who)
		}
		return known.Set(t, t.Args.To, true)
	}, nil)
	deliver(set, []letter{{"ada"}, {"bob"}, {"ada, moved"}}, func(ctx context.Context, run *syncjob.Run) error {
		found, err := known.Of(run).GetAll(ctx, "ada", "bob")
		fmt.Println(found)
		return err
	})
	// Output: map[bob:true]
}
