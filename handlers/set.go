package handlers

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/store"
)

// Handler is the core of a handler, without the type of its arguments.
type Handler func(ctx context.Context, a *Attempt) error

// Middleware wraps every attempt that passes through it. It sees the attempt
// after its arguments were decoded. The package documentation states the order.
type Middleware func(next Handler) Handler

// SetConfig configures a [Set]. The zero value is a set of defaults.
type SetConfig struct {
	// Attributes of all kinds of the set, and of its hooks.
	Attributes Attributes
	// Hooks of the runs that use the set. Those that need the set, as for values declared on it, are
	// set by [Set.OnPostJob] and its like. Defaults to none.
	Hooks Hooks
	// RunsInReadOnly lets workers fetch tasks and hooks of the set while the namespace is read-only,
	// too. Defaults to false.
	RunsInReadOnly bool
	// Middleware around all kinds of the set, outermost first. Defaults to none.
	Middleware []Middleware
}

// Hooks are called for a run as a whole, but for those of events. PreJob and PostJob are tasks of
// their own: leased, retried and reclaimed like any other, in the queue of the run's root task, but
// never part of its counts. Each may be nil.
type Hooks struct {
	// Validate is called before a run is started, by whoever starts it. An error
	// refuses the start, and nothing is written.
	Validate func(ctx context.Context, r *Run) error
	// PreJob is called before any task of the run starts. An error is retried;
	// [Permanent], or the last error, fails the run; [SkipRun] ends it as skipped.
	PreJob func(ctx context.Context, r *Run) error
	// PostJob is called after the last task of a run that succeeded or failed, not
	// of one that was stopped or skipped. Its error is retried, and the last one recorded; it never
	// alters the status or the counts of the run.
	PostJob func(ctx context.Context, r *Run) error
	// Events are hooks around what tasks do, by the names that they give to [Attempt.Event]. Defaults
	// to none.
	Events map[string]EventHooks
}

// KindOptions alter one kind of a set.
type KindOptions struct {
	// Attributes of the kind. Defaults to those of the set.
	Attributes Attributes
	// Aliases are further kinds that the handler takes, such as earlier names. Defaults to none.
	Aliases []string
	// Middleware around the kind, outermost first, inside that of the set. Defaults to none.
	Middleware []Middleware
}

// Set is a named group of handlers. Fill it with [Handle] and [HandleRaw], then
// give it to [NewRegistry], which reports whatever is wrong with it; later changes
// of the set have no effect on that registry. Filling a set is not safe for
// concurrent use.
type Set struct {
	name     string
	cfg      SetConfig
	kinds    map[string]*kind // by name and alias
	counters map[string]bool  // those declared
	values   []*declared      // lists and maps
	problems []error
	bound    *atomic.Bool // a registry was made of it
}

// kind is one handler, as it was registered.
type kind struct {
	name    string
	opts    KindOptions
	begin   func(payload []byte) (*Attempt, error)
	handler Handler
}

// NewSet returns an empty set. Problems, such as an unusable name, are reported by
// [NewRegistry].
func NewSet(name string, cfg SetConfig) *Set {
	cfg.Middleware = slices.Clone(cfg.Middleware)
	cfg.Hooks.Events = maps.Clone(cfg.Hooks.Events)
	return &Set{
		name:     name,
		cfg:      cfg,
		kinds:    make(map[string]*kind),
		counters: make(map[string]bool),
		bound:    new(atomic.Bool),
	}
}

func (s *Set) clone() *Set {
	c := *s
	c.kinds = maps.Clone(s.kinds)
	c.counters = maps.Clone(s.counters)
	c.values = slices.Clone(s.values)
	c.problems = slices.Clone(s.problems)
	return &c
}

// Name is what jobs call the set.
func (s *Set) Name() string { return s.name }

// Kinds lists the kinds of the set and their aliases, sorted.
func (s *Set) Kinds() []string { return slices.Sorted(maps.Keys(s.kinds)) }

// validate reports every problem of the set.
func (s *Set) validate(prefix string) error {
	problems := []error{
		store.ValidateName(prefix+"Name", s.name),
		s.cfg.Attributes.validate(prefix+"Attributes.", ofSet),
	}
	problems = append(problems, s.validateEvents(prefix)...)
	problems = append(problems, s.validateCounters(prefix)...)
	problems = append(problems, s.validateValues(prefix)...)
	for _, err := range s.problems {
		problems = append(problems, store.RenameFields(err, func(field string) string { return prefix + field }))
	}
	return store.JoinFields(problems...)
}
