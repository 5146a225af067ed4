package handlers

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
)

// Event is something that a task does, such as creating a file, as the hooks around it see it.
type Event struct {
	Name string // as given to [Attempt.Event]
	*Attempt
}

// EventHooks surround an event. Either may be nil. They learn what the event is about from the
// context that was given to [Attempt.Event].
type EventHooks struct {
	// Before is called first. Its error skips the event, and After.
	Before func(ctx context.Context, e Event) error
	// After is called when the event is over, unless it returned an error.
	After func(ctx context.Context, e Event) error
}

// Event calls fn between the hooks that the set has for events of that name; without any, it only
// calls fn. It returns the first error, as it is, and calls nothing after it: an error of Before
// skips fn and After, an error of fn skips After. A nil fn is a [*store.FieldError], and calls
// nothing. What becomes of the task is up to the handler.
//
// Hooks are part of the attempt: they run under its timeout and again with each retry, and their
// panic is a panic of the handler. If a worker is killed after fn and before the end of the task,
// the next attempt makes the event again. So the hooks hear of each event at least once.
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
		problems = append(problems, store.ValidateName(fmt.Sprintf("%sHooks.Events[%q]", prefix, name), name))
	}
	return problems
}
