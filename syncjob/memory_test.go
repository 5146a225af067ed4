package syncjob_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
)

// fullServer is a server of which fill takes all memory, and free gives it back.
func fullServer(t *testing.T) (url string, fill, free func()) {
	server := redistest.Start(t, nil)
	limit := func(bytes string) func() {
		return func() { require.NoError(t, server.Do(t.Context(), "CONFIG", "SET", "maxmemory", bytes)) }
	}
	return server.URL(), limit("1"), limit("0")
}

// What waits is what takes the memory, so a worker must be able to come and work it off.
func TestAWorkerThatStartsWithoutMemoryWorksOffWhatWaits(t *testing.T) {
	url, fill, _ := fullServer(t)
	m, err := syncjob.Open(t.Context(), url, syncjob.Config{Registry: set(t, handlers.SetConfig{}, noop)})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
	require.NoError(t, err)
	_, err = run.EnqueueAll(t.Context(), leaves(300), nil)
	require.NoError(t, err)
	fill()
	fresh, err := syncjob.Open(t.Context(), url, syncjob.Config{Registry: set(t, handlers.SetConfig{}, noop)})
	require.NoError(t, err)
	defer func() { require.NoError(t, fresh.Close()) }()
	stop := work(t, fresh, syncjob.WorkerConfig{Concurrency: 4})
	require.NoError(t, run.Seal(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	final, err := run.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, store.Counts{Total: 300, Succeeded: 300}, final.Counts)
	require.NoError(t, stop())
}

func TestATaskWhoseChildrenFindNoMemoryRunsAgainAtNoCost(t *testing.T) {
	const children = 1000
	url, fill, free := fullServer(t)
	var tries atomic.Int32
	s := handlers.NewSet("tree", handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries}})
	handlers.Handle(s, func(ctx context.Context, t *handlers.Task[node]) error {
		if tries.Add(1) == 1 {
			fill()
			defer free()
		}
		_, err := t.EnqueueAll(ctx, leaves(t.Args.N))
		return err
	}, nil)
	handlers.Handle(s, noop, nil)
	reg, err := handlers.NewRegistry(s)
	require.NoError(t, err)
	m, err := syncjob.Open(t.Context(), url, syncjob.Config{Registry: reg})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	stop := work(t, m, syncjob.WorkerConfig{Concurrency: 4})
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: children}}, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	final, err := run.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, store.Counts{Total: 1 + children, Succeeded: 1 + children}, final.Counts)
	require.Zero(t, final.Retried)
	require.EqualValues(t, 2, tries.Load())
	require.NoError(t, stop())
}
