package syncjob_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// node is a task that fans out: it enqueues N leaves, or runs the test's own code.
type node struct{ N int }

func (node) Kind() string { return "node" }

type leaf struct{ I int }

func (leaf) Kind() string { return "leaf" }

// set has a handler for nodes, which enqueues their leaves, and one for leaves.
func set(t testing.TB, cfg handlers.SetConfig, onLeaf func(context.Context, *handlers.Task[leaf]) error) *handlers.Registry {
	t.Helper()
	s := handlers.NewSet("tree", cfg)
	handlers.Handle(s, func(ctx context.Context, t *handlers.Task[node]) error {
		_, err := t.EnqueueAll(ctx, leaves(t.Args.N))
		return err
	}, nil)
	handlers.Handle(s, onLeaf, nil)
	reg, err := handlers.NewRegistry(s)
	require.NoError(t, err)
	return reg
}

func leaves(n int) func(func(enqueue.Item, error) bool) {
	return func(yield func(enqueue.Item, error) bool) {
		for i := range n {
			if !yield(enqueue.Task(leaf{I: i}, nil), nil) {
				return
			}
		}
	}
}

func noop(context.Context, *handlers.Task[leaf]) error { return nil }

func manager(t testing.TB, reg *handlers.Registry) *syncjob.Manager {
	t.Helper()
	return managerOn(t, memstore.New(nil), reg)
}

func managerOn(t testing.TB, s store.Store, reg *handlers.Registry) *syncjob.Manager {
	t.Helper()
	m, err := syncjob.New(s, syncjob.Config{Registry: reg})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// work runs a worker until the test ends, or stop is called.
func work(t testing.TB, m *syncjob.Manager, cfg syncjob.WorkerConfig) (stop func() error) {
	t.Helper()
	w, err := m.NewWorker(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stopped := false
	stop = func() error {
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		if !stopped {
			require.NoError(t, stop())
		}
		cancel()
	})
	return stop
}

func sharedStore() store.Store { return memstore.New(nil) }
