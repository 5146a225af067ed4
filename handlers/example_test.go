package handlers_test

import (
	"context"
	"encoding/json"
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

func ExampleHandleRaw() {
	set := handlers.NewSet("mail", handlers.SetConfig{})
	handlers.HandleRaw(set, "webhook", func(ctx context.Context, t *handlers.Task[json.RawMessage]) error {
		t.Log().InfoContext(ctx, "webhook called", "bytes", len(t.Args))
		return nil
	}, nil)
	fmt.Println(set.Kinds())
	// Output: [webhook]
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
func ExampleNewCounter() {
	set := handlers.NewSet("mail", handlers.SetConfig{})
	sent := handlers.NewCounter(set, "bytes_sent")
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[letter]) error {
		sent.Add(t, int64(len(t.Args.To)))
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

// Parameters have a default in code and can be configured while everything runs.
func ExampleAttempt_DecodeParams() {
	type params struct{ From string }
	set := handlers.NewSet("mail", handlers.SetConfig{Attributes: handlers.Attributes{Params: params{From: "noreply@example.org"}}})
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[letter]) error {
		var p params
		if err := t.DecodeParams(&p); err != nil {
			return err
		}
		return nil // sends from p.From
	}, nil)
	registry, err := handlers.NewRegistry(set)
	if err != nil {
		fmt.Println(err)
		return
	}
	attrs, err := registry.Attributes("mail", "letter")
	fmt.Printf("%s %v\n", attrs.Params, err)
	// Output: {"From":"noreply@example.org"} <nil>
}

// Live is what attempts obey: what is configured over what is in code.
func ExampleLive() {
	set := handlers.NewSet("mail", handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: 5}})
	handlers.Handle(set, func(context.Context, *handlers.Task[letter]) error { return nil }, nil)
	registry, err := handlers.NewRegistry(set)
	if err != nil {
		fmt.Println(err)
		return
	}
	live := handlers.NewLive(registry)
	var c handlers.Configuration
	c.Kind("letter").MaxRetries = handlers.NoRetries
	fmt.Println(live.Configure("mail", c))
	letter, _ := live.Attributes("mail", "letter")
	mail, _ := live.Attributes("mail", "")
	fmt.Println(letter.MaxRetries, mail.MaxRetries)
	// Output:
	// <nil>
	// -1 5
}
