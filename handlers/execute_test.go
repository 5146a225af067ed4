package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var errBroken = errors.New("disk is full")

func TestAHandlerSeesItsTask(t *testing.T) {
	var got handlers.Task[scanArgs]
	var fromContext *handlers.Attempt
	r := registry(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		got.Args, got.Attempt = task.Args, task.Attempt
		fromContext, _ = handlers.FromContext(ctx)
		deadline, ok := task.Deadline()
		require.True(t, ok)
		require.InDelta(t, handlers.DefaultTimeout, time.Until(deadline), float64(time.Minute))
		require.Equal(t, "the manager", execute.Manager(ctx))
		var root fileArgs
		require.NoError(t, task.Run.DecodeArgs(&root))
		require.Equal(t, "root", root.Path)
		return nil
	}, nil)
	d := delivery("scan", store.Task{Retry: 2, Headers: map[string]string{"trace": "x"}})
	out := r.Execute(t.Context(), d, execute.Config{
		Runtime: &runtime{run: store.RunRecord{Args: []byte(`{"path":"root"}`)}}, Manager: "the manager",
	})
	require.Equal(t, store.Outcome{Lease: d.Lease, Task: d.Task, Verdict: verdicts.Success}, out)
	require.Equal(t, "a/b", got.Args.Dir)
	require.Same(t, got.Attempt, fromContext)
	require.Equal(t, []any{"task-1", "scan", "path", 2, "x"}, []any{got.ID, got.Kind, got.Queue, got.Retry, got.Headers["trace"]})
	require.Equal(t, store.RunID{Job: "import/42", Number: 7}, got.Run.ID())
	require.Equal(t, "ingest", got.Run.Set)
	_, ok := handlers.FromContext(t.Context())
	require.False(t, ok)
}

func TestWhatAHandlerReturnsDecidesTheOutcome(t *testing.T) {
	for name, test := range map[string]struct {
		err     error
		task    store.Task
		verdict verdicts.Verdict
		text    string
		delay   time.Duration
		after   store.Task // Retry and Snoozes
	}{
		"nil":                       {nil, store.Task{}, verdicts.Success, "", 0, store.Task{}},
		"plain":                     {errBroken, store.Task{}, verdicts.Retry, "disk is full", time.Minute, store.Task{Retry: 1}},
		"plain, last retry":         {errBroken, store.Task{Retry: 2}, verdicts.Retry, "disk is full", 3 * time.Minute, store.Task{Retry: 3}},
		"plain, retries used up":    {errBroken, store.Task{Retry: 3}, verdicts.Fail, "disk is full", 0, store.Task{Retry: 3}},
		"permanent":                 {handlers.Permanent(errBroken), store.Task{}, verdicts.Fail, "disk is full", 0, store.Task{}},
		"permanent, wrapped":        {fmt.Errorf("copy: %w", handlers.Permanent(errBroken)), store.Task{}, verdicts.Fail, "copy: disk is full", 0, store.Task{}},
		"permanent nil":             {handlers.Permanent(nil), store.Task{}, verdicts.Success, "", 0, store.Task{}},
		"retry after":               {handlers.RetryAfter(time.Second, errBroken), store.Task{}, verdicts.Retry, "disk is full", time.Second, store.Task{Retry: 1}},
		"retry after, no cause":     {handlers.RetryAfter(time.Second, nil), store.Task{}, verdicts.Retry, "retry after 1s", time.Second, store.Task{Retry: 1}},
		"retry after, used up":      {handlers.RetryAfter(time.Second, errBroken), store.Task{Retry: 3}, verdicts.Fail, "disk is full", 0, store.Task{Retry: 3}},
		"retry after, negative":     {handlers.RetryAfter(-1, errBroken), store.Task{}, verdicts.Retry, "disk is full", 0, store.Task{Retry: 1}},
		"snooze":                    {handlers.Snooze(time.Hour), store.Task{Retry: 3}, verdicts.Snooze, "", time.Hour, store.Task{Retry: 3, Snoozes: 1}},
		"snooze, last":              {handlers.Snooze(0), store.Task{Snoozes: 999}, verdicts.Snooze, "", 0, store.Task{Snoozes: 1000}},
		"snooze, over the limit":    {handlers.Snooze(0), store.Task{Snoozes: 1000}, verdicts.Fail, "snoozed more than 1000 times", 0, store.Task{Snoozes: 1000}},
		"cancel job":                {handlers.CancelJob(errBroken), store.Task{}, verdicts.StopRun, "disk is full", 0, store.Task{}},
		"cancel job, no cause":      {handlers.CancelJob(nil), store.Task{}, verdicts.StopRun, "cancel job", 0, store.Task{}},
		"skip run outside of hooks": {handlers.SkipRun("maintenance"), store.Task{}, verdicts.Fail, "maintenance", 0, store.Task{}},
		"recovered task that lived": {nil, store.Task{Recovered: true, Crashes: 2}, verdicts.Success, "", 0, store.Task{}},
	} {
		t.Run(name, func(t *testing.T) {
			minutes := func(a *handlers.Attempt) time.Duration { return time.Duration(a.Retry+1) * time.Minute }
			r := registry(t, handlers.SetConfig{Attributes: handlers.Attributes{BackoffFor: minutes}}, returning(test.err), nil)
			out := executeScan(t.Context(), r, test.task)
			require.Equal(t, test.verdict, out.Verdict)
			require.Equal(t, test.text, out.Error)
			require.Equal(t, test.delay, out.Delay)
			require.Equal(t, test.after.Retry, out.Task.Retry)
			require.Equal(t, test.after.Snoozes, out.Task.Snoozes)
			require.Equal(t, "task-1", out.Task.ID)
			require.Empty(t, out.Stack)
		})
	}
}

func TestTheCauseOfTheContextDecidesWhatAnErrorMeans(t *testing.T) {
	for name, test := range map[string]struct {
		cause   error
		verdict verdicts.Verdict
	}{
		"stopped":       {store.ErrJobStopped, verdicts.Cancel},
		"cancelled":     {store.ErrTaskCancelled, verdicts.Cancel},
		"lease lost":    {store.ErrLeaseLost, 0},
		"shutting down": {handlers.ErrShutdown, verdicts.Release},
		"no cause":      {nil, verdicts.Release},
	} {
		t.Run(name, func(t *testing.T) {
			for _, result := range []error{context.Canceled, handlers.Permanent(errBroken), nil} {
				ctx, cancel := context.WithCancelCause(t.Context())
				r := registry(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[scanArgs]) error {
					cancel(test.cause)
					<-ctx.Done()
					if test.cause != nil {
						require.ErrorIs(t, context.Cause(ctx), test.cause)
					}
					return result
				}, nil)
				task := store.Task{ID: "x", Payload: []byte(`{}`), Retry: 1, Snoozes: 2, Crashes: 1}
				out := executeScan(ctx, r, task)
				require.Equal(t, task, out.Task, "nothing is charged")
				if result == nil {
					require.Equal(t, verdicts.Success, out.Verdict, "success stands: the fence of the lease decides")
					continue
				}
				require.Equal(t, test.verdict, out.Verdict)
			}
		})
	}
}

func TestNothingStartsUnderAContextThatHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(store.ErrJobStopped)
	r := registry(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[scanArgs]) error {
		t.Error("started")
		return nil
	}, nil)
	require.Equal(t, verdicts.Cancel, executeScan(ctx, r, store.Task{}).Verdict)
}

func TestATimeoutIsAFailedAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var result error
		r := registry(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[scanArgs]) error {
			<-ctx.Done()
			require.ErrorIs(t, context.Cause(ctx), handlers.ErrTimeout)
			require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
			return result
		}, &handlers.KindOptions{Attributes: handlers.Attributes{Timeout: 90 * time.Second}})

		start := time.Now()
		result = errBroken
		out := executeScan(t.Context(), r, store.Task{})
		require.Equal(t, 90*time.Second, time.Since(start))
		require.Equal(t, verdicts.Retry, out.Verdict)
		require.Equal(t, 1, out.Task.Retry)
		require.Equal(t, "attempt timed out after 1m30s: disk is full", out.Error)

		result = nil
		require.Equal(t, verdicts.Success, executeScan(t.Context(), r, store.Task{}).Verdict)
		result = handlers.Permanent(errBroken)
		require.Equal(t, verdicts.Fail, executeScan(t.Context(), r, store.Task{}).Verdict)
	})
}

func TestAPanicIsAFailedAttemptWithItsStack(t *testing.T) {
	for name, handler := range map[string]scanHandler{
		"value":   func(context.Context, *handlers.Task[scanArgs]) error { panic("boom") },
		"nil map": func(context.Context, *handlers.Task[scanArgs]) error { map[string]int(nil)["boom"] = 1; return nil },
		"nil":     func(context.Context, *handlers.Task[scanArgs]) error { panic(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			out := executeScan(t.Context(), registry(t, handlers.SetConfig{}, handler, nil), store.Task{})
			require.Equal(t, verdicts.Retry, out.Verdict)
			require.Equal(t, 1, out.Task.Retry)
			require.True(t, strings.HasPrefix(out.Error, "panic: "), out.Error)
			require.Contains(t, out.Stack, "execute_test.go")
			require.LessOrEqual(t, len(out.Stack), 8<<10)
		})
	}
}

func TestMiddlewareMayPanicToo(t *testing.T) {
	r := registry(t, handlers.SetConfig{}, returning(nil), nil).With(func(handlers.Handler) handlers.Handler {
		return func(context.Context, *handlers.Attempt) error { panic("middleware") }
	})
	out := executeScan(t.Context(), r, store.Task{})
	require.Equal(t, verdicts.Retry, out.Verdict)
	require.Equal(t, "panic: middleware", out.Error)
}

type bombArgs struct{}

func (bombArgs) Kind() string                  { return "bomb" }
func (*bombArgs) UnmarshalJSON(b []byte) error { panic("while decoding") }

func TestAPanicWhileDecodingIsAFailedAttempt(t *testing.T) {
	set := handlers.NewSet("ingest", handlers.SetConfig{})
	handlers.Handle(set, func(context.Context, *handlers.Task[bombArgs]) error { return nil }, nil)
	r, err := handlers.NewRegistry(set)
	require.NoError(t, err)
	out := r.Execute(t.Context(), delivery("bomb", store.Task{}), execute.Config{Runtime: &runtime{}})
	require.Equal(t, verdicts.Retry, out.Verdict)
	require.Equal(t, "panic: while decoding", out.Error)
}

type panickingError struct{}

func (panickingError) Error() string { panic("in Error") }

func TestAPanicWhileJudgingFailsTheTask(t *testing.T) {
	out := executeScan(t.Context(), registry(t, handlers.SetConfig{}, returning(panickingError{}), nil), store.Task{})
	require.Equal(t, verdicts.Fail, out.Verdict)
	require.Equal(t, "panic: in Error", out.Error)

	backoff := handlers.Attributes{BackoffFor: func(*handlers.Attempt) time.Duration { panic("in BackoffFor") }}
	out = executeScan(t.Context(), registry(t, handlers.SetConfig{Attributes: backoff}, returning(errBroken), nil), store.Task{})
	require.Equal(t, verdicts.Fail, out.Verdict)
}

func TestWhatCannotBeRunFailsWithoutRetries(t *testing.T) {
	r := registry(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[scanArgs]) error {
		t.Error("started")
		return nil
	}, nil)
	unknownSet := delivery("scan", store.Task{})
	unknownSet.Lease.Lane.Route.Set = "other"
	for text, d := range map[string]store.Delivery{
		"decode arguments":              delivery("scan", store.Task{Payload: []byte(`{"dir":1}`)}),
		"not JSON":                      delivery("scan", store.Task{Payload: []byte(`{`)}),
		"decode attributes of the task": delivery("scan", store.Task{Attributes: []byte(`{`)}),
		`Kind "other" has no handler`:   delivery("other", store.Task{}),
		`Set "other" is not registered`: unknownSet,
		"not run again: 3 workers died": delivery("scan", store.Task{Crashes: 3, Recovered: true}),
	} {
		out := r.Execute(t.Context(), d, execute.Config{Runtime: &runtime{}})
		require.Equal(t, verdicts.Fail, out.Verdict, text)
		require.Contains(t, out.Error, text)
		require.Equal(t, d.Task, out.Task)
		require.Equal(t, d.Lease, out.Lease)
	}
}

func TestTextsAreCutAndValid(t *testing.T) {
	out := executeScan(
		t.Context(), registry(t, handlers.SetConfig{}, returning(errors.New("x"+strings.Repeat("ä", 5000))), nil),
		store.Task{},
	)
	require.LessOrEqual(t, len(out.Error), 2<<10)
	require.Greater(t, len(out.Error), 2000)
	require.True(t, utf8.ValidString(out.Error))
	out = executeScan(t.Context(), registry(t, handlers.SetConfig{}, returning(errors.New("a\xffb")), nil), store.Task{})
	require.Equal(t, "ab", out.Error)
}

func TestMiddlewareRunsInTheStatedOrder(t *testing.T) {
	var order []string
	named := func(name string) handlers.Middleware {
		return func(next handlers.Handler) handlers.Handler {
			return func(ctx context.Context, a *handlers.Attempt) error {
				found, _ := handlers.FromContext(ctx)
				require.Same(t, a, found)
				order = append(order, name)
				return next(ctx, a)
			}
		}
	}
	r := registry(t,
		handlers.SetConfig{Middleware: []handlers.Middleware{named("set 1"), nil, named("set 2")}},
		func(context.Context, *handlers.Task[scanArgs]) error { order = append(order, "handler"); return nil },
		&handlers.KindOptions{Middleware: []handlers.Middleware{named("kind")}, Aliases: []string{"walk"}},
	).With(named("registry 2")).With(named("registry 1"))
	want := []string{"registry 1", "registry 2", "set 1", "set 2", "kind", "handler"}
	require.Equal(t, verdicts.Success, executeScan(t.Context(), r, store.Task{}).Verdict)
	require.Equal(t, want, order)

	order = nil
	r.Execute(t.Context(), delivery("walk", store.Task{}), execute.Config{Runtime: &runtime{}})
	require.Equal(t, want, order, "an alias is the same kind")
}

func TestARawHandlerGetsTheJSON(t *testing.T) {
	set := handlers.NewSet("ingest", handlers.SetConfig{})
	var got string
	handlers.HandleRaw(set, "raw", func(_ context.Context, task *handlers.Task[json.RawMessage]) error {
		got = string(task.Args)
		return nil
	}, nil)
	r, err := handlers.NewRegistry(set)
	require.NoError(t, err)
	out := r.Execute(t.Context(), delivery("raw", store.Task{Payload: []byte(`[1, 2]`)}), execute.Config{Runtime: &runtime{}})
	require.Equal(t, verdicts.Success, out.Verdict)
	require.Equal(t, `[1, 2]`, got)
}

func TestRunArgumentsThatDoNotDecodeFailForGood(t *testing.T) {
	decode := func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		var root scanArgs
		return task.Run.DecodeArgs(&root)
	}
	r := registry(t, handlers.SetConfig{}, decode, nil)
	run := func(rt *runtime) store.Outcome {
		return r.Execute(t.Context(), delivery("scan", store.Task{}), execute.Config{Runtime: rt})
	}
	require.Equal(t, verdicts.Fail, run(&runtime{run: store.RunRecord{Args: []byte(`{"dir":1}`)}}).Verdict)
	require.Equal(t, verdicts.Retry, run(&runtime{runErr: store.ErrUnavailable}).Verdict)
}

func TestEnqueueNowDoesNotWaitForSuccess(t *testing.T) {
	rt := &runtime{}
	r := registry(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		receipt, err := task.EnqueueNow(ctx, fileArgs{"a"}, &enqueue.Options{ID: "a"})
		require.NoError(t, err)
		require.Equal(t, "now", receipt.ID)
		return errBroken
	}, nil)
	require.Equal(t, verdicts.Retry, r.Execute(t.Context(), delivery("scan", store.Task{}), execute.Config{Runtime: rt}).Verdict)
	require.Len(t, rt.now, 1)
}
