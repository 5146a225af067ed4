package syncjob_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/syncjob"
)

func TestAJobRunsOverRedisFromOpenToTheLastTask(t *testing.T) {
	server, namespace := redistest.Shared(t)
	m, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{
		Registry:  set(t, handlers.SetConfig{Hooks: handlers.Hooks{PostJob: func(context.Context, *handlers.Run) error { return nil }}}, noop),
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
	require.Equal(t, syncjob.StatusSucceeded, final.Status)
	require.EqualValues(t, 20_001, final.Counts.Succeeded)
	workers, err := m.Workers(t.Context())
	require.NoError(t, err)
	require.Len(t, workers, 1)
	require.Equal(t, []string{"a"}, names(t, m, nil))
	t.Logf("%.0f tasks/s", final.Rate)
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
	require.Equal(t, syncjob.StatusSucceeded, final.Status)
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
	require.Equal(t, syncjob.StatusSucceeded, final.Status)
	require.EqualValues(t, 20_001, final.Counts.Succeeded)
	require.NoError(t, stop())
}
