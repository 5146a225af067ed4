package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
)

func ExampleNewSet() {
	set := handlers.NewSet("mail", handlers.SetConfig{
		Attributes: handlers.Attributes{Queue: "mail", MaxRetries: 5, Timeout: time.Minute},
		Hooks: handlers.Hooks{PostJob: func(ctx context.Context, r *handlers.Run) error {
			r.Log().InfoContext(ctx, "newsletter sent", "to", r.Counts.Succeeded)
			return nil
		}},
	})
	fmt.Println(set.Name(), set.Kinds())
	// Output: mail []
}

type letter struct{ To string }

func (letter) Kind() string { return "letter" }

func ExampleHandle() {
	set := handlers.NewSet("mail", handlers.SetConfig{})
	handlers.Handle(set, func(ctx context.Context, t *handlers.Task[letter]) error {
		if t.Args.To == "" {
			return handlers.Permanent(fmt.Errorf("letter %s has no address", t.ID))
		}
		return nil
	}, &handlers.KindOptions{Aliases: []string{"message"}})
	fmt.Println(set.Kinds())
	// Output: [letter message]
}

func ExampleNewRegistry() {
	send := func(context.Context, *handlers.Task[letter]) error { return nil }
	set := handlers.NewSet("mail", handlers.SetConfig{Attributes: handlers.Attributes{Queue: "mail"}})
	handlers.Handle(set, send, nil)
	registry, err := handlers.NewRegistry(set)
	fmt.Println(registry.Sets(), registry.Queues(), err)

	handlers.Handle(set, send, nil)
	_, err = handlers.NewRegistry(set)
	fmt.Println(err)
	// Output:
	// [mail] [mail] <nil>
	// new registry: Sets[0].Kinds["letter"] repeats "letter", which has a handler
}

// What tasks add is committed with their success, so that the sum is exact.
func ExampleSet_Counter() {
	set := handlers.NewSet("mail", handlers.SetConfig{})
	sent := set.Counter("bytes_sent")
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[letter]) error {
		t.Add(sent, int64(len(t.Args.To)))
		return nil
	}, nil)
	_, err := handlers.NewRegistry(set)
	fmt.Println(sent.Name(), err)
	// Output: bytes_sent <nil>
}

// An event happens between the set's hooks for it.
func ExampleAttempt_Event() {
	set := handlers.NewSet("mail", handlers.SetConfig{Hooks: handlers.Hooks{Events: map[string]handlers.EventHooks{
		"letter.send": {Before: func(_ context.Context, e handlers.Event) error {
			if e.Retry > 0 {
				return handlers.Permanent(errors.New("it may have been sent"))
			}
			return nil
		}},
	}}})
	handlers.Handle(set, func(ctx context.Context, t *handlers.Task[letter]) error {
		return t.Event(ctx, "letter.send", func(context.Context) error { return nil })
	}, nil)
	_, err := handlers.NewRegistry(set)
	fmt.Println(err)
	// Output: <nil>
}
