package syncjob_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func TestADelayCanGrowWithEachSnooze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		begin := time.Now()
		reg := set(t, handlers.SetConfig{},
			func(_ context.Context, task *handlers.Task[leaf]) error {
				at = append(at, time.Since(begin).Round(time.Second))
				require.Equal(t, len(at)-1-task.Retry, task.Snoozes, "a failed attempt is no snooze, and does not forget one")
				switch {
				case len(at) == 3:
					return handlers.RetryAfter(time.Hour, nil)
				case len(at) <= 5:
					return handlers.Snooze(time.Duration(1+task.Snoozes) * time.Second)
				}
				return nil
			})
		m := manager(t, reg)
		work(t, m, syncjob.WorkerConfig{Concurrency: 1})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{1}}, nil)
		require.NoError(t, err)
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		require.Equal(t, []time.Duration{
			0, time.Second, 3 * time.Second, time.Hour + 3*time.Second, time.Hour + 6*time.Second, time.Hour + 10*time.Second,
		}, at)
	})
}
