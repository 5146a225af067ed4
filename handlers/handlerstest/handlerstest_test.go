package handlerstest_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/handlerstest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

type scanArgs struct{ Dir string }

func (scanArgs) Kind() string { return "scan" }

type fileArgs struct{ Path string }

func (fileArgs) Kind() string { return "file" }

// ingest is a set whose scan handler is given; files do nothing.
func ingest(scan func(context.Context, *handlers.Task[scanArgs]) error) *handlers.Set {
	set := handlers.NewSet("ingest", handlers.SetConfig{Attributes: handlers.Attributes{Timeout: time.Minute}})
	handlers.Handle(set, scan, nil)
	handlers.Handle(set, func(context.Context, *handlers.Task[fileArgs]) error { return nil },
		&handlers.KindOptions{Attributes: handlers.Attributes{Queue: "file"}})
	return set
}

// strict is a test that says by a panic why it failed.
type strict struct{ testing.TB }

func (strict) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func TestWhatCannotBeFailsTheTestAtOnce(t *testing.T) {
	set := ingest(func(context.Context, *handlers.Task[scanArgs]) error { return nil })
	negative := handlers.Configuration{Set: handlers.Attributes{MaxRetries: -2}}
	elsewhere := handlers.Configuration{Kinds: map[string]*handlers.Attributes{"a b": {}}}
	for want, do := range map[string]func(tb testing.TB){
		"Sets[0].Name": func(tb testing.TB) { handlerstest.Do(tb, handlers.NewSet("", handlers.SetConfig{}), scanArgs{}, nil) },
		"Args is nil":  func(tb testing.TB) { handlerstest.Do(tb, set, nil, nil) },
		"Set.MaxRetries": func(tb testing.TB) {
			handlerstest.Do(tb, set, scanArgs{}, &handlerstest.Options{Configuration: negative})
		},
		`Kinds["a b"]`: func(tb testing.TB) {
			handlerstest.Do(tb, set, scanArgs{}, &handlerstest.Options{Configuration: elsewhere})
		},
		"encode RunArgs": func(tb testing.TB) {
			handlerstest.Do(tb, set, scanArgs{}, &handlerstest.Options{RunArgs: endless{math.Inf(1)}})
		},
	} {
		said := func() (said any) {
			defer func() { said = recover() }()
			do(strict{t})
			return nil
		}()
		require.Contains(t, fmt.Sprint(said), want)
	}
}

// endless are arguments that JSON has no form for.
type endless struct{ N float64 }

func (endless) Kind() string { return "scan" }

func TestChildrenOfASuccessAreRecorded(t *testing.T) {
	for _, n := range []int{3, 1000} {
		set := ingest(func(ctx context.Context, task *handlers.Task[scanArgs]) error {
			for i := range n {
				if _, err := task.Enqueue(ctx, fileArgs{fmt.Sprint(i)}, nil); err != nil {
					return err
				}
			}
			_, err := task.EnqueueNow(ctx, fileArgs{"now"}, &enqueue.Options{ID: "now"})
			return err
		})
		result := handlerstest.Do(t, set, scanArgs{"a"}, nil)
		require.NoError(t, result.Err)
		require.Equal(t, verdicts.Success, result.Outcome.Verdict)
		require.Len(t, result.Children, n+1)
		require.True(t, result.Children[0].Now)
		for i, child := range result.Children[1:] {
			var args fileArgs
			require.NoError(t, child.Decode(&args))
			require.Equal(t, fileArgs{fmt.Sprint(i)}, args)
			require.Equal(t, "file", child.Route.Queue)
		}
	}
}

func TestAFailureKeepsOnlyWhatWasEnqueuedNow(t *testing.T) {
	broken := errors.New("broken")
	set := ingest(func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		_, err := task.Enqueue(ctx, fileArgs{"staged"}, nil)
		require.NoError(t, err)
		_, err = task.EnqueueNow(ctx, fileArgs{"now"}, nil)
		require.NoError(t, err)
		return handlers.RetryAfter(time.Hour, broken)
	})
	result := handlerstest.Do(t, set, scanArgs{"a"}, nil)
	require.ErrorIs(t, result.Err, broken)
	require.Equal(t, verdicts.Retry, result.Outcome.Verdict)
	require.Equal(t, time.Hour, result.Outcome.Delay)
	require.Len(t, result.Children, 1)
}

func TestOptionsReachTheHandler(t *testing.T) {
	set := ingest(func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		require.Equal(t, "chosen", task.ID)
		require.Equal(t, "slow", task.Queue)
		require.Equal(t, 4, task.Retry)
		require.Equal(t, 2, task.Snoozes)
		require.Equal(t, store.RunID{Job: "nightly", Number: 3}, task.Run.ID())
		var root fileArgs
		require.NoError(t, task.Run.DecodeArgs(&root))
		require.Equal(t, fileArgs{"root"}, root)
		require.Equal(t, "middleware", ctx.Value(key{}))
		return handlers.Snooze(time.Second)
	})
	result := handlerstest.Do(t, set, scanArgs{"a"}, &handlerstest.Options{
		Task:    &enqueue.Options{ID: "chosen", Queue: "slow"},
		Retry:   4,
		Snoozes: 2,
		Run:     store.RunID{Job: "nightly", Number: 3},
		RunArgs: fileArgs{"root"},
		Middleware: []handlers.Middleware{func(next handlers.Handler) handlers.Handler {
			return func(ctx context.Context, a *handlers.Attempt) error {
				return next(context.WithValue(ctx, key{}, "middleware"), a)
			}
		}},
	})
	require.Equal(t, verdicts.Snooze, result.Outcome.Verdict)
	require.Equal(t, 3, result.Outcome.Task.Snoozes)
}

type key struct{}

func TestAStopIsSeenByTheHandler(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	set := ingest(func(ctx context.Context, _ *handlers.Task[scanArgs]) error {
		cancel(store.ErrJobStopped)
		<-ctx.Done()
		return context.Cause(ctx)
	})
	result := handlerstest.Do(t, set, scanArgs{"a"}, &handlerstest.Options{Context: ctx})
	require.ErrorIs(t, result.Err, store.ErrJobStopped)
	require.Equal(t, verdicts.Cancel, result.Outcome.Verdict)
}

func TestAPanicIsTheError(t *testing.T) {
	set := ingest(func(context.Context, *handlers.Task[scanArgs]) error { panic("boom") })
	result := handlerstest.Do(t, set, scanArgs{"a"}, nil)
	var p *handlers.PanicError
	require.ErrorAs(t, result.Err, &p)
	require.Equal(t, "boom", p.Value)
	require.Contains(t, result.Outcome.Stack, "handlerstest_test.go")
}

func TestATaskThatIsNotRunSaysWhy(t *testing.T) {
	set := ingest(func(context.Context, *handlers.Task[scanArgs]) error { return nil })
	result := handlerstest.Do(t, set, enqueue.Raw("scan", []byte(`{"Dir":1}`), nil), nil)
	require.ErrorContains(t, result.Err, "decode arguments")
	require.Equal(t, verdicts.Fail, result.Outcome.Verdict)
}

func TestWhatCannotBeEnqueuedFailsTheTest(t *testing.T) {
	set := ingest(func(context.Context, *handlers.Task[scanArgs]) error { return nil })
	for want, call := range map[string]func(testing.TB){
		"new registry":     func(tb testing.TB) { handlerstest.Do(tb, handlers.NewSet("", handlers.SetConfig{}), scanArgs{}, nil) },
		"enqueue the task": func(tb testing.TB) { handlerstest.Do(tb, set, enqueue.Raw("other", nil, nil), nil) },
		"is nil":           func(tb testing.TB) { handlerstest.Do(tb, nil, scanArgs{}, nil) },
	} {
		tb := &failing{TB: t}
		func() {
			defer func() { _ = recover() }()
			call(tb)
		}()
		require.Contains(t, tb.message, want)
	}
}

// failing records what it is failed with, and ends the call by a panic.
type failing struct {
	testing.TB
	message string
}

func (f *failing) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	panic(f)
}

func TestTimeIsVirtualInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := ingest(func(ctx context.Context, _ *handlers.Task[scanArgs]) error {
			<-ctx.Done()
			return ctx.Err()
		})
		start := time.Now()
		result := handlerstest.Do(t, set, scanArgs{"a"}, nil)
		require.Equal(t, time.Minute, time.Since(start))
		require.ErrorIs(t, result.Err, context.DeadlineExceeded)
		require.Equal(t, verdicts.Retry, result.Outcome.Verdict)
	})
}

// tracer carries the value of key in a header.
type tracer struct{}

func (tracer) Inject(ctx context.Context, headers map[string]string) {
	headers["trace"], _ = ctx.Value(key{}).(string)
}

func (tracer) Extract(ctx context.Context, headers map[string]string) context.Context {
	return context.WithValue(ctx, key{}, headers["trace"])
}

func TestATraceReachesTheHandlerAndItsChildren(t *testing.T) {
	set := ingest(func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		require.Equal(t, "t1", ctx.Value(key{}))
		_, err := task.Enqueue(context.WithValue(ctx, key{}, "t2"), fileArgs{}, nil)
		return err
	})
	result := handlerstest.Do(t, set, scanArgs{"a"}, &handlerstest.Options{
		Context: context.WithValue(t.Context(), key{}, "t1"), Propagator: tracer{},
	})
	require.NoError(t, result.Err)
	require.Equal(t, "t2", result.Children[0].Task.Headers["trace"])
}

func TestProgressIsRecordedInOrder(t *testing.T) {
	set := ingest(func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		task.Progress(ctx, 1, 2, "half")
		task.Progress(ctx, 1, 2, "half")
		task.Progress(ctx, 2, 2, "")
		return errors.New("too late")
	})
	require.Equal(t, []store.Progress{{Done: 1, Total: 2, Message: "half"}, {Done: 2, Total: 2}},
		handlerstest.Do(t, set, scanArgs{"a"}, nil).Progress)
}

func TestCountersAndEventsOfTheAttemptAreThere(t *testing.T) {
	var log []string
	set := handlers.NewSet("ingest", handlers.SetConfig{Hooks: handlers.Hooks{Events: map[string]handlers.EventHooks{
		"file.create": {After: func(_ context.Context, e handlers.Event) error { log = append(log, e.Name+" by "+e.Kind); return nil }},
	}}})
	created := handlers.NewCounter(set, "files_created")
	handlers.Handle(set, func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		return task.Event(ctx, "file.create", func(context.Context) error {
			created.Add(task, 2)
			if task.Args.Dir == "" {
				return errors.New("no name")
			}
			return nil
		})
	}, nil)
	require.Equal(t, map[string]int64{"files_created": 2}, handlerstest.Do(t, set, scanArgs{"a"}, nil).Counters)
	require.Equal(t, []string{"file.create by scan"}, log)
	require.Empty(t, handlerstest.Do(t, set, scanArgs{""}, nil).Counters)
	require.Len(t, log, 1)
}

func TestEventsAreRecordedInTheOrderOfTheirEndsWithTheirErrors(t *testing.T) {
	refused, broken := errors.New("refused"), errors.New("broken")
	set := handlers.NewSet("ingest", handlers.SetConfig{Hooks: handlers.Hooks{Events: map[string]handlers.EventHooks{
		"dir.remove": {Before: func(context.Context, handlers.Event) error { return refused }},
	}}})
	handlers.Handle(set, func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		require.NoError(t, task.Event(ctx, "dir.create", func(ctx context.Context) error {
			return task.Event(ctx, "file.create", func(context.Context) error { return nil })
		}))
		require.ErrorIs(t, task.Event(ctx, "dir.remove", func(context.Context) error { return nil }), refused)
		require.ErrorIs(t, task.Event(ctx, "file.create", func(context.Context) error { return broken }), broken)
		return task.Event(ctx, "file.lose", func(context.Context) error { panic("no disk") })
	}, nil)
	result := handlerstest.Do(t, set, scanArgs{"a"}, nil)
	require.Error(t, result.Err)
	require.Equal(t, []handlerstest.Event{
		{Name: "file.create"}, {Name: "dir.create"}, {Name: "dir.remove", Err: refused}, {Name: "file.create", Err: broken},
	}, result.Events)
}

func TestWhatIsConfiguredIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type params struct{ Depth int }
		set := ingest(func(ctx context.Context, task *handlers.Task[scanArgs]) error {
			var p params
			if err := task.DecodeParams(&p); err != nil {
				return err
			}
			deadline, _ := ctx.Deadline()
			require.Equal(t, time.Second, time.Until(deadline))
			_, err := task.Enqueue(ctx, fileArgs{fmt.Sprint(p.Depth)}, nil)
			return err
		})
		var c handlers.Configuration
		c.Kind("scan").Timeout, c.Kind("scan").Params = time.Second, params{Depth: 7}
		c.Kind("file").Queue = "elsewhere"
		result := handlerstest.Do(t, set, scanArgs{"a"}, &handlerstest.Options{Configuration: c})
		require.NoError(t, result.Err)
		require.Equal(t, "elsewhere", result.Children[0].Route.Queue)
		var file fileArgs
		require.NoError(t, result.Children[0].Decode(&file))
		require.Equal(t, "7", file.Path)
	})
}
