package syncjob_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
	"github.com/rollcall-go/rollcall/syncjob/syncjobtest"
)

// counted has leaves that add their number to a counter in every attempt, of which the first ones
// fail. Its post-job hook reports what it sees.
func counted(t *testing.T) *handlers.Registry {
	t.Helper()
	s := handlers.NewSet("tree", handlers.SetConfig{Hooks: handlers.Hooks{
		PostJob: func(_ context.Context, r *handlers.Run) error {
			if err := r.SetResult(r.Counters); err != nil || r.Retry > 0 {
				return err
			}
			return errors.New("not at once")
		},
	}})
	numbers, leaf0 := handlers.NewCounter(s, "numbers"), handlers.NewCounter(s, "leaf-0")
	handlers.Handle(s, func(ctx context.Context, t *handlers.Task[node]) error {
		_, err := t.EnqueueAll(ctx, leaves(t.Args.N))
		return err
	}, nil)
	handlers.Handle(s, func(_ context.Context, t *handlers.Task[leaf]) error {
		numbers.Add(t, int64(t.Args.I))
		if t.Args.I == 0 {
			leaf0.Add(t, 1)
		}
		if t.Retry < t.Args.I%3 {
			return errors.New("try again")
		}
		return nil
	}, nil)
	reg, err := handlers.NewRegistry(s)
	require.NoError(t, err)
	return reg
}

func TestCountersAreExactThoughTasksAreRetriedAndRepliesLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := memstore.New(nil)
		reg := counted(t)
		for range 3 {
			work(t, managerOn(t, &line{Store: shared, every: 5}, reg), syncjob.WorkerConfig{Concurrency: 4})
		}
		const n = 1000
		run, err := managerOn(t, shared, reg).Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: n}}, nil)
		require.NoError(t, err)
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		require.EqualValues(t, n-1, final.Retried)
		require.Equal(t, map[string]int64{"numbers": n * (n - 1) / 2, "leaf-0": 1}, final.Counters)

		var result map[string]int64
		require.NoError(t, final.DecodeResult(&result))
		require.Equal(t, final.Counters, result, "the post-job hook saw the final counters")
	})
}

func TestCountersAndTheResultAreInTheJSONOfAState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kit := syncjobtest.New(t, counted(t), nil)
		text, err := json.Marshal(kit.Run(syncjob.Job{Name: "a", Set: "tree", Root: node{N: 4}}))
		require.NoError(t, err)
		var s states.Run
		require.NoError(t, json.Unmarshal(text, &s))
		require.Equal(t, map[string]int64{"numbers": 6, "leaf-0": 1}, s.Counters)
		require.JSONEq(t, `{"numbers":6,"leaf-0":1}`, string(s.Result))
		require.ErrorContains(t, s.DecodeResult(new(string)), `decode the result of run`)
	})
}

func TestARunWithoutAResultSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kit := syncjobtest.New(t, set(t, handlers.SetConfig{}, noop), nil)
		final := kit.Run(syncjob.Job{Name: "a", Set: "tree", Root: leaf{}})
		require.Nil(t, final.Counters)
		require.ErrorIs(t, final.DecodeResult(new(int)), states.ErrNoResult)
	})
}
