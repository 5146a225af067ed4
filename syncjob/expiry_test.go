package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// clinic has handlers that note which tasks they were called for.
type clinic struct {
	mu   sync.Mutex
	seen map[string]int
}

// registry has a set whose leaves do as do says.
func (c *clinic) registry(t *testing.T, cfg handlers.SetConfig, do func(context.Context, *handlers.Task[leaf]) error) *handlers.Registry {
	c.seen = make(map[string]int)
	return set(t, cfg, func(ctx context.Context, task *handlers.Task[leaf]) error {
		c.mu.Lock()
		c.seen[task.ID]++
		c.mu.Unlock()
		if do == nil {
			return nil
		}
		return do(ctx, task)
	})
}

func (c *clinic) began() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.seen)
}

// inAMinute is a task that expires after a minute.
func inAMinute(id string) enqueue.Options {
	return enqueue.Options{ID: id, Expires: time.Now().Add(time.Minute)}
}

func openRun(t *testing.T, m *syncjob.Manager) *syncjob.Run {
	t.Helper()
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
	require.NoError(t, err)
	return run
}

func finished(t *testing.T, run *syncjob.Run) states.Run {
	t.Helper()
	require.NoError(t, run.Seal(t.Context()))
	final, err := run.Wait(t.Context())
	require.NoError(t, err)
	return final
}

func TestATaskThatExpiresNeverBegins(t *testing.T) {
	for name, late := range map[string]func(t *testing.T, m *syncjob.Manager, run *syncjob.Run){
		"while no worker served it": func(t *testing.T, m *syncjob.Manager, run *syncjob.Run) {
			add(t, run, 1, inAMinute("late"))
			time.Sleep(time.Minute)
			state, err := run.Task("late").State(t.Context())
			require.NoError(t, err)
			require.Equal(t, states.TaskExpired, state.State)
			require.True(t, state.Expires.Equal(time.Now()))
			require.Contains(t, state.String(), "late: expired")
			require.Equal(t, map[string]states.TaskStatus{"late": states.TaskExpired}, tasksOf(t, run, nil))
			require.Empty(t, tasksOf(t, run, &syncjob.TasksOptions{State: states.TaskWaiting}))
			work(t, m, syncjob.WorkerConfig{})
		},
		"behind others, in the worker that fetched it": func(t *testing.T, m *syncjob.Manager, run *syncjob.Run) {
			work(t, m, syncjob.WorkerConfig{Concurrency: 1})
			add(t, run, 1, enqueue.Options{ID: "slow"})
			add(t, run, 1, inAMinute("late"))
			time.Sleep(2 * time.Minute)
		},
		"in a queue that was paused": func(t *testing.T, m *syncjob.Manager, run *syncjob.Run) {
			require.NoError(t, m.Pause(t.Context(), syncjob.Scope{Queue: "default"}, ""))
			work(t, m, syncjob.WorkerConfig{})
			add(t, run, 1, inAMinute("late"))
			time.Sleep(2 * time.Minute)
			require.Equal(t, map[string]states.TaskStatus{"late": states.TaskExpired}, tasksOf(t, run, nil))
			require.NoError(t, m.Resume(t.Context(), syncjob.Scope{Queue: "default"}))
		},
		"in a run that was paused": func(t *testing.T, m *syncjob.Manager, run *syncjob.Run) {
			work(t, m, syncjob.WorkerConfig{})
			require.NoError(t, run.Pause(t.Context()))
			add(t, run, 1, inAMinute("late"))
			time.Sleep(2 * time.Minute)
			require.NoError(t, run.Resume(t.Context()))
		},
		"since it was rescheduled": func(t *testing.T, m *syncjob.Manager, run *syncjob.Run) {
			work(t, m, syncjob.WorkerConfig{})
			o := inAMinute("late")
			o.Delay = time.Second
			add(t, run, 1, o)
			require.NoError(t, run.Task("late").Reschedule(t.Context(), time.Now().Add(time.Hour)))
			time.Sleep(2 * time.Minute)
			require.Equal(t, map[string]states.TaskStatus{"late": states.TaskExpired}, tasksOf(t, run, nil))
			require.NoError(t, run.Task("late").RunNow(t.Context()))
		},
		"before it was enqueued": func(t *testing.T, m *syncjob.Manager, run *syncjob.Run) {
			work(t, m, syncjob.WorkerConfig{})
			add(t, run, 1, enqueue.Options{ID: "late", Expires: time.Now()})
		},
		"in the hands of a worker that died": func(t *testing.T, m *syncjob.Manager, run *syncjob.Run) {
			stop := work(t, m, syncjob.WorkerConfig{Name: "dies", Concurrency: 1, Grace: time.Millisecond})
			add(t, run, 1, enqueue.Options{ID: "slow"})
			time.Sleep(time.Second)
			add(t, run, 1, inAMinute("late"))
			require.NoError(t, stop())
			time.Sleep(2 * time.Minute)
			work(t, m, syncjob.WorkerConfig{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var c clinic
				m := manager(t, c.registry(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[leaf]) error {
					if task.ID == "slow" {
						select {
						case <-time.After(time.Hour):
						case <-ctx.Done():
							return ctx.Err()
						}
					}
					return nil
				}))
				run := openRun(t, m)
				late(t, m, run)
				for tasksOf(t, run, nil)["late"] != "" {
					time.Sleep(time.Minute)
				}
				add(t, run, 2, enqueue.Options{ID: "late"}) // its ID is free again
				final := finished(t, run)
				require.Equal(t, states.Succeeded, final.Status)
				require.EqualValues(t, 1, final.Counts.Cancelled)
				require.Equal(t, final.Counts.Total-1, final.Counts.Succeeded)
				require.Equal(t, 1, c.began()["late"], "only the second one")
			})
		})
	}
}

func TestWhatAWorkerFetchedInTimeDoesNotBeginLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clinic
		goOn := make(chan struct{})
		m := manager(t, c.registry(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			if len(c.began()) > 40 { // the first are quick, so that more are fetched
				<-goOn
			}
			return nil
		}))
		run := openRun(t, m)
		for i := range 500 {
			add(t, run, i, enqueue.Options{ID: fmt.Sprint(i), Expires: time.Now().Add(time.Millisecond)})
		}
		work(t, m, syncjob.WorkerConfig{Concurrency: 2})
		synctest.Wait()
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.Greater(t, state.Counts.Running, int64(3), "some are prefetched")
		time.Sleep(time.Millisecond)
		close(goOn)
		final := finished(t, run)
		require.EqualValues(t, 42, final.Counts.Succeeded, "two ran on")
		require.EqualValues(t, 458, final.Counts.Cancelled)
		require.Len(t, c.began(), 42)
	})
}

func TestARunEndsThoughItsLastTasksOnlyExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clinic
		var seen states.Counts
		passed := time.Now().Add(time.Hour)
		hooks := handlers.Hooks{
			PreJob: func(context.Context, *handlers.Run) error {
				time.Sleep(time.Until(passed))
				return nil
			},
			PostJob: func(_ context.Context, run *handlers.Run) error {
				seen = run.Counts
				return nil
			},
		}
		m := manager(t, c.registry(t, handlers.SetConfig{Hooks: hooks}, nil))
		root := inAMinute("root")
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}, RootOptions: &root}, nil)
		require.NoError(t, err)
		work(t, m, syncjob.WorkerConfig{})
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		require.Equal(t, states.Counts{Total: 1, Cancelled: 1}, final.Counts, "the root waited for the pre-job hook")
		require.Equal(t, final.Counts, seen, "the post-job hook sees it")
		require.Empty(t, c.began())
	})
}

func TestWhatWouldBeTriedAgainTooLateEndsAtOnce(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		do    func(task *handlers.Task[leaf]) error
		want  states.Counts
		err   string
		after time.Duration // when it has ended
		tries int
	}{
		"a retry in time": {func(task *handlers.Task[leaf]) error {
			if task.Retry == 0 {
				return handlers.RetryAfter(59*time.Second, broken)
			}
			return nil
		}, states.Counts{Total: 1, Succeeded: 1}, "", 59 * time.Second, 2},
		"a retry too late": {func(*handlers.Task[leaf]) error {
			return handlers.RetryAfter(time.Minute, broken)
		}, states.Counts{Total: 1, Failed: 1}, "broken", 0, 1},
		"the second retry too late": {func(*handlers.Task[leaf]) error {
			return handlers.RetryAfter(40*time.Second, broken)
		}, states.Counts{Total: 1, Failed: 1}, "broken", 40 * time.Second, 2},
		"a snooze too late": {func(*handlers.Task[leaf]) error {
			return handlers.Snooze(time.Minute)
		}, states.Counts{Total: 1, Cancelled: 1}, "", 0, 1},
		"a snooze too late after a failed attempt": {func(task *handlers.Task[leaf]) error {
			if task.Retry == 0 {
				return handlers.RetryAfter(0, broken)
			}
			return handlers.Snooze(time.Minute)
		}, states.Counts{Total: 1, Failed: 1}, "expired before it was tried again: broken", 0, 2},
		"a long attempt that succeeds": {func(*handlers.Task[leaf]) error {
			time.Sleep(time.Hour)
			return nil
		}, states.Counts{Total: 1, Succeeded: 1}, "", time.Hour, 1},
		"a long attempt that fails": {func(*handlers.Task[leaf]) error {
			time.Sleep(time.Hour)
			return broken
		}, states.Counts{Total: 1, Failed: 1}, "broken", time.Hour, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var c clinic
				attrs := handlers.Attributes{MaxRetries: 9, Timeout: handlers.NoTimeout}
				m := manager(t, c.registry(t, handlers.SetConfig{Attributes: attrs},
					func(_ context.Context, task *handlers.Task[leaf]) error { return test.do(task) }))
				work(t, m, syncjob.WorkerConfig{})
				run := openRun(t, m)
				start := time.Now()
				add(t, run, 1, inAMinute("task"))
				final := finished(t, run)
				require.Equal(t, test.want, final.Counts)
				require.InDelta(t, test.after.Seconds(), time.Since(start).Seconds(), 2)
				require.Equal(t, test.tries, c.began()["task"])
				for f, err := range run.Failures(t.Context(), nil) {
					require.NoError(t, err)
					require.Equal(t, test.err, f.Error)
					require.Equal(t, test.tries-1, f.Retry)
				}
			})
		})
	}
}

func TestARetryThatWaitsForAWorkerExpiresAsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clinic
		m := manager(t, c.registry(t, handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: 9}},
			func(context.Context, *handlers.Task[leaf]) error {
				return handlers.RetryAfter(time.Second, errors.New("broken"))
			}))
		stop := work(t, m, syncjob.WorkerConfig{})
		run := openRun(t, m)
		add(t, run, 1, inAMinute("task"))
		time.Sleep(500 * time.Millisecond)
		require.NoError(t, stop())
		time.Sleep(time.Minute)
		require.Equal(t, map[string]states.TaskStatus{"task": states.TaskExpired}, tasksOf(t, run, nil))
		work(t, m, syncjob.WorkerConfig{})
		time.Sleep(10 * time.Second)
		for f, err := range run.Failures(t.Context(), nil) {
			require.NoError(t, err)
			require.Equal(t, "expired before it was tried again: broken", f.Error)
		}
		require.Equal(t, 1, c.began()["task"])

		// Whoever retries it by hand wants it to run.
		moved, err := run.Retry(t.Context(), nil)
		require.NoError(t, err)
		require.EqualValues(t, 1, moved.Moved)
		time.Sleep(10 * time.Second)
		require.Greater(t, c.began()["task"], 2)
	})
}

// Otherwise the front of a line that is too long has always expired, and no task runs in time.
func TestTasksThatExpireSpendNothingOfARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ran := 0
		m := managerOn(t, memstore.New(nil), limited(t, handlers.SetConfig{},
			handlers.Attributes{Rate: handlers.Rate{Events: 1, Burst: 1}}, func(context.Context, *handlers.Task[leaf]) error {
				ran++
				return nil
			}))
		run := openRun(t, m)
		for i := range 200 {
			add(t, run, i, inAMinute(fmt.Sprint("late/", i)))
		}
		time.Sleep(time.Hour)
		for i := range 5 {
			add(t, run, i, inAMinute(fmt.Sprint("in time/", i)))
		}
		work(t, m, syncjob.WorkerConfig{Concurrency: 1})
		time.Sleep(8 * time.Second)
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Counts{Total: 205, Succeeded: 5, Cancelled: 200}, state.Counts)
		require.Equal(t, 5, ran)
	})
}

func TestChildrenExpireAndRedrivenTasksDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clinic
		broken := true
		s := handlers.NewSet("tree", handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries}})
		handlers.Handle(s, func(ctx context.Context, task *handlers.Task[node]) error {
			o := inAMinute("child")
			_, err := task.Enqueue(ctx, leaf{}, &o)
			time.Sleep(time.Duration(task.Args.N) * time.Minute)
			return err
		}, nil)
		handlers.Handle(s, func(_ context.Context, task *handlers.Task[leaf]) error {
			c.seen[task.ID]++
			if broken {
				return errors.New("broken")
			}
			return nil
		}, nil)
		c.seen = make(map[string]int)
		reg, err := handlers.NewRegistry(s)
		require.NoError(t, err)
		m := manager(t, reg)
		work(t, m, syncjob.WorkerConfig{})
		wait := func(n int) (*syncjob.Run, states.Counts) {
			run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: n}}, nil)
			require.NoError(t, err)
			final, err := run.Wait(t.Context())
			require.NoError(t, err)
			return run, final.Counts
		}
		_, counts := wait(2)
		require.Equal(t, states.Counts{Total: 2, Succeeded: 1, Cancelled: 1}, counts, "its parent took too long")
		run, counts := wait(0)
		require.Equal(t, states.Counts{Total: 2, Succeeded: 1, Failed: 1}, counts)
		time.Sleep(time.Hour)
		broken = false
		again, err := run.Redrive(t.Context(), nil)
		require.NoError(t, err)
		final, err := again.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Counts{Total: 1, Succeeded: 1}, final.Counts)
	})
}

func TestTheRootOfAPeriodicJobCannotExpire(t *testing.T) {
	m := manager(t, set(t, handlers.SetConfig{}, noop))
	root := inAMinute("root")
	_, err := m.Ensure(t.Context(), syncjob.Job{
		Name: "a", Set: "tree", Root: leaf{}, RootOptions: &root, Schedule: &schedule.Schedule{Every: time.Hour},
	})
	var field *syncjob.FieldError
	require.ErrorAs(t, err, &field)
	require.Equal(t, "RootOptions.Expires", field.Field)
}

func TestTasksExpireByTheClockOfRedis(t *testing.T) {
	server, namespace := redistest.Shared(t)
	var c clinic
	m, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{Registry: c.registry(t, handlers.SetConfig{}, nil), Namespace: namespace})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	run := openRun(t, m)
	for i := range 3000 {
		o := enqueue.Options{ID: fmt.Sprint("in time/", i), Expires: time.Now().Add(time.Hour)}
		if i%2 == 1 {
			o = enqueue.Options{ID: fmt.Sprint("late/", i), Expires: time.Now().Add(-time.Hour)}
		}
		add(t, run, i, o)
	}
	require.Len(t, tasksOf(t, run, &syncjob.TasksOptions{State: states.TaskExpired}), 1500)
	work(t, m, syncjob.WorkerConfig{})
	final := finished(t, run)
	require.Equal(t, states.Counts{Total: 3000, Succeeded: 1500, Cancelled: 1500}, final.Counts)
	require.Len(t, c.began(), 1500)
	require.NotContains(t, c.began(), "late/1")
}
