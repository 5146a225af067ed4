package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// holding is a job whose tasks and post-job hook fail until they are mended.
type holding struct {
	mended, hookMended atomic.Bool
	hooks              atomic.Int64  // how often the hook began
	saw                states.Counts // what the hook saw last
	m                  *syncjob.Manager
}

func newHolding(t *testing.T, s store.Store) *holding {
	t.Helper()
	h := &holding{}
	h.hookMended.Store(true)
	cfg := handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries}}
	cfg.Hooks.PostJob = func(_ context.Context, r *handlers.Run) error {
		h.hooks.Add(1)
		h.saw = r.Counts
		if !h.hookMended.Load() {
			return handlers.Permanent(errors.New("mail server is down"))
		}
		return nil
	}
	h.m = managerOn(t, s, set(t, cfg, func(_ context.Context, task *handlers.Task[leaf]) error {
		if !h.mended.Load() {
			return fmt.Errorf("broken %d", task.Args.I)
		}
		return nil
	}))
	return h
}

var held = syncjob.Job{Name: "import", Set: "tree", Root: node{N: 3}, OnFailure: syncjob.OnFailureHold}

// start starts a run, and waits until it is held.
func (h *holding) start(t *testing.T, j syncjob.Job) *syncjob.Run {
	t.Helper()
	run, err := h.m.Start(t.Context(), j, nil)
	require.NoError(t, err)
	h.untilHeld(t, run)
	return run
}

func (h *holding) untilHeld(t *testing.T, run *syncjob.Run) states.Run {
	t.Helper()
	for s, err := range run.Watch(t.Context()) {
		require.NoError(t, err)
		if s.Held {
			return s
		}
	}
	t.Fatal("the run ended")
	return states.Run{}
}

func (h *holding) listed(t *testing.T) (jobs []string) {
	t.Helper()
	for s, err := range h.m.Runs(t.Context(), &syncjob.RunsOptions{Held: true}) {
		require.NoError(t, err)
		jobs = append(jobs, s.Job)
	}
	return jobs
}

// onBothStores plays a test in memory, where time is virtual, and on a server.
func onBothStores(t *testing.T, test func(t *testing.T, h *holding)) {
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, newHolding(t, memstore.New(nil))) })
	})
	t.Run("redis", func(t *testing.T) {
		server, namespace := redistest.Shared(t)
		m, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{Namespace: namespace})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		test(t, newHolding(t, m.Store()))
	})
}

func TestARunWithFailuresIsHeldUntilTheyAreRetriedOrDiscarded(t *testing.T) {
	onBothStores(t, func(t *testing.T, h *holding) {
		work(t, h.m, syncjob.WorkerConfig{})
		run := h.start(t, held)
		s, err := run.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Running, s.Status)
		require.Equal(t, syncjob.OnFailureHold, s.OnFailure)
		require.EqualValues(t, 1, s.Holds)
		x, err := run.Explain(t.Context())
		require.NoError(t, err)
		require.Empty(t, x.Disagreements)
		require.Empty(t, x.Damage)
		require.Equal(t, "failures", x.Holds[0].Name)
		require.Contains(t, x.String(), "it cannot end before its 3 failed tasks are retried, discarded or accepted\n")
		require.Equal(t, []string{"import"}, h.listed(t))
		job, err := h.m.State(t.Context(), "import")
		require.NoError(t, err)
		require.True(t, job.Run.Held)
		_, err = h.m.Start(t.Context(), held, nil)
		require.ErrorIs(t, err, syncjob.ErrJobExists)

		ids := make([]string, 0, 3)
		for f, err := range run.Failures(t.Context(), nil) {
			require.NoError(t, err)
			ids = append(ids, f.TaskID)
		}
		h.mended.Store(true)
		got, err := run.Retry(t.Context(), &syncjob.RetryOptions{IDs: ids[:1]})
		require.NoError(t, err)
		require.EqualValues(t, 1, got.Moved)
		_, err = run.Enqueue(t.Context(), leaf{I: 9}, &enqueue.Options{ID: "repair"})
		require.NoError(t, err)
		for s, err := range run.Watch(t.Context()) {
			require.NoError(t, err)
			if s.Held && s.Counts.Succeeded == 3 {
				break
			}
		}
		require.Zero(t, h.hooks.Load())
		_, err = run.Discard(t.Context(), &syncjob.RetryOptions{IDs: ids[1:2]})
		require.NoError(t, err)
		got, err = run.Retry(t.Context(), nil)
		require.NoError(t, err)
		require.EqualValues(t, 1, got.Moved)
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		require.Equal(t, states.Counts{Total: 5, Succeeded: 4, Cancelled: 1}, final.Counts)
		require.EqualValues(t, 1, h.hooks.Load())
		require.Equal(t, final.Counts, h.saw, "the hook sees the whole")
		require.Empty(t, h.listed(t))
	})
}

func TestAcceptedFailuresLetTheRunEndOnceAndAreKept(t *testing.T) {
	onBothStores(t, func(t *testing.T, h *holding) {
		work(t, h.m, syncjob.WorkerConfig{})
		run := h.start(t, held)
		ctx := syncjob.WithReason(syncjob.WithActor(t.Context(), "ann"), "known")
		require.NoError(t, run.Accept(ctx))
		require.NoError(t, run.Accept(ctx), "it was accepted")
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.NoError(t, run.Accept(ctx), "it has ended so")
		require.Equal(t, states.Failed, final.Status)
		require.Equal(t, syncjob.OnFailureAccepted, final.OnFailure)
		require.EqualValues(t, 3, h.saw.Failed)
		require.EqualValues(t, 1, h.hooks.Load())
		var lines []states.AuditEntry
		for e, err := range h.m.Audit(t.Context(), &syncjob.AuditOptions{Job: "import"}) {
			require.NoError(t, err)
			lines = append(lines, e)
		}
		require.Len(t, lines, 1)
		require.Equal(t, []any{actions.Accept, "ann", "known"}, []any{lines[0].Action, lines[0].By, lines[0].Reason})
		again, err := run.Redrive(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, syncjob.OnFailureHold, h.untilHeld(t, again).OnFailure, "as the run before")
		require.NoError(t, again.ReleaseHold(t.Context(), "failures"), "that is to accept them")
		_, err = again.Wait(t.Context())
		require.NoError(t, err)
	})
}

func TestAnOpenRunIsSealedAndAcceptedInEitherOrder(t *testing.T) {
	onBothStores(t, func(t *testing.T, h *holding) {
		work(t, h.m, syncjob.WorkerConfig{})
		for _, steps := range [][]func(*syncjob.Run, context.Context) error{
			{(*syncjob.Run).Seal, (*syncjob.Run).Accept}, {(*syncjob.Run).Accept, (*syncjob.Run).Seal},
		} {
			job := syncjob.Job{Name: "adhoc", Set: "tree", Open: true, OnFailure: syncjob.OnFailureHold}
			run, err := h.m.Start(t.Context(), job, nil)
			require.NoError(t, err)
			_, err = run.Enqueue(t.Context(), leaf{}, nil)
			require.NoError(t, err)
			for s, err := range run.Watch(t.Context()) {
				require.NoError(t, err)
				if s.Counts.Failed == 1 {
					require.EqualValues(t, 2, s.Holds)
					require.False(t, s.Held, "it is open")
					break
				}
			}
			require.NoError(t, steps[0](run, t.Context()))
			s, err := run.State(t.Context())
			require.NoError(t, err)
			require.Equal(t, states.Running, s.Status)
			require.NoError(t, steps[1](run, t.Context()))
			final, err := run.Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, states.Failed, final.Status)
		}
	})
}

func TestAPostJobHookThatGaveUpHoldsTheRunAndIsRepeated(t *testing.T) {
	onBothStores(t, func(t *testing.T, h *holding) {
		work(t, h.m, syncjob.WorkerConfig{})
		h.mended.Store(true)
		h.hookMended.Store(false)
		run := h.start(t, held)
		s, err := run.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, []states.Status{states.Finishing, states.Succeeded}, []states.Status{s.Status, s.FinalStatus})
		require.Equal(t, "mail server is down", s.HookErr)
		x, err := run.Explain(t.Context())
		require.NoError(t, err)
		require.Empty(t, x.Damage)
		require.Contains(
			t,
			x.String(),
			"it is held since its post-job hook gave up (mail server is down): repeat the hook, or accept this\n",
		)
		require.NotContains(t, x.String(), "has not completed")
		require.NoError(t, run.RepeatPostJob(t.Context()))
		for s, err := range run.Watch(t.Context()) {
			require.NoError(t, err)
			if s.Held && h.hooks.Load() == 2 {
				break
			}
		}
		h.hookMended.Store(true)
		require.NoError(t, run.RepeatPostJob(t.Context()))
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		require.Empty(t, final.HookErr)
		require.EqualValues(t, 3, h.hooks.Load())
		require.ErrorIs(t, run.RepeatPostJob(t.Context()), syncjob.ErrRunFinished)

		h.hookMended.Store(false)
		run = h.start(t, held)
		require.NoError(t, run.Accept(t.Context()))
		final, err = run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"succeeded", "mail server is down"}, []string{string(final.Status), final.HookErr})

		plain := held
		plain.OnFailure = syncjob.OnFailureEnd
		run, err = h.m.Start(t.Context(), plain, nil)
		require.NoError(t, err)
		for _, call := range []func(context.Context) error{run.Accept, run.RepeatPostJob} {
			if err := call(t.Context()); !errors.Is(err, syncjob.ErrRunFinished) {
				require.ErrorIs(t, err, syncjob.ErrNotHeld)
			}
		}
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		require.ErrorIs(t, run.RepeatPostJob(t.Context()), syncjob.ErrRunFinished)
		require.ErrorIs(t, h.m.Run("import", 1).RepeatPostJob(t.Context()), syncjob.ErrRunNotFound)
		require.ErrorIs(t, h.m.Run("", 1).Accept(t.Context()), syncjob.ErrInvalid)
	})
}

func TestAHeldRunIsStoppedAndReplacedLikeAnyOther(t *testing.T) {
	onBothStores(t, func(t *testing.T, h *holding) {
		work(t, h.m, syncjob.WorkerConfig{})
		run := h.start(t, held)
		next, err := h.m.Start(t.Context(), held, &syncjob.StartOptions{IfActive: syncjob.IfActiveReplace})
		require.NoError(t, err)
		stopped, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Stopped, stopped.Status)
		require.EqualValues(t, 3, stopped.Counts.Failed)
		n := 0
		for _, err := range run.Failures(t.Context(), nil) {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, 3, n, "it keeps its failures")
		h.untilHeld(t, next)
		require.NoError(t, next.Pause(t.Context()))
		h.mended.Store(true)
		_, err = next.Retry(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, next.Resume(t.Context()))
		final, err := next.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		require.Equal(t, final.Counts, h.saw)
	})
}

func TestDueTimesAreSkippedWhileARunIsHeldAndItIsKeptForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHolding(t, memstore.New(nil))
		work(t, h.m, syncjob.WorkerConfig{})
		nightly := held
		nightly.Name, nightly.Retention = "nightly", time.Hour
		nightly.Schedule = &schedule.Schedule{Every: 24 * time.Hour}
		_, err := h.m.Ensure(t.Context(), nightly)
		require.NoError(t, err)
		time.Sleep(20*24*time.Hour + time.Minute)
		s, err := h.m.State(t.Context(), "nightly")
		require.NoError(t, err)
		require.True(t, s.Run.Held)
		require.InDelta(t, 19, s.Skipped, 1)
		require.EqualValues(t, 3, s.Run.Counts.Failed)
		run := h.m.Run("nightly", s.Run.Number)
		require.NoError(t, run.Accept(t.Context()))
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		h.mended.Store(true)
		time.Sleep(24 * time.Hour)
		s, err = h.m.State(t.Context(), "nightly")
		require.NoError(t, err)
		require.NotEqual(t, run.Number(), s.Run.Number, "the schedule goes on")

		nightly.OnFailure = syncjob.OnFailureEnd
		result, err := h.m.Ensure(t.Context(), nightly)
		require.NoError(t, err)
		require.Equal(t, syncjob.EnsureUpdated, result)
		nightly.OnFailure = syncjob.OnFailureAccepted
		_, err = h.m.Ensure(t.Context(), nightly)
		var bad *syncjob.FieldError
		require.ErrorAs(t, err, &bad)
		require.Equal(t, "OnFailure", bad.Field)
	})
}
