package handlers_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

type hook = func(context.Context, *handlers.Run) error

// executeHook runs one delivery of a hook that is both PreJob and PostJob.
func executeHook(ctx context.Context, t *testing.T, kind string, h hook, task store.Task) store.Outcome {
	t.Helper()
	return hookRegistry(t, h).Execute(ctx, delivery(kind, task), execute.Config{Runtime: &runtime{}})
}

func hookRegistry(t *testing.T, h hook) *handlers.Registry {
	return registry(t, handlers.SetConfig{
		Attributes: handlers.Attributes{Timeout: time.Minute, Backoff: handlers.Exponential{Factor: 1, Jitter: handlers.NoJitter}},
		Hooks:      handlers.Hooks{PreJob: h, PostJob: h},
	}, returning(nil), nil)
}

func TestWhatAHookReturnsDecidesItsOutcome(t *testing.T) {
	for name, test := range map[string]struct {
		err       error
		task      store.Task
		pre, post verdicts.Verdict
		text      string
		delay     time.Duration
	}{
		"nil":             {nil, store.Task{}, verdicts.Begin, verdicts.HookDone, "", 0},
		"plain":           {errBroken, store.Task{Retry: 2}, verdicts.Retry, verdicts.Retry, "disk is full", time.Second},
		"retries used up": {errBroken, store.Task{Retry: 3}, verdicts.Abort, verdicts.HookDone, "disk is full", 0},
		"permanent":       {handlers.Permanent(errBroken), store.Task{}, verdicts.Abort, verdicts.HookDone, "disk is full", 0},
		"cancel job":      {handlers.CancelJob(errBroken), store.Task{}, verdicts.Abort, verdicts.HookDone, "disk is full", 0},
		"skip":            {handlers.SkipRun("maintenance"), store.Task{}, verdicts.Skip, verdicts.HookDone, "maintenance", 0},
		"retry after":     {handlers.RetryAfter(time.Hour, errBroken), store.Task{}, verdicts.Retry, verdicts.Retry, "disk is full", time.Hour},
		"snooze costs":    {handlers.Snooze(time.Hour), store.Task{}, verdicts.Retry, verdicts.Retry, "snooze 1h0m0s", time.Hour},
		"poison":          {nil, store.Task{Crashes: 3}, verdicts.Abort, verdicts.HookDone, "not run again: 3 workers died running it", 0},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, verdict := range map[string]verdicts.Verdict{store.KindPreJob: test.pre, store.KindPostJob: test.post} {
				out := executeHook(t.Context(), t, kind, func(context.Context, *handlers.Run) error { return test.err }, test.task)
				require.Equal(t, verdict, out.Verdict)
				require.Equal(t, test.text, out.Error)
				require.Equal(t, test.delay, out.Delay)
				if verdict == verdicts.Retry {
					require.Equal(t, test.task.Retry+1, out.Task.Retry)
				}
			}
		})
	}
}

func TestASetWithoutTheHookPassesAtOnce(t *testing.T) {
	for kind, verdict := range map[string]verdicts.Verdict{store.KindPreJob: verdicts.Begin, store.KindPostJob: verdicts.HookDone} {
		require.Equal(t, verdict, executeHook(t.Context(), t, kind, nil, store.Task{Crashes: 9}).Verdict)
	}
}

func TestAHookSeesItsRun(t *testing.T) {
	created := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	var log bytes.Buffer
	r := hookRegistry(t, func(ctx context.Context, r *handlers.Run) error {
		require.Equal(t, store.RunID{Job: "import/42", Number: 7}, r.ID())
		require.Equal(t, "ingest", r.Set)
		require.Equal(t, statuses.Failed, r.Status, "while finishing, the status that will be recorded")
		require.Equal(t, store.Counts{Total: 2, Succeeded: 1, Failed: 1}, r.Counts)
		require.Equal(t, created, r.Created)
		require.True(t, r.Due.IsZero())
		require.Equal(t, 1, r.Retry)
		var args scanArgs
		require.NoError(t, r.DecodeArgs(&args))
		require.Equal(t, "a", args.Dir)
		require.Equal(t, "the manager", execute.Manager(ctx))
		_, ok := handlers.FromContext(ctx)
		require.False(t, ok)
		r.Log().Info("reported")
		return nil
	})
	rt := &runtime{run: store.RunRecord{
		ID: store.RunID{Job: "import/42", Number: 7}, Set: "ingest", Args: []byte(`{"dir":"a"}`),
		Status: statuses.Finishing, FinalStatus: statuses.Failed,
		Counts: store.Counts{Total: 2, Succeeded: 1, Failed: 1}, Created: created,
	}}
	out := r.Execute(t.Context(), delivery(store.KindPostJob, store.Task{Retry: 1}), execute.Config{
		Runtime: rt, Manager: "the manager", Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.Equal(t, verdicts.HookDone, out.Verdict)
	require.Contains(t, log.String(), `msg=reported job=import/42 run=7 kind=@post queue=path retry=1`)
}

func TestAHookIsInterruptedLikeATask(t *testing.T) {
	for cause, verdict := range map[error]verdicts.Verdict{
		store.ErrJobStopped:  verdicts.Cancel,
		store.ErrLeaseLost:   0,
		handlers.ErrShutdown: verdicts.Release,
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		out := executeHook(ctx, t, store.KindPostJob, func(ctx context.Context, _ *handlers.Run) error {
			cancel(cause)
			return ctx.Err()
		}, store.Task{Retry: 1})
		require.Equal(t, verdict, out.Verdict)
		require.Equal(t, 1, out.Task.Retry)
	}
}

func TestAHookHasATimeoutAndMayPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := executeHook(t.Context(), t, store.KindPreJob, func(ctx context.Context, _ *handlers.Run) error {
			<-ctx.Done()
			return ctx.Err()
		}, store.Task{})
		require.Equal(t, verdicts.Retry, out.Verdict)
		require.Equal(t, "attempt timed out after 1m0s: context deadline exceeded", out.Error)
	})
	out := executeHook(t.Context(), t, store.KindPreJob, func(context.Context, *handlers.Run) error { panic("boom") }, store.Task{})
	require.Equal(t, verdicts.Retry, out.Verdict)
	require.Contains(t, out.Stack, "hooks_test.go")
	out = executeHook(
		t.Context(), t, store.KindPreJob, func(context.Context, *handlers.Run) error { return panickingError{} },
		store.Task{},
	)
	require.Equal(t, verdicts.Abort, out.Verdict)
}

func TestAHookWhoseRunCannotBeReadIsRetried(t *testing.T) {
	r := hookRegistry(t, func(context.Context, *handlers.Run) error { return nil })
	out := r.Execute(t.Context(), delivery(store.KindPostJob, store.Task{}), execute.Config{
		Runtime: &runtime{runErr: store.Transient(errors.New("down"))},
	})
	require.Equal(t, verdicts.Retry, out.Verdict)
	require.Contains(t, out.Error, "read run import/42/7")
}

func TestTheLogOfAnAttemptNamesIt(t *testing.T) {
	var log bytes.Buffer
	r := registry(t, handlers.SetConfig{}, func(_ context.Context, task *handlers.Task[scanArgs]) error {
		task.Log().Info("copied", "bytes", 3)
		return nil
	}, nil)
	r.Execute(t.Context(), delivery("scan", store.Task{Retry: 2}), execute.Config{
		Runtime: &runtime{}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.Contains(t, log.String(), "msg=copied job=import/42 run=7 task=task-1 kind=scan queue=path retry=2 bytes=3")
}

func TestHooksAreSetAfterTheSetIsMade(t *testing.T) {
	var called []string
	note := func(name string) func(context.Context, *handlers.Run) error {
		return func(context.Context, *handlers.Run) error {
			called = append(called, name)
			return nil
		}
	}
	s := handlers.NewSet("ingest", handlers.SetConfig{})
	s.OnValidate(note("validate"))
	s.OnPreJob(note("pre"))
	s.OnPostJob(note("post"))
	s.OnEvent("copy", handlers.EventHooks{After: func(context.Context, handlers.Event) error {
		called = append(called, "copied")
		return nil
	}})
	handlers.Handle(s, func(ctx context.Context, t *handlers.Task[scanArgs]) error {
		return t.Event(ctx, "copy", func(context.Context) error { return nil })
	}, nil)
	r, err := handlers.NewRegistry(s)
	require.NoError(t, err)
	require.NoError(t, r.Validate(t.Context(), store.RunRecord{Set: "ingest"}))
	for _, kind := range []string{store.KindPreJob, "scan", store.KindPostJob} {
		r.Execute(t.Context(), delivery(kind, store.Task{}), execute.Config{Runtime: &runtime{}})
	}
	require.Equal(t, []string{"validate", "pre", "copied", "post"}, called)
	for name, set := range map[string]func(){
		"Validate": func() { s.OnValidate(note("late")) }, "PreJob": func() { s.OnPreJob(note("late")) },
		"PostJob": func() { s.OnPostJob(note("late")) }, "Events": func() { s.OnEvent("late", handlers.EventHooks{}) },
	} {
		require.PanicsWithValue(t, `handlers: hook `+name+` of the set "ingest" was set after a registry was made of it`, set)
	}
}

func TestAHookThatIsSetTwiceIsReported(t *testing.T) {
	none := func(context.Context, *handlers.Run) error { return nil }
	around := handlers.EventHooks{Before: func(context.Context, handlers.Event) error { return nil }}
	events := map[string]handlers.EventHooks{"copy": around}
	s := handlers.NewSet("ingest", handlers.SetConfig{Hooks: handlers.Hooks{PostJob: none, Events: events}})
	s.OnPostJob(none)
	s.OnPreJob(none)
	s.OnPreJob(none)
	s.OnValidate(nil)
	s.OnEvent("copy", around)
	s.OnEvent("move", handlers.EventHooks{})
	s.OnEvent("a b", around)
	_, err := handlers.NewRegistry(s)
	for _, want := range []string{
		"Sets[0].Hooks.PostJob is set twice", "Sets[0].Hooks.PreJob is set twice", "Sets[0].Hooks.Validate is nil",
		`Sets[0].Hooks.Events["copy"] is set twice`, `Sets[0].Hooks.Events["move"] has neither Before nor After`,
		`Sets[0].Hooks.Events["a b"] may hold only`,
	} {
		require.ErrorContains(t, err, want)
	}
	require.Len(t, events, 1, "the caller's map is the caller's")
}
