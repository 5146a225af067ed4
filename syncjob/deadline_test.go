package syncjob_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/observe"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// endless has leaves that run until their contexts end, which causes receives.
func endless(t *testing.T, causes chan error) *handlers.Registry {
	posted := handlers.Hooks{PostJob: func(context.Context, *handlers.Run) error {
		causes <- errors.New("the post-job hook ran")
		return nil
	}}
	return set(t, handlers.SetConfig{Hooks: posted, Attributes: handlers.Attributes{Timeout: handlers.NoTimeout}},
		func(ctx context.Context, _ *handlers.Task[leaf]) error {
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return ctx.Err()
		})
}

func TestARunIsStoppedAtItsDeadline(t *testing.T) {
	for name, late := range map[string]func(context.Context, *syncjob.Run) error{
		"while it runs":       func(context.Context, *syncjob.Run) error { return nil },
		"though it is paused": func(ctx context.Context, run *syncjob.Run) error { return run.Pause(ctx) },
		"though a stop is soft": func(ctx context.Context, run *syncjob.Run) error {
			return run.Stop(ctx, &syncjob.StopOptions{Graceful: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				causes := make(chan error, 9)
				m := manager(t, endless(t, causes))
				work(t, m, syncjob.WorkerConfig{})
				start := time.Now()
				run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}, Deadline: time.Hour}, nil)
				require.NoError(t, err)
				time.Sleep(time.Minute)
				state, err := run.State(t.Context())
				require.NoError(t, err)
				require.True(t, state.Deadline.Equal(start.Add(time.Hour)))
				explained, err := run.Explain(t.Context())
				require.NoError(t, err)
				require.Contains(t, explained.String(), "its deadline is "+state.Deadline.UTC().Format(time.RFC3339))
				require.NoError(t, late(t.Context(), run))
				final, err := run.Wait(t.Context())
				require.NoError(t, err)
				require.InDelta(t, 3600, time.Since(start).Seconds(), 2)
				require.Equal(t, states.Stopped, final.Status)
				require.Equal(t, states.Counts{Total: 1, Cancelled: 1}, final.Counts)
				cause := <-causes
				require.ErrorIs(t, cause, syncjob.ErrRunDeadline)
				require.ErrorIs(t, cause, syncjob.ErrJobStopped)
				require.Empty(t, causes, "no post-job hook")
				if name != "though a stop is soft" {
					require.Equal(t, states.DeadlineReason, final.Reason)
				}
			})
		})
	}
}

func TestAStopIsNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		causes := make(chan error, 9)
		m := manager(t, endless(t, causes))
		work(t, m, syncjob.WorkerConfig{})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}, Deadline: time.Hour}, nil)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.NoError(t, run.Stop(t.Context(), nil))
		require.NotErrorIs(t, <-causes, syncjob.ErrRunDeadline)
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
	})
}

func TestTheDeadlineOfAPeriodicJobMakesRoomForTheNextRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		causes := make(chan error, 99)
		m := manager(t, endless(t, causes))
		work(t, m, syncjob.WorkerConfig{})
		_, err := m.Ensure(t.Context(), syncjob.Job{
			Name: "a", Set: "tree", Root: leaf{}, Deadline: 90 * time.Second, Schedule: &schedule.Schedule{Every: time.Minute},
		})
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		require.GreaterOrEqual(t, len(causes), 4, "each run was stopped, and others began")
		for len(causes) > 0 {
			require.ErrorIs(t, <-causes, syncjob.ErrRunDeadline)
		}
		require.NoError(t, m.Stop(t.Context(), "a", nil))
	})
}

func TestARedrivenRunHasAsMuchTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			return handlers.Permanent(errors.New("broken"))
		}))
		work(t, m, syncjob.WorkerConfig{})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}, Deadline: time.Hour}, nil)
		require.NoError(t, err)
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		time.Sleep(2 * time.Hour)
		again, err := run.Redrive(t.Context(), nil)
		require.NoError(t, err)
		state, err := again.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, time.Hour, state.Deadline.Sub(state.Created))
		require.Equal(t, states.Failed, state.Status)
	})
}

func TestDeadlinesThatCannotBe(t *testing.T) {
	m := manager(t, set(t, handlers.SetConfig{}, noop))
	var field *syncjob.FieldError
	_, err := m.Ensure(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true, Deadline: time.Hour})
	require.ErrorAs(t, err, &field)
	require.Equal(t, "Deadline", field.Field)
	_, err = m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true, Deadline: -1}, nil)
	require.ErrorAs(t, err, &field)
	require.Equal(t, "Deadline", field.Field)
}

func TestADeadlineIsKeptByTheClockOfRedis(t *testing.T) {
	server, namespace := redistest.Shared(t)
	causes := make(chan error, 9)
	m, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{Registry: endless(t, causes), Namespace: namespace})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	work(t, m, syncjob.WorkerConfig{})
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}, Deadline: time.Second}, nil)
	require.NoError(t, err)
	final, err := run.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, states.Stopped, final.Status)
	require.Equal(t, states.DeadlineReason, final.Reason)
	require.False(t, final.Ended.Before(final.Deadline))
	require.ErrorIs(t, <-causes, syncjob.ErrRunDeadline)
}

// overdueIn waits, a tick beyond the time, and reads the run.
func overdueIn(t *testing.T, run *syncjob.Run, d time.Duration) states.Run {
	t.Helper()
	time.Sleep(d)
	state, err := run.State(t.Context())
	require.NoError(t, err)
	return state
}

func TestADeadlineIsKeptThoughNothingStarts(t *testing.T) {
	for name, bring := range map[string]func(t *testing.T, m *syncjob.Manager, run *syncjob.Run){
		"tasks wait for their turn": func(*testing.T, *syncjob.Manager, *syncjob.Run) {},
		"in read-only mode": func(t *testing.T, m *syncjob.Manager, _ *syncjob.Run) {
			require.NoError(t, m.SetMode(t.Context(), syncjob.ModeReadOnly))
		},
		"its queue is paused": func(t *testing.T, m *syncjob.Manager, _ *syncjob.Run) {
			require.NoError(t, m.Pause(t.Context(), syncjob.Scope{Set: "tree"}, "disk is full"))
		},
		"it is paused": func(t *testing.T, _ *syncjob.Manager, run *syncjob.Run) {
			require.NoError(t, run.Pause(t.Context()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				done := make(chan states.Run, 9)
				m, err := syncjob.New(memstore.New(nil), syncjob.Config{
					Registry: set(t, handlers.SetConfig{}, noop),
					Observer: observe.Observer{RunDone: func(_ context.Context, s states.Run) { done <- s }},
				})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, m.Close()) })
				run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true, Deadline: time.Hour}, nil)
				require.NoError(t, err)
				bring(t, m, run)
				work(t, m, syncjob.WorkerConfig{})
				// As tasks wait that are snoozed, or tried again.
				_, err = run.Enqueue(t.Context(), leaf{}, &enqueue.Options{Delay: 59 * time.Minute})
				require.NoError(t, err)
				_, err = run.Enqueue(t.Context(), leaf{}, &enqueue.Options{Delay: 61 * time.Minute})
				require.NoError(t, err)
				require.Equal(t, states.Running, overdueIn(t, run, time.Hour-time.Second).Status)
				state := overdueIn(t, run, 2*time.Second)
				require.Equal(t, states.Stopped, state.Status)
				require.Equal(t, states.DeadlineReason, state.Reason)
				require.EqualValues(t, 2, state.Counts.Succeeded+state.Counts.Cancelled)
				require.Positive(t, state.Counts.Cancelled)
				require.Equal(t, run.ID().Number, (<-done).Number)
				require.Empty(t, done, "told once")
				_, err = run.Enqueue(t.Context(), leaf{}, nil)
				require.ErrorIs(t, err, syncjob.ErrJobStopped)
				_, err = m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
				require.NoError(t, err, "the name is free")
			})
		})
	}
}

func TestAHeldRunIsStoppedAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		posted := make(chan struct{}, 9)
		m := manager(t, set(t, handlers.SetConfig{Hooks: handlers.Hooks{PostJob: func(context.Context, *handlers.Run) error {
			posted <- struct{}{}
			return nil
		}}}, func(context.Context, *handlers.Task[leaf]) error { return handlers.Permanent(errors.New("broken")) }))
		work(t, m, syncjob.WorkerConfig{})
		ctx := syncjob.WithActor(t.Context(), "ann")
		run, err := m.Start(ctx, syncjob.Job{
			Name: "a", Set: "tree", Root: leaf{}, Deadline: time.Hour, OnFailure: syncjob.OnFailureHold,
		}, nil)
		require.NoError(t, err)
		require.True(t, overdueIn(t, run, time.Minute).Held)
		var last states.Run
		for state, err := range run.Watch(t.Context()) {
			require.NoError(t, err)
			last = state
		}
		require.Equal(t, states.Stopped, last.Status)
		require.Equal(t, states.Counts{Total: 1, Failed: 1}, last.Counts)
		require.Equal(t, time.Hour, last.Ended.Sub(last.Created))
		require.Empty(t, posted, "no post-job hook")
		_, err = run.Retry(t.Context(), nil)
		require.ErrorIs(t, err, syncjob.ErrJobStopped)
		err = run.Accept(t.Context())
		require.ErrorIs(t, err, syncjob.ErrJobStopped)
		require.Equal(t, []string{
			"0s created, ann", "0s started", "1h0m0s stopping, its deadline has passed", "1h0m0s ended, stopped",
		}, told(t, run))
		again, err := run.Redrive(t.Context(), nil)
		require.NoError(t, err, "its failures are kept")
		state, err := again.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, time.Hour, state.Deadline.Sub(state.Created))
	})
}

func TestAHookThatRunsAtTheDeadlineIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		causes := make(chan error, 9)
		m := manager(t, set(t, handlers.SetConfig{Hooks: handlers.Hooks{PostJob: func(ctx context.Context, _ *handlers.Run) error {
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return ctx.Err()
		}}}, noop))
		work(t, m, syncjob.WorkerConfig{})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}, Deadline: time.Minute}, nil)
		require.NoError(t, err)
		state, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, state.Status, "what its tasks made it")
		require.Equal(t, states.DeadlineReason, state.HookErr)
		require.ErrorIs(t, <-causes, syncjob.ErrRunDeadline)
	})
}

func TestADeadlineMakesRoomForADueTimeThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		causes := make(chan error, 99)
		m := manager(t, endless(t, causes))
		work(t, m, syncjob.WorkerConfig{})
		_, err := m.Ensure(t.Context(), syncjob.Job{
			Name: "a", Set: "tree", Root: leaf{}, Deadline: 90 * time.Second,
			Schedule: &schedule.Schedule{Every: time.Minute, Overlap: schedule.OverlapQueueOne},
		})
		require.NoError(t, err)
		time.Sleep(6 * time.Minute)
		runs, err := m.JobRuns(t.Context(), "a")
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(runs), 4)
		for i, run := range runs[1:] {
			state, err := run.State(t.Context())
			require.NoError(t, err)
			require.Equal(t, states.DeadlineReason, state.Reason)
			next, err := runs[i].State(t.Context())
			require.NoError(t, err)
			require.InDelta(t, 0, next.Created.Sub(state.Changed).Seconds(), 1, "the next run begins when this one has ended")
		}
		require.NoError(t, m.Stop(t.Context(), "a", nil))
	})
}

func TestIdleRunsThatEndAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := make(chan states.Run, 9)
		m, err := syncjob.New(memstore.New(nil), syncjob.Config{
			Registry: set(t, handlers.SetConfig{}, noop),
			Observer: observe.Observer{RunDone: func(_ context.Context, s states.Run) { done <- s }},
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		work(t, m, syncjob.WorkerConfig{})
		_, err = m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true, SealAfter: time.Minute}, nil)
		require.NoError(t, err)
		_, err = m.Start(t.Context(), syncjob.Job{Name: "b", Set: "tree", Open: true, StopAfter: time.Hour}, nil)
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, (<-done).Status)
		require.Equal(t, states.Stopped, (<-done).Status)
	})
}
