package handlers_test

import (
	"context"
	"testing"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

type noop struct {
	Path string `json:"path"`
}

func (noop) Kind() string { return "noop" }

func benchmarkExecute(b *testing.B, attrs handlers.Attributes, middleware ...handlers.Middleware) {
	set := handlers.NewSet("bench", handlers.SetConfig{Attributes: attrs, Middleware: middleware})
	handlers.Handle(set, func(context.Context, *handlers.Task[noop]) error { return nil }, nil)
	registry, err := handlers.NewRegistry(set)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(b.Context())
	defer cancel(nil)
	d := store.Delivery{
		Lease: store.Lease{Lane: store.Lane{
			Run:   store.RunID{Job: "job", Number: 1},
			Route: store.Route{Queue: "default", Set: "bench", Kind: "noop"},
		}, Fetch: 1},
		Task: store.Task{ID: "0123456789abcdef", Payload: []byte(`{"path":"a/b/c"}`)},
	}
	cfg := execute.Config{Runtime: &runtime{}, Enqueue: enqueue.Config{Router: registry}}
	b.ReportAllocs()
	for b.Loop() {
		if out := registry.Execute(ctx, d, cfg); out.Verdict != verdicts.Success {
			b.Fatal(out.Error)
		}
	}
}

func BenchmarkExecuteNoOp(b *testing.B) {
	b.Run("default timeout", func(b *testing.B) { benchmarkExecute(b, handlers.Attributes{}) })
	b.Run("no timeout", func(b *testing.B) {
		benchmarkExecute(b, handlers.Attributes{Timeout: handlers.NoTimeout})
	})
	b.Run("middleware", func(b *testing.B) {
		pass := func(next handlers.Handler) handlers.Handler {
			return func(ctx context.Context, a *handlers.Attempt) error { return next(ctx, a) }
		}
		benchmarkExecute(b, handlers.Attributes{}, pass, pass, pass)
	})
}
