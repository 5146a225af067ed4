package handlers

import (
	"context"
	"fmt"
	"maps"

	"github.com/rollcall-go/rollcall/store"
)

// OnValidate sets the hook [Hooks].Validate after the set was made. If fn is nil, or the set has
// this hook already, [NewRegistry] reports a [*store.FieldError]. OnValidate panics if a registry
// was made from the set before.
func (s *Set) OnValidate(fn func(ctx context.Context, r *Run) error) {
	s.on("Validate", &s.cfg.Hooks.Validate, fn)
}

// OnPreJob sets the hook [Hooks].PreJob of the set, as OnValidate does.
func (s *Set) OnPreJob(fn func(ctx context.Context, r *Run) error) {
	s.on("PreJob", &s.cfg.Hooks.PreJob, fn)
}

// OnPostJob sets the hook [Hooks].PostJob of the set, as OnValidate does. So the hook can use
// values that are declared on the set.
func (s *Set) OnPostJob(fn func(ctx context.Context, r *Run) error) {
	s.on("PostJob", &s.cfg.Hooks.PostJob, fn)
}

// OnEvent sets the hooks for events of this name, as OnValidate does. Before or After may be nil,
// but not both.
func (s *Set) OnEvent(name string, hooks EventHooks) {
	s.unbound("Events")
	field := fmt.Sprintf("Hooks.Events[%.80q]", name)
	_, taken := s.cfg.Hooks.Events[name]
	switch {
	case taken:
		s.refuse(field, "is set twice")
	case hooks.Before == nil && hooks.After == nil:
		s.refuse(field, "has neither Before nor After")
	default:
		events := maps.Clone(s.cfg.Hooks.Events)
		if events == nil {
			events = make(map[string]EventHooks)
		}
		events[name] = hooks
		s.cfg.Hooks.Events = events
	}
}

func (s *Set) on(name string, to *func(context.Context, *Run) error, fn func(context.Context, *Run) error) {
	s.unbound(name)
	switch {
	case *to != nil:
		s.refuse("Hooks."+name, "is set twice")
	case fn == nil:
		s.refuse("Hooks."+name, "is nil")
	default:
		*to = fn
	}
}

// unbound panics if a hook is set too late: a registry was made from the set, so the hook would
// never be called.
func (s *Set) unbound(hook string) {
	if s.bound.Load() {
		panic(fmt.Sprintf("handlers: hook %s of the set %.80q was set after a registry was made of it", hook, s.name))
	}
}

func (s *Set) refuse(field, reason string) {
	s.problems = append(s.problems, &store.FieldError{Field: field, Reason: reason})
}
