package syncjob_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob"
)

func TestDeclaredValuesAreReadThroughTheRunOfATaskAHookAndACaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var results handlers.List[int]
		var latest handlers.Map[int]
		var leaves handlers.Counter
		read := func(ctx context.Context, list *values.List[int]) (all []int) {
			for n, err := range list.Range(ctx, 0) {
				require.NoError(t, err)
				all = append(all, n)
			}
			return all
		}
		var inHook, inTask []int
		s := handlers.NewSet("tree", handlers.SetConfig{Hooks: handlers.Hooks{
			Validate: func(ctx context.Context, r *handlers.Run) error {
				_, err := results.Of(r).Len(ctx)
				require.ErrorIs(t, err, store.ErrInvalid, "nothing is stored of the run yet")
				return nil
			},
			PostJob: func(ctx context.Context, r *handlers.Run) error {
				inHook = read(ctx, results.Of(r))
				n, err := leaves.Of(r).Add(ctx, 40)
				require.EqualValues(t, 42, n, "the number that tasks added to")
				return err
			},
		}})
		results = handlers.NewList[int](s, "results", nil)
		leaves = handlers.NewCounter(s, "leaves")
		latest = handlers.NewMap[int](s, "latest", &handlers.ValueOptions{OfJob: true})
		handlers.Handle(s, func(ctx context.Context, t *handlers.Task[leaf]) error {
			inTask = read(ctx, results.Of(&t.Run))
			leaves.Add(t, 2)
			if err := latest.Set(t.Attempt, "leaf", t.Args.I); err != nil {
				return err
			}
			return results.Append(t, t.Args.I, t.Args.I+1)
		}, nil)
		reg, err := handlers.NewRegistry(s)
		require.NoError(t, err)
		m := manager(t, reg)
		work(t, m, syncjob.WorkerConfig{})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "j", Set: "tree", Root: leaf{I: 7}}, nil)
		require.NoError(t, err)
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[string]int64{"leaves": 42}, final.Counters)
		require.Empty(t, inTask, "what a task appends is there when it has succeeded")
		require.Equal(t, []int{7, 8}, inHook)
		require.Equal(t, []int{7, 8}, read(t.Context(), results.Of(run)))
		n, err := leaves.Of(run).Get(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 42, n)
		last, ok, err := latest.Of(run).Get(t.Context(), "leaf")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, 7, last)
	})
}
