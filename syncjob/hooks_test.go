package syncjob_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
	"github.com/rollcall-go/rollcall/syncjob/syncjobtest"
)

func TestHooksRunAroundTheTasksAndWaitReturnsAfterThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		kit := syncjobtest.New(t, set(t, handlers.SetConfig{Hooks: handlers.Hooks{
			Validate: func(ctx context.Context, _ *handlers.Run) error {
				order = append(order, "validate")
				m, ok := syncjob.FromContext(ctx)
				require.False(t, ok, "it is called where the run is started")
				require.Nil(t, m)
				return nil
			},
			PreJob: func(ctx context.Context, r *handlers.Run) error {
				_, ok := syncjob.FromContext(ctx)
				require.True(t, ok)
				order = append(order, "pre")
				return nil
			},
			PostJob: func(_ context.Context, r *handlers.Run) error {
				time.Sleep(time.Minute)
				require.Equal(t, states.Succeeded, r.Status)
				require.EqualValues(t, 2, r.Counts.Succeeded, "the hook sees the final counts, not cached ones")
				order = append(order, "post")
				return nil
			},
		}}, func(context.Context, *handlers.Task[leaf]) error { order = append(order, "leaf"); return nil }), nil)
		final := kit.Run(syncjob.Job{Name: "a", Set: "tree", Root: node{N: 1}})
		require.Equal(t, states.Succeeded, final.Status)
		require.Equal(t, []string{"validate", "pre", "leaf", "post"}, order)
	})
}

func TestAPreJobHookDecidesWhetherTasksStart(t *testing.T) {
	for name, c := range map[string]struct {
		verdict error
		status  states.Status
		reason  string
	}{
		"skip":      {handlers.SkipRun("maintenance"), states.Skipped, "maintenance"},
		"permanent": {handlers.Permanent(errors.New("no source")), states.Failed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kit := syncjobtest.New(t, set(t, handlers.SetConfig{Hooks: handlers.Hooks{
					PreJob: func(context.Context, *handlers.Run) error { return c.verdict },
				}}, func(context.Context, *handlers.Task[leaf]) error {
					t.Error("a task started")
					return nil
				}), nil)
				final := kit.Run(syncjob.Job{Name: "a", Set: "tree", Root: leaf{}})
				require.Equal(t, c.status, final.Status)
				require.Equal(t, c.reason, final.Reason)
				require.True(t, final.Counts.Balanced())
			})
		})
	}
}

func TestARefusedValidateHookWritesNothing(t *testing.T) {
	refused := errors.New("source is missing")
	m := manager(t, set(t, handlers.SetConfig{Hooks: handlers.Hooks{
		Validate: func(context.Context, *handlers.Run) error { return refused },
	}}, noop))
	_, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
	require.ErrorIs(t, err, refused)
	_, err = m.Ensure(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true})
	require.ErrorIs(t, err, refused)
	_, err = m.State(t.Context(), "a")
	require.ErrorIs(t, err, syncjob.ErrJobNotFound)
}

func TestAProducerWithoutRegistryStartsRunsWithHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		posts := 0
		s := sharedStore()
		consumer := managerOn(t, s, set(t, handlers.SetConfig{Hooks: handlers.Hooks{
			PostJob: func(context.Context, *handlers.Run) error { posts++; return nil },
		}}, noop))
		work(t, consumer, syncjob.WorkerConfig{})
		producer := managerOn(t, s, nil)
		run, err := producer.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 3}}, nil)
		require.NoError(t, err)
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		require.Equal(t, 1, posts)
	})
}
