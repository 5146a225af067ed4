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

// EventHooks surround an event. Either may be nil. What the event is about they learn from
// the context that was given to [Attempt.Event].
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
// Hooks run within the attempt, at its place: under its timeout, as often as it is tried, and a
// panic of theirs is one of the handler. A worker that is killed between fn and the end of the task
// leaves an event that happens again with the next attempt. So each event that a task completes was
// announced at least once.
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
