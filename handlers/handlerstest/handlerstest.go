// Package handlerstest runs handlers in unit tests, without a store and without a worker. Tasks
// that a handler enqueues are recorded; they do not run.
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
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// Options configure one call of [Do]. The zero value of each field is its default.
type Options struct {
	// Context of the attempt. To test how the handler reacts to cancellation, cancel it with the cause
	// [store.ErrJobStopped], [store.ErrLeaseLost] or [handlers.ErrShutdown]. Defaults to the context
	// of the test.
	Context context.Context
	// Task has the options with which the task was enqueued. Defaults to all defaults.
	Task *enqueue.Options
	// Retry is how many attempts of the task failed before. Defaults to 0.
	Retry int
	// Snoozes is how often the task was snoozed before. Defaults to 0.
	Snoozes int
	// Run of the task. Defaults to run 1 of the job "test".
	Run store.RunID
	// RunArgs are the arguments of the run, for DecodeArgs. Defaults to none.
	RunArgs enqueue.Args
	// Configuration of the set, as from Manager.Configure. Defaults to none.
	Configuration handlers.Configuration
	// Middleware of the registry, outermost first. Defaults to none.
	Middleware []handlers.Middleware
	// Propagator carries values from Context to the task, and from the task to the attempt and its
	// children. Defaults to none.
	Propagator enqueue.Propagator
	// Logger of the attempt. Defaults to [slog.DiscardHandler].
	Logger *slog.Logger
}

// Result is the result of one attempt.
type Result struct {
	// Err is the error of the handler and its middleware. It is a [*handlers.PanicError] if they
	// panicked. If the handler was not called, it says why.
	Err error
	// Outcome is what a worker would report to the store.
	Outcome store.Outcome
	// Children are the tasks that the attempt added to its run. First come those of EnqueueNow; then,
	// if the attempt succeeded, those of Enqueue and EnqueueAll. Children of one kind are in the order
	// in which they were enqueued.
	Children []Child
	// Counters are the numbers that the attempt added, by counter, if it succeeded.
	Counters map[string]int64
	// Writes are the attempt's writes to lists and maps, in order, if it succeeded. Their data are
	// JSON.
	Writes []store.Write
	// Result is what the attempt set with SetResult, if it succeeded and results of its kind are kept.
	// It is JSON, or nil for none.
	Result json.RawMessage
	// Progress has the attempt's reports of progress, in order.
	Progress []store.Progress
	// Events are the calls of [handlers.Attempt.Event], in the order in which they returned, even if
	// the attempt failed. Calls that panicked are left out.
	Events []Event
}

// Event is one call of [handlers.Attempt.Event].
type Event struct {
	Name string
	Err  error // the result: an error of a hook, or of the event itself
}

// Child is a task that an attempt added to its run.
type Child struct {
	store.Item
	Now bool // added by EnqueueNow, which does not wait for success
}

// Decode decodes the arguments of the child into v, a pointer.
func (c Child) Decode(v any) error { return json.Unmarshal(c.Task.Payload, v) }

// Do runs one attempt of a task with these arguments. It calls the set's handler for their kind as
// a worker does: with middleware, timeout and attributes. If the set is not valid or the task
// cannot be enqueued, the test fails at once. Nil options mean all defaults. Do works inside of a
// synctest bubble.
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
	rec := store.RunRecord{ID: o.Run, Set: set.Name(), Status: statuses.Running}
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
	result.Result = result.Outcome.Result
	if result.Err == nil && result.Outcome.Verdict != verdicts.Success {
		result.Err = errors.New(result.Outcome.Error)
	}
	return result
}

// capture keeps the error of the handler, because an outcome has only its text.
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
