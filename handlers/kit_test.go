package handlers_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type scanArgs struct {
	Dir string `json:"dir"`
}

func (scanArgs) Kind() string { return "scan" }

type fileArgs struct {
	Path string `json:"path"`
}

func (fileArgs) Kind() string { return "file" }

type scanHandler = func(context.Context, *handlers.Task[scanArgs]) error

// registry has one set "ingest" with the kind "scan".
func registry(t *testing.T, cfg handlers.SetConfig, handler scanHandler, opts *handlers.KindOptions) *handlers.Registry {
	t.Helper()
	set := handlers.NewSet("ingest", cfg)
	handlers.Handle(set, handler, opts)
	handlers.Handle(set, func(context.Context, *handlers.Task[fileArgs]) error { return nil },
		&handlers.KindOptions{Attributes: handlers.Attributes{Queue: "file"}})
	r, err := handlers.NewRegistry(set)
	require.NoError(t, err)
	return r
}

func returning(err error) scanHandler {
	return func(context.Context, *handlers.Task[scanArgs]) error { return err }
}

func delivery(kind string, task store.Task) store.Delivery {
	if task.ID == "" {
		task.ID = "task-1"
	}
	if task.Payload == nil {
		task.Payload = []byte(`{"dir":"a/b"}`)
	}
	return store.Delivery{
		Lease: store.Lease{
			Lane:  store.Lane{Run: store.RunID{Job: "import/42", Number: 7}, Route: store.Route{Queue: "path", Set: "ingest", Kind: kind}},
			Fetch: 3, Index: 1,
		},
		Task: task,
	}
}

// executeScan runs one delivery of "scan" over a fresh runtime.
func executeScan(ctx context.Context, r *handlers.Registry, task store.Task) store.Outcome {
	return r.Execute(ctx, delivery("scan", task), execute.Config{Runtime: &runtime{}})
}
