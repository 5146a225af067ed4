package scene

import (
	"cmp"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
)

// Set is the name of the handler set.
const Set = "tree"

// Leaf is a task that fails, fails for now, blocks or succeeds, as its arguments say.
type Leaf struct {
	Fail  string `json:"fail,omitempty"`
	Flaky string `json:"flaky,omitempty"` // fails so, and is tried again
	Block bool   `json:"block,omitempty"` // reports progress, and runs until its context ends
	Note  string `json:"note,omitempty"`

	Nap   time.Duration `json:"nap,omitempty"`   // takes so long
	Bytes int64         `json:"bytes,omitempty"` // is added to the counter of that name
}

// Kind implements enqueue.Args.
func (Leaf) Kind() string { return "leaf" }

// Registry returns the handler set. A retry waits for ten minutes.
func Registry(tb testing.TB) *handlers.Registry {
	tb.Helper()
	set := handlers.NewSet(Set, handlers.SetConfig{Attributes: handlers.Attributes{
		Backoff: handlers.Exponential{First: 10 * time.Minute, Factor: 1, Jitter: handlers.NoJitter},
	}})
	counted := handlers.NewCounter(set, "bytes")
	handlers.Handle(set, func(ctx context.Context, task *handlers.Task[Leaf]) error {
		if task.Args.Bytes != 0 {
			counted.Add(task, task.Args.Bytes)
		}
		return leaf(ctx, task)
	}, nil)
	reg, err := handlers.NewRegistry(set)
	require.NoError(tb, err)
	return reg
}

func leaf(ctx context.Context, task *handlers.Task[Leaf]) error {
	if task.Args.Nap > 0 {
		time.Sleep(task.Args.Nap)
	}
	switch {
	case task.Args.Block:
		task.Progress(ctx, 1, 3, cmp.Or(task.Args.Note, "half way"))
		<-ctx.Done()
		return ctx.Err()
	case task.Args.Fail != "":
		return handlers.Permanent(errors.New(task.Args.Fail))
	case task.Args.Flaky != "":
		return errors.New(task.Args.Flaky)
	}
	return task.SetResult(task.Args.Bytes)
}
