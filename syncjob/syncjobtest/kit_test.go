package syncjobtest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/observe"
	"github.com/rollcall-go/rollcall/syncjob/states"
	"github.com/rollcall-go/rollcall/syncjob/syncjobtest"
)

type greeting struct{ Name string }

func (greeting) Kind() string { return "greet" }

func registry(t *testing.T, fn func(context.Context, *handlers.Task[greeting]) error) *handlers.Registry {
	t.Helper()
	s := handlers.NewSet("greeter", handlers.SetConfig{})
	handlers.Handle(s, fn, nil)
	reg, err := handlers.NewRegistry(s)
	require.NoError(t, err)
	return reg
}

func TestRetriesPassInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		kit := syncjobtest.New(t, registry(t, func(_ context.Context, task *handlers.Task[greeting]) error {
			if task.Retry < 3 {
				return errors.New("not yet")
			}
			return nil
		}), nil)
		final := kit.Run(syncjob.Job{Name: "hello", Set: "greeter", Root: greeting{"Ann"}})
		require.Equal(t, states.Succeeded, final.Status)
		require.EqualValues(t, 3, final.Retried)
		require.Greater(t, time.Since(start), 5*time.Second, "backoffs of about 1, 2 and 4 s")
	})
}

func TestTheKitEndsWithTheTestThoughAHandlerRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := make(chan struct{})
		kit := syncjobtest.New(t, registry(t, func(ctx context.Context, _ *handlers.Task[greeting]) error {
			close(started)
			<-ctx.Done()
			return ctx.Err()
		}), nil)
		_, err := kit.Manager.Start(t.Context(), syncjob.Job{Name: "hello", Set: "greeter", Root: greeting{"Ann"}}, nil)
		require.NoError(t, err)
		<-started
	})
}

func TestOptionsConfigureTheManagerAndAsManyWorkersAsTheySay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := registry(t, func(context.Context, *handlers.Task[greeting]) error { return nil })
		var settled atomic.Int64
		kit := syncjobtest.New(t, reg, &syncjobtest.Options{
			Config:       syncjob.Config{Observer: observe.Observer{Settled: func(context.Context, observe.Settle) { settled.Add(1) }}},
			WorkerConfig: syncjob.WorkerConfig{Name: "clerk", Concurrency: 3},
			Workers:      2,
		})
		require.Len(t, kit.Workers, 2)
		require.Same(t, reg, kit.Manager.Registry())
		synctest.Wait()
		all, err := kit.Manager.Workers(t.Context())
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, "clerk", all[0].Name)
		require.Equal(t, "clerk-2", all[1].Name)
		require.Equal(t, 3, all[1].Concurrency)
		final := kit.Run(syncjob.Job{Name: "hello", Set: "greeter", Root: greeting{"Ann"}})
		require.Equal(t, states.Succeeded, final.Status)
		synctest.Wait()
		require.EqualValues(t, 1, settled.Load())
	})
}

func TestAKitWithoutWorkersLeavesTheWorkToTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := registry(t, func(context.Context, *handlers.Task[greeting]) error { return nil })
		kit := syncjobtest.New(t, reg, &syncjobtest.Options{Workers: syncjobtest.NoWorkers})
		require.Empty(t, kit.Workers)
		_, err := kit.Manager.Start(t.Context(), syncjob.Job{Name: "hello", Set: "greeter", Root: greeting{"Ann"}}, nil)
		require.NoError(t, err)
		w, err := kit.Manager.NewWorker(syncjob.WorkerConfig{})
		require.NoError(t, err)
		_, err = w.RunOnce(t.Context())
		require.NoError(t, err)
		state, err := kit.Manager.State(t.Context(), "hello")
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, state.Run.Status)
	})
}
