package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob"
)

// deliver runs the job "mail" in memory, once for each letter, and calls read with the last run.
func deliver(set *handlers.Set, letters []letter, read func(ctx context.Context, h *values.Client, run store.RunID) error) {
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
	must(read(ctx, m.Values(), store.RunID{Job: run.Job(), Number: run.Number()}))
}

// What an attempt appends is there if it succeeds, so a letter that is tried twice is listed once.
func ExampleSet_List() {
	set := handlers.NewSet("mail", handlers.SetConfig{})
	sent := set.List("sent", nil)
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[letter]) error {
		if err := t.Append(sent, t.Args.To); err != nil {
			return err
		}
		if t.Retry == 0 {
			return handlers.RetryAfter(0, errors.New("mailbox is busy")) // appends nothing
		}
		return nil
	}, nil)
	deliver(set, []letter{{"ada"}}, func(ctx context.Context, h *values.Client, run store.RunID) error {
		for to, err := range values.NewList[string](h, sent.Scope(run), sent.Name()).Range(ctx, 0) {
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
func ExampleSet_Map() {
	set := handlers.NewSet("mail", handlers.SetConfig{})
	known := set.Map("known", &handlers.MapOptions{OfJob: true})
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[letter]) error {
		return t.Put(known, t.Args.To, true)
	}, nil)
	deliver(set, []letter{{"ada"}, {"bob"}}, func(ctx context.Context, h *values.Client, run store.RunID) error {
		found, err := values.NewMap[bool](h, known.Scope(run), known.Name()).GetAll(ctx, "ada", "bob", "eve")
		fmt.Println(found)
		return err
	})
	// Output: map[ada:true bob:true]
}

// What an attempt removes is gone if it succeeds.
func ExampleAttempt_Remove() {
	set := handlers.NewSet("mail", handlers.SetConfig{})
	known := set.Map("known", &handlers.MapOptions{OfJob: true})
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[letter]) error {
		if who, moved := strings.CutSuffix(t.Args.To, ", moved"); moved {
			return t.Remove(known, who)
		}
		return t.Put(known, t.Args.To, true)
	}, nil)
	deliver(set, []letter{{"ada"}, {"bob"}, {"ada, moved"}}, func(ctx context.Context, h *values.Client, run store.RunID) error {
		found, err := values.NewMap[bool](h, known.Scope(run), known.Name()).GetAll(ctx, "ada", "bob")
		fmt.Println(found)
		return err
	})
	// Output: map[bob:true]
}
