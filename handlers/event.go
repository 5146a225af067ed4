package handlers

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
)

// Event is something that a task does, such as creating a file. The hooks around it get this value.
type Event struct {
	Name string // the name passed to [Attempt.Event]
	*Attempt
}

// EventHooks surround an event. Either may be nil. To pass data to them, put it into the context
// that you give to [Attempt.Event].
type EventHooks struct {
	// Before is called first. If it returns an error, the event and After are skipped.
	Before func(ctx context.Context, e Event) error
	// After is called after the event, unless the event returned an error.
	After func(ctx context.Context, e Event) error
}

// Event calls Before, fn and After: Before and After are the hooks of the set for events of this
// name. If the set has none, Event only calls fn. It returns the first error unchanged, and calls
// nothing after it. The handler decides what an error means for the task. If fn is nil, it calls
// nothing and returns a [*store.FieldError].
//
// The hooks are part of the attempt. They share its timeout, each retry calls them again, and a
// panic in them is a panic of the handler. If a worker is killed after fn and before the end of the
// task, the next attempt calls Event again. So the hooks are called at least once for each event.
func (a *Attempt) Event(ctx context.Context, name string, fn func(ctx context.Context) error) error {
	err := a.event(ctx, name, fn)
	if w, ok := a.cfg.Runtime.(execute.EventWatcher); ok {
		w.EventDone(name, err)
	}
	return err
}

func (a *Attempt) event(ctx context.Context, name string, fn func(ctx context.Context) error) error {
	if fn == nil {
		return &store.FieldError{Field: "Fn", Reason: "is nil"}
	}
	h := a.set.cfg.Hooks.Events[name]
	if h.Before != nil {
		if err := h.Before(ctx, Event{name, a}); err != nil {
			return err
		}
	}
	if err := fn(ctx); err != nil {
		return err
	}
	if h.After != nil {
		return h.After(ctx, Event{name, a})
	}
	return nil
}

// validateEvents reports every event whose name is not valid.
func (s *Set) validateEvents(prefix string) (problems []error) {
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Hooks.Events)) {
		problems = append(problems, store.ValidateName(fmt.Sprintf("%sHooks.Events[%.80q]", prefix, name), name))
	}
	return problems
}
