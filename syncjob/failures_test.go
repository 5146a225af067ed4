package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func TestAStandingJobKeepsItsFirstAndItsNewestFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := set(t, handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries}},
			func(_ context.Context, task *handlers.Task[leaf]) error { return fmt.Errorf("broken %d", task.Args.I) })
		m, err := syncjob.New(memstore.New(nil), syncjob.Config{Registry: reg, FailureCap: 6})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		work(t, m, syncjob.WorkerConfig{Concurrency: 1})
		_, err = m.Ensure(t.Context(), syncjob.Job{Name: "adhoc", Set: "tree", Open: true})
		require.NoError(t, err)
		run, err := m.Latest(t.Context(), "adhoc")
		require.NoError(t, err)
		places := func(o *syncjob.FailuresOptions) (all []int64) {
			for f, err := range run.Failures(t.Context(), o) {
				require.NoError(t, err)
				all = append(all, f.Place)
				require.Equal(t, fmt.Sprintf("broken %d", f.Place-1), f.Error)
			}
			return all
		}
		for i := range 20 {
			_, err = m.Enqueue(t.Context(), "adhoc", leaf{I: i}, nil)
			require.NoError(t, err)
			synctest.Wait()
			state, err := run.State(t.Context())
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("broken %d", i), state.LastError)
			all := places(nil)
			require.EqualValues(t, i+1, all[len(all)-1], "the newest is there at once")
		}
		require.Equal(t, []int64{1, 2, 3, 18, 19, 20}, places(nil))
		require.Equal(t, []int64{18, 19}, places(&syncjob.FailuresOptions{After: 3, Limit: 2}))
		require.Equal(t, []int64{19, 20}, places(&syncjob.FailuresOptions{After: 18}))
		_, err = run.Redrive(t.Context(), nil)
		require.ErrorIs(t, err, syncjob.ErrRunActive)
	})
}

func TestOnlyFailuresThatCountAreALastError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		once := func(err error) func() error { // fails once, then waits a minute and passes
			first := true
			return func() error {
				if first {
					first = false
					return err
				}
				time.Sleep(time.Minute)
				return nil
			}
		}
		pre, task, post := once(errors.New("no source")), once(errors.New("disk is full")), once(errors.New("mail server is down"))
		m := manager(t, set(t, handlers.SetConfig{Hooks: handlers.Hooks{
			PreJob:  func(context.Context, *handlers.Run) error { return pre() },
			PostJob: func(context.Context, *handlers.Run) error { return post() },
		}}, func(context.Context, *handlers.Task[leaf]) error { return task() }))
		work(t, m, syncjob.WorkerConfig{})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		var seen []string
		for s, err := range run.Watch(t.Context()) {
			require.NoError(t, err)
			require.Empty(t, s.LastError)
			if n := len(seen); s.RetryError != "" && (n == 0 || seen[n-1] != s.RetryError) {
				seen = append(seen, s.RetryError)
			}
		}
		require.Equal(t, []string{"no source", "disk is full", "mail server is down"}, seen)
		final, err := run.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		require.Empty(t, final.RetryError)
	})
}
