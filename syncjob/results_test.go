package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// resultsOf lists results as "ID=value".
func resultsOf(t *testing.T, run *syncjob.Run, o *syncjob.ResultsOptions) []string {
	t.Helper()
	all := []string{}
	for r, err := range run.Results(t.Context(), o) {
		require.NoError(t, err)
		var n int
		require.NoError(t, r.Decode(&n))
		all = append(all, fmt.Sprint(r.ID, "=", n))
	}
	return all
}

// squares has leaves whose result is the square of their number, unless their ID says otherwise.
func squares(t *testing.T, cfg handlers.SetConfig, goOn <-chan struct{}) *handlers.Registry {
	return set(t, cfg, func(ctx context.Context, task *handlers.Task[leaf]) error {
		if err := task.SetResult(task.Args.I * task.Args.I); err != nil {
			return err
		}
		switch task.ID {
		case "runs":
			select {
			case <-goOn:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		case "fails":
			return handlers.Permanent(errors.New("broken"))
		case "retries":
			if task.Retry == 0 {
				return handlers.RetryAfter(time.Hour, errors.New("not yet"))
			}
		}
		return nil
	})
}

func TestTheResultOfATaskIsReadOrTheReasonWhyThereIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		m := manager(t, squares(t, handlers.SetConfig{}, goOn))
		work(t, m, syncjob.WorkerConfig{Concurrency: 2})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		for i, id := range []string{"runs", "fails", "retries", "succeeds"} {
			add(t, run, i, enqueue.Options{ID: id})
		}
		add(t, run, 9, enqueue.Options{ID: "later", Delay: 3 * time.Hour})
		time.Sleep(30 * time.Second)

		var n int
		require.NoError(t, run.Task("succeeds").Result(t.Context(), &n))
		require.Equal(t, 9, n)
		require.NoError(t, run.Task("succeeds").Result(t.Context(), nil), "it is only asked for")
		require.ErrorContains(t, run.Task("succeeds").Result(t.Context(), new(string)), "decode the result of task succeeds")
		for id, state := range map[string]string{"runs": "running", "retries": "retrying", "later": "delayed"} {
			err := run.Task(id).Result(t.Context(), &n)
			require.ErrorIs(t, err, syncjob.ErrResultPending, id)
			require.ErrorContains(t, err, "it is "+state)
		}
		err = run.Task("fails").Result(t.Context(), &n)
		require.ErrorIs(t, err, syncjob.ErrTaskFailed)
		require.ErrorContains(t, err, "broken")
		require.ErrorIs(t, run.Task("unknown").Result(t.Context(), &n), states.ErrNoResult)
		require.ErrorIs(t, run.Task("a\x00b").Result(t.Context(), &n), syncjob.ErrInvalid)
		require.ErrorIs(t, m.Run("a", run.Number()+1).Task("x").Result(t.Context(), &n), syncjob.ErrRunNotFound)

		close(goOn)
		time.Sleep(2 * time.Hour)
		require.Equal(t, []string{"succeeds=9", "runs=0", "retries=4"}, resultsOf(t, run, nil), "in the order of their successes")
		require.Equal(t, []string{"succeeds=9", "runs=0"}, resultsOf(t, run, &syncjob.ResultsOptions{Kind: "leaf", Limit: 2}))
		require.Empty(t, resultsOf(t, run, &syncjob.ResultsOptions{Kind: "node"}))
		require.Equal(t, []string{"runs=0"}, resultsOf(t, run, &syncjob.ResultsOptions{ID: "runs"}))
		for r, err := range run.Results(t.Context(), &syncjob.ResultsOptions{Limit: 1}) {
			require.NoError(t, err)
			require.Equal(t, []any{"a", run.Number(), "succeeds", "leaf", "tree"}, []any{r.Job, r.Number, r.ID, r.Kind, r.Set})
			require.Equal(t, []string{"runs=0", "retries=4"}, resultsOf(t, run, &syncjob.ResultsOptions{After: r.Cursor}))
		}
		for field, o := range map[string]syncjob.ResultsOptions{
			"Limit": {Limit: -1}, "ID": {ID: "\n"}, "After": {After: "x"}, "Kind": {Kind: "a/b"},
		} {
			for _, err := range run.Results(t.Context(), &o) {
				require.ErrorIs(t, err, syncjob.ErrInvalid)
				require.ErrorContains(t, err, field)
			}
		}

		require.NoError(t, run.Stop(t.Context(), nil))
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		require.NoError(t, run.Task("runs").Result(t.Context(), &n), "after the end of the run, too")
		require.ErrorIs(t, run.Task("later").Result(t.Context(), &n), states.ErrNoResult, "a stop cancelled it")
		require.NoError(t, run.Delete(t.Context()))
		require.ErrorIs(t, run.Task("runs").Result(t.Context(), &n), syncjob.ErrRunNotFound)
	})
}

func TestWhoWaitsForATaskGetsItsResultOrTheReasonWhyThereIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		m := manager(t, squares(t, handlers.SetConfig{}, goOn))
		work(t, m, syncjob.WorkerConfig{Concurrency: 2})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		began := time.Now()
		for i, id := range []string{"succeeds", "fails", "retries", "runs"} {
			add(t, run, i+1, enqueue.Options{ID: id})
		}
		var n int
		require.NoError(t, run.Task("succeeds").Wait(t.Context(), &n))
		require.Equal(t, 1, n)
		require.Less(t, time.Since(began), time.Second)
		require.ErrorIs(t, run.Task("fails").Wait(t.Context(), &n), syncjob.ErrTaskFailed)
		require.Less(t, time.Since(began), time.Second)
		require.ErrorIs(t, run.Task("unknown").Wait(t.Context(), &n), states.ErrNoResult)
		require.NoError(t, run.Task("retries").Wait(t.Context(), &n))
		require.Equal(t, 9, n)
		require.Less(t, time.Since(began), time.Hour+time.Second)

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, run.Task("runs").Wait(ctx, &n), context.DeadlineExceeded)
		waited := make(chan error, 1)
		go func() { waited <- run.Task("runs").Wait(t.Context(), nil) }()
		synctest.Wait()
		close(goOn)
		require.NoError(t, <-waited)

		add(t, run, 9, enqueue.Options{ID: "later", Delay: time.Hour})
		go func() { waited <- run.Task("later").Wait(t.Context(), nil) }()
		synctest.Wait()
		require.NoError(t, run.Stop(t.Context(), nil))
		require.ErrorIs(t, <-waited, states.ErrNoResult)
	})
}

func TestATaskThatSucceedsWithoutAResultEndsTheWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			time.Sleep(time.Minute)
			return nil
		}))
		work(t, m, syncjob.WorkerConfig{Concurrency: 2})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		add(t, run, 1, enqueue.Options{ID: "t"})
		require.ErrorIs(t, run.Task("t").Wait(t.Context(), nil), states.ErrNoResult)
	})
}

func TestResultsAreKeptAsLongAsIsConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := handlers.SetConfig{Attributes: handlers.Attributes{ResultRetention: handlers.ResultRetention{Age: time.Hour}}}
		m := manager(t, squares(t, cfg, nil))
		work(t, m, syncjob.WorkerConfig{})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		add(t, run, 2, enqueue.Options{ID: "a"})
		time.Sleep(59 * time.Minute)
		require.Equal(t, []string{"a=4"}, resultsOf(t, run, nil))
		time.Sleep(2 * time.Minute)
		require.Empty(t, resultsOf(t, run, nil))
		require.ErrorIs(t, run.Task("a").Result(t.Context(), nil), states.ErrNoResult)

		configure := func(r handlers.ResultRetention) {
			t.Helper()
			_, err := m.Configure(t.Context(), "tree", nil, func(c *handlers.Configuration) error {
				c.Kind("leaf").ResultRetention = r
				return nil
			})
			require.NoError(t, err)
			time.Sleep(time.Second)
		}
		configure(handlers.ResultRetention{Number: 2})
		for i := range 4 {
			add(t, run, i, enqueue.Options{ID: fmt.Sprint("n", i)})
			time.Sleep(time.Second)
		}
		require.Equal(t, []string{"n2=4", "n3=9"}, resultsOf(t, run, nil))
		configure(handlers.ResultRetention{Age: handlers.NoResults})
		add(t, run, 5, enqueue.Options{ID: "none"})
		time.Sleep(time.Second)
		require.Equal(t, []string{"n2=4", "n3=9"}, resultsOf(t, run, nil), "what is kept stays, and nothing is added")
		require.ErrorIs(t, run.Task("none").Result(t.Context(), nil), states.ErrNoResult)
	})
}

func TestResultsAreExactThoughTasksAreRetriedAndRepliesLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := memstore.New(nil)
		reg := set(t, handlers.SetConfig{}, func(_ context.Context, task *handlers.Task[leaf]) error {
			if err := task.SetResult(task.Args.I*10 + task.Retry); err != nil {
				return err
			}
			if task.Retry < task.Args.I%3 {
				return errors.New("try again")
			}
			return nil
		})
		for range 3 {
			work(t, managerOn(t, &line{Store: shared, every: 5}, reg), syncjob.WorkerConfig{Concurrency: 4})
		}
		const n = 1000
		run, err := managerOn(t, shared, reg).Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: n}}, nil)
		require.NoError(t, err)
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		seen := make(map[int]bool)
		for r, err := range run.Results(t.Context(), nil) {
			require.NoError(t, err)
			var v int
			require.NoError(t, r.Decode(&v))
			require.Equal(t, v/10%3, v%10, "of the attempt that succeeded")
			require.False(t, seen[v])
			seen[v] = true
		}
		require.Len(t, seen, n)
	})
}
