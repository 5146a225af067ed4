package syncjob_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// release is the registry of one version of a program: leaves have a handler from the second on.
func release(t testing.TB, version int) *handlers.Registry {
	t.Helper()
	s := handlers.NewSet("tree", handlers.SetConfig{})
	handlers.Handle(s, func(ctx context.Context, task *handlers.Task[node]) error {
		_, err := task.EnqueueAll(ctx, leaves(task.Args.N))
		return err
	}, nil)
	if version > 1 {
		handlers.Handle(s, noop, nil)
	}
	reg, err := handlers.NewRegistry(s)
	require.NoError(t, err)
	return reg
}

// unserved lists what an explanation says that nobody serves, as queue/set/kind.
func unserved(x syncjob.Explanation) (routes []string) {
	for _, w := range x.Waiting {
		if w.Unserved {
			routes = append(routes, w.Queue+"/"+w.Set+"/"+w.Kind)
		}
	}
	return routes
}

func TestARollingDeployLeavesNewKindsToNewWorkersAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := memstore.New(&memstore.Options{Partitions: 4})
		before, after := managerOn(t, shared, release(t, 1)), managerOn(t, shared, release(t, 2))
		operator := managerOn(t, shared, nil)
		work(t, before, syncjob.WorkerConfig{Name: "v1"})
		run, err := after.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}, Open: true}, nil)
		require.NoError(t, err)
		_, err = run.Enqueue(t.Context(), node{}, nil)
		require.NoError(t, err)
		time.Sleep(time.Minute)

		x, err := operator.Run("a", run.Number()).Explain(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, x.Run.Counts.Succeeded, "what the old version has a handler for goes on")
		require.Equal(t, []string{"default/tree/leaf"}, unserved(x))
		require.Contains(t, x.String(), "no live worker serves leaf on queue default of set tree")
		queues, err := operator.Queues(t.Context())
		require.NoError(t, err)
		require.Len(t, queues, 1)
		require.True(t, queues[0].Unserved)
		for _, r := range queues[0].Routes {
			require.Equal(t, r.Kind == "leaf", r.Unserved, r.Kind)
		}

		stop := work(t, after, syncjob.WorkerConfig{Name: "v2"})
		time.Sleep(time.Minute)
		x, err = run.Explain(t.Context())
		require.NoError(t, err)
		require.Empty(t, unserved(x))
		require.EqualValues(t, 2, x.Run.Counts.Succeeded)
		require.NoError(t, stop())

		_, err = run.Enqueue(t.Context(), leaf{}, nil)
		require.NoError(t, err)
		x, err = run.Explain(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"default/tree/leaf"}, unserved(x), "the new version was taken back")
	})
}

func TestWhereAllWorkersAreDeadNothingIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := memstore.New(nil)
		operator := managerOn(t, shared, set(t, handlers.SetConfig{}, noop))
		run, err := operator.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		id := store.SessionID{ID: "dead"}
		route := store.Route{Queue: "default", Set: "tree", Kind: "leaf"}
		require.NoError(t, shared.OpenSession(t.Context(), id, store.WorkerInfo{Name: "w1", Routes: []store.Route{route}}, 15*time.Second))
		fetched, err := shared.Fetch(t.Context(), store.FetchParams{
			Session: id, Number: 1, Max: 1, Queues: []store.FetchQueue{{Queue: "default", Routes: []store.Route{route}}},
		})
		require.NoError(t, err)
		require.Len(t, fetched.Deliveries, 1)
		x, err := run.Explain(t.Context())
		require.NoError(t, err)
		require.Contains(t, x.String(), "1 task of leaf on queue default is with worker w1")

		time.Sleep(time.Hour) // nobody is there to sweep
		x, err = run.Explain(t.Context())
		require.NoError(t, err)
		require.Contains(t, x.String(), "1 task of leaf on queue default is held by a worker that is gone, and no live worker serves it")
		workers, err := operator.Workers(t.Context())
		require.NoError(t, err)
		require.True(t, workers[0].Overdue)
		_, err = operator.Start(t.Context(), syncjob.Job{Name: "b", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		queues, err := operator.Queues(t.Context())
		require.NoError(t, err)
		require.True(t, queues[0].Unserved)

		work(t, operator, syncjob.WorkerConfig{Name: "w2"})
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
	})
}
