// Package handlerstest runs handlers in unit tests, without a store and without
// a worker. What a handler enqueues is recorded instead of being run.
package handlerstest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"runtime/debug"
	"testing"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
)

// Options alter one call of [Do]. The zero value of each field is its default.
type Options struct {
	// Context of the attempt. Cancel it with the cause [store.ErrJobStopped],
	// [store.ErrLeaseLost] or [handlers.ErrShutdown] to see what the handler makes of that.
	// Defaults to that of the test.
	Context context.Context
	// Task is how the task was enqueued. Defaults to all defaults.
	Task *enqueue.Options
	// Retry is how many attempts of the task have failed before. Defaults to 0.
	Retry int
	// Snoozes is how often the task was snoozed before. Defaults to 0.
	Snoozes int
	// Run that the task belongs to. Defaults to run 1 of the job "test".
	Run store.RunID
	// RunArgs are the arguments of the run, for DecodeArgs. Defaults to none.
	RunArgs enqueue.Args
	// Configuration is what is configured of the set. Defaults to nothing: the code decides.
	Configuration handlers.Configuration
	// Middleware of the registry, outermost first. Defaults to none.
	Middleware []handlers.Middleware
	// Propagator from Context to the task, and from there to the attempt and to its children. Defaults
	// to none.
	Propagator enqueue.Propagator
	// Logger of the attempt. Defaults to [slog.DiscardHandler].
	Logger *slog.Logger
}

// Result is what became of one attempt.
type Result struct {
	// Err is what the handler, in its middleware, returned, a [*handlers.PanicError] if it
	// panicked, or why it was not called.
	Err error
	// Outcome is what would be reported to the store.
	Outcome store.Outcome
	// Children are the tasks that the attempt added to its run: those of EnqueueNow, and
	// then, if it succeeded, those of Enqueue and EnqueueAll. Children of one kind are in the
	// order in which they were enqueued.
	Children []Child
	// Counters are what the attempt added to them, by name, if it succeeded.
	Counters map[string]int64
	// Writes are what the attempt appended to lists, and set and removed of maps, in order, if it
	// succeeded. Their data are JSON.
	Writes []store.Write
	// Progress is what the attempt reported of it, in order.
	Progress []store.Progress
	// Events are what was done through [handlers.Attempt.Event], whether or not the attempt succeeded,
	// in the order in which the calls returned. One that panicked is not among them.
	Events []Event
}

// Event is one call of [handlers.Attempt.Event].
type Event struct {
	Name string
	Err  error // what it returned: the error of a hook, or of the event itself
}

// Child is a task that an attempt added to its run.
type Child struct {
	store.Item
	Now bool // added by EnqueueNow, not with the success of the attempt
}

// Decode decodes the arguments of the child into v, a pointer.
func (c Child) Decode(v any) error { return json.Unmarshal(c.Task.Payload, v) }

// Do runs one attempt of one task through the handler that the set has for the kind of
// args, exactly as a worker would: with its middleware, timeout and attributes. It
// fails the test at once if the set is not valid or the task cannot be enqueued. Nil
// options mean all defaults. It works inside of a synctest bubble.
func Do(tb testing.TB, set *handlers.Set, args enqueue.Args, opts *Options) *Result {
	tb.Helper()
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Context == nil {
		o.Context = tb.Context()
	}
	if o.Run == (store.RunID{}) {
		o.Run = store.RunID{Job: "test", Number: 1}
	}
	registry, err := handlers.NewRegistry(set)
	if err != nil {
		tb.Fatalf("handlerstest: %v", err)
	}
	result := &Result{}
	registry = registry.With(o.Middleware...).With(capture(&result.Err))
	live := handlers.NewLive(registry)
	if err := o.Configuration.Validate(); err != nil {
		tb.Fatalf("handlerstest: %v", err)
	}
	if err := live.Configure(set.Name(), o.Configuration); err != nil {
		tb.Fatalf("handlerstest: %v", err)
	}
	producing := enqueue.Config{Router: live, Propagator: o.Propagator}
	item, err := enqueue.Encode(o.Context, &producing, set.Name(), enqueue.Task(args, o.Task))
	if err != nil {
		tb.Fatalf("handlerstest: enqueue the task: %v", err)
	}
	rec := store.RunRecord{ID: o.Run, Set: set.Name(), Status: store.StatusRunning}
	if o.RunArgs != nil {
		if rec.Args, err = json.Marshal(o.RunArgs); err != nil {
			tb.Fatalf("handlerstest: encode RunArgs: %v", err)
		}
	}
	rt := &recorder{run: rec, enqueue: producing}
	item.Task.Retry, item.Task.Snoozes = o.Retry, o.Snoozes
	delivery := store.Delivery{
		Lease: store.Lease{Lane: store.Lane{Run: o.Run, Route: item.Route}, Fetch: 1},
		Task:  item.Task,
	}
	x := live.Executor(execute.Config{Runtime: rt, Enqueue: producing, Logger: o.Logger})
	result.Outcome = x.Execute(o.Context, &delivery)
	result.Children, result.Progress, result.Events = rt.children(result.Outcome), rt.report, rt.events
	result.Counters, result.Writes = result.Outcome.Counters, result.Outcome.Writes
	if result.Err == nil && result.Outcome.Verdict != store.VerdictSuccess {
		result.Err = errors.New(result.Outcome.Error)
	}
	return result
}

// capture keeps the error of the handler, of which an outcome has only the text.
func capture(to *error) handlers.Middleware {
	return func(next handlers.Handler) handlers.Handler {
		return func(ctx context.Context, a *handlers.Attempt) (err error) {
			defer func() {
				if v := recover(); v != nil {
					err = &handlers.PanicError{Value: v, Stack: debug.Stack()}
				}
				*to = err
			}()
			return next(ctx, a)
		}
	}
}
