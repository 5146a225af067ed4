package script

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/handlers"
)

// around returns the configuration of a set with the hooks and handlers of its scripts.
func (l *language) around(cfg handlers.SetConfig) handlers.SetConfig {
	cfg.Scripting = l
	cfg.Middleware = append(slices.Clone(cfg.Middleware), handle)
	pre, post := cfg.Hooks.PreJob, cfg.Hooks.PostJob
	cfg.Hooks.PreJob = func(ctx context.Context, r *handlers.Run) error {
		return inOrder(ctx, r, pre, jobHook(fnPreJob))
	}
	cfg.Hooks.PostJob = func(ctx context.Context, r *handlers.Run) error {
		return inOrder(ctx, r, jobHook(fnPostJob), post)
	}
	events := make(map[string]handlers.EventHooks, len(l.events))
	maps.Copy(events, cfg.Hooks.Events)
	for _, name := range l.events {
		code := events[name]
		before, after := eventHook(preEvent(name)), eventHook(postEvent(name))
		events[name] = handlers.EventHooks{
			Before: func(ctx context.Context, e handlers.Event) error { return inOrder(ctx, e, code.Before, before) },
			After:  func(ctx context.Context, e handlers.Event) error { return inOrder(ctx, e, after, code.After) },
		}
	}
	cfg.Hooks.Events = events
	return cfg
}

// inOrder calls two hooks, the second unless the first returns an error. Both may be nil.
func inOrder[T any](ctx context.Context, of T, first, second func(context.Context, T) error) error {
	if first != nil {
		if err := first(ctx, of); err != nil {
			return err
		}
	}
	if second != nil {
		return second(ctx, of)
	}
	return nil
}

func jobHook(name string) func(context.Context, *handlers.Run) error {
	return func(ctx context.Context, r *handlers.Run) error {
		p := programOf(r.Script())
		if p == nil || p.functions[name] == nil {
			return nil
		}
		_, err := p.call(ctx, &caller{language: p.language, run: r}, name, newRun(r))
		return err
	}
}

func eventHook(name string) func(context.Context, handlers.Event) error {
	return func(ctx context.Context, e handlers.Event) error {
		p := programOf(e.Script())
		if p == nil || p.functions[name] == nil {
			return nil
		}
		c := &caller{language: p.language, attempt: e.Attempt, effects: true}
		_, err := p.call(ctx, c, name, newEvent(e, ctx.Value(dataKey{})))
		return err
	}
}

// handle is middleware: the script's function handle_KIND takes the place of the handler in code.
func handle(next handlers.Handler) handlers.Handler {
	return func(ctx context.Context, a *handlers.Attempt) error {
		p := programOf(a.Script())
		if p == nil || p.kinds[a.Kind] == "" {
			return next(ctx, a)
		}
		c := &caller{language: p.language, attempt: a, effects: true, events: true}
		_, err := p.call(ctx, c, p.kinds[a.Kind], newTask(a))
		return err
	}
}

var errUnhandled = errors.New("script: no script has a handler for this kind")

func unhandled(context.Context, *handlers.Task[json.RawMessage]) error { return errUnhandled }

type dataKey struct{}

// WithData returns a context whose data the hooks of events in a script see as event.data: give it
// to [handlers.Attempt.Event]. data is a value that can be encoded as JSON. Strings in maps and
// slices of strings may have any bytes.
func WithData(ctx context.Context, data any) context.Context {
	return context.WithValue(ctx, dataKey{}, data)
}
