package syncjob_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func TestAJobRunsOverRedisFromOpenToTheLastTask(t *testing.T) {
	server, namespace := redistest.Shared(t)
	m, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{
		Registry: set(
			t,
			handlers.SetConfig{Hooks: handlers.Hooks{PostJob: func(context.Context, *handlers.Run) error { return nil }}},
			noop,
		),
		Namespace: namespace,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	work(t, m, syncjob.WorkerConfig{Name: "w1"})
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 20_000}}, nil)
	require.NoError(t, err)
	for s, err := range run.Watch(t.Context()) {
		require.NoError(t, err)
		require.True(t, s.Counts.Balanced())
	}
	final, err := run.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, states.Succeeded, final.Status)
	require.EqualValues(t, 20_001, final.Counts.Succeeded)
	workers, err := m.Workers(t.Context())
	require.NoError(t, err)
	require.Len(t, workers, 1)
	require.Equal(t, []string{"a"}, names(t, m, nil))
	t.Logf("%.0f tasks/s", final.Rate)
}

// Producers of tasks and of values keep a record of their last call in the store. It goes when they
// are closed, not only after a while.
func TestAManagerThatIsClosedLeavesNoRecordOfItsProducers(t *testing.T) {
	server, namespace := redistest.Shared(t)
	open := func() *syncjob.Manager {
		m, err := syncjob.Open(
			t.Context(), server.URL(), syncjob.Config{Registry: set(t, handlers.SetConfig{}, noop), Namespace: namespace},
		)
		require.NoError(t, err)
		return m
	}
	records := func() []string {
		keys, err := server.Client.Do(t.Context(), server.Client.B().Keys().Pattern("{"+namespace+":*}:P:*").Build()).AsStrSlice()
		require.NoError(t, err)
		return keys
	}
	first := open()
	run, err := first.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
	require.NoError(t, err)
	for range 3 {
		m := open()
		_, err = m.Run("a", run.Number()).Enqueue(t.Context(), leaf{}, nil)
		require.NoError(t, err)
		_, err = values.NewCounter(m.Values(), store.JobScope("a"), "n").Add(t.Context(), 1)
		require.NoError(t, err)
		require.NotEmpty(t, records())
		require.NoError(t, m.Close())
		require.Empty(t, records())
	}
	require.NoError(t, first.Close())
	require.Empty(t, records())
}

func TestCountsAreExactOverRedisThoughRepliesAreLost(t *testing.T) {
	server := redistest.Start(t, nil)
	proxy := redistest.NewProxy(t, server.Addr)
	var ran atomic.Int64
	m, err := syncjob.Open(t.Context(), proxy.URL(), syncjob.Config{
		Registry: set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			ran.Add(1)
			return nil
		}),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	proxy.Inject(redistest.Fault{Kind: redistest.Swallow, Every: 20})
	work(t, m, syncjob.WorkerConfig{Name: "w1"})
	work(t, m, syncjob.WorkerConfig{Name: "w2"})
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 20_000}, Open: true}, nil)
	require.NoError(t, err)
	summary, err := run.EnqueueAll(t.Context(), leaves(5_000), nil)
	require.NoError(t, err)
	require.Equal(t, 5_000, summary.Enqueued)
	require.NoError(t, run.Seal(t.Context()))
	final, err := run.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, states.Succeeded, final.Status)
	require.EqualValues(t, 25_001, final.Counts.Succeeded)
	require.EqualValues(t, 25_001, final.Counts.Total)
	require.EqualValues(t, 25_000, ran.Load())
	require.Positive(t, proxy.Injected())
	proxy.Clear()
}

func TestWorkersGoOnAfterRedisWasKilledAndRestarted(t *testing.T) {
	server := redistest.Start(t, &redistest.Options{AOF: true})
	var killed atomic.Bool
	half := make(chan struct{})
	var ran atomic.Int64
	m, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{
		Registry: set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			if ran.Add(1) > 10_000 && killed.CompareAndSwap(false, true) {
				close(half)
			}
			return nil
		}),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	stop := work(t, m, syncjob.WorkerConfig{Name: "w1"})
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 20_000}}, nil)
	require.NoError(t, err)
	<-half
	server.Kill()
	server.Restart()
	final, err := run.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, states.Succeeded, final.Status)
	require.EqualValues(t, 20_001, final.Counts.Succeeded)
	require.NoError(t, stop())
}

func TestOutOfMemoryPlainOutcomesAreSettledWhileThoseWithChildrenWait(t *testing.T) {
	const plain, children = 100, 50
	server := redistest.Start(t, nil)
	memory := func(limit string) {
		require.NoError(t, server.Do(t.Context(), "CONFIG", "SET", "maxmemory", limit))
	}
	parentRuns, leafRuns, finish := make(chan struct{}), make(chan struct{}, plain+children), make(chan struct{})
	var mu sync.Mutex
	ran := map[int]int{}
	s := handlers.NewSet("tree", handlers.SetConfig{})
	handlers.Handle(s, func(ctx context.Context, t *handlers.Task[node]) error {
		if _, err := t.EnqueueAll(ctx, leaves(t.Args.N)); err != nil {
			return err
		}
		close(parentRuns)
		<-finish
		return nil
	}, nil)
	handlers.Handle(s, func(_ context.Context, t *handlers.Task[leaf]) error {
		leafRuns <- struct{}{}
		<-finish
		mu.Lock()
		defer mu.Unlock()
		ran[t.Args.I]++
		return nil
	}, nil)
	reg, err := handlers.NewRegistry(s)
	require.NoError(t, err)
	m, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{Registry: reg})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	work(t, m, syncjob.WorkerConfig{Name: "w1", Concurrency: 16})
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: children}, Open: true}, nil)
	require.NoError(t, err)
	<-parentRuns
	for i := range plain {
		_, err := run.Enqueue(t.Context(), leaf{I: children + i}, nil)
		require.NoError(t, err)
	}
	for range 15 { // every other slot of the worker
		<-leafRuns
	}

	memory("1")
	close(finish)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for state, err := range run.Watch(ctx) {
		require.NoError(t, err)
		require.EqualValues(t, plain+1, state.Counts.Total, "no child is visible")
		if state.Counts.Succeeded == plain {
			require.EqualValues(t, 1, state.Counts.Running, "the parent waits")
			break
		}
	}
	_, err = run.Enqueue(t.Context(), leaf{}, nil)
	require.ErrorIs(t, err, store.ErrOutOfMemory)

	memory("0")
	require.NoError(t, run.Seal(t.Context()))
	final, err := run.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, states.Succeeded, final.Status)
	require.Equal(t, store.Counts{Total: 1 + plain + children, Succeeded: 1 + plain + children}, final.Counts)
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, ran, plain+children)
	for i, n := range ran {
		require.Equal(t, 1, n, "leaf %d", i)
	}
}
