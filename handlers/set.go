package handlers

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/store"
)

// Handler is a handler without the type of its arguments. Middleware wraps it.
type Handler func(ctx context.Context, a *Attempt) error

// Middleware wraps a handler. It is called for every attempt, after the arguments were decoded. The
// package documentation gives the order.
type Middleware func(next Handler) Handler

// SetConfig configures a [Set]. The zero value means all defaults.
type SetConfig struct {
	// Attributes of all kinds of the set, and of its hooks.
	Attributes Attributes
	// Hooks of the runs of the set. A hook that uses values declared on the set can be set later, for
	// example with [Set.OnPostJob]. Defaults to none.
	Hooks Hooks
	// RunsInReadOnly lets workers fetch tasks and hooks of the set also in read-only mode. Defaults to
	// false.
	RunsInReadOnly bool
	// Middleware around all kinds of the set, outermost first. Defaults to none.
	Middleware []Middleware
	// Scripting compiles [Attributes].Script. Defaults to nil: the set takes no scripts.
	Scripting Scripting
}

// Hooks are functions that are called for a run; those of Events are called for single tasks.
// PreJob and PostJob run like tasks: they are leased, retried and recovered, and wait in the queue
// of the run's root task. But the counts of the run do not include them. Each may be nil.
type Hooks struct {
	// Validate is called before a run starts, in the process that starts it. If it returns an error,
	// the run does not start, and nothing is written.
	Validate func(ctx context.Context, r *Run) error
	// PreJob is called before any task of the run starts. After an error it is tried again. If it
	// returns [Permanent], or its retries are used up, the run fails. If it returns [SkipRun], the run
	// ends as skipped.
	PreJob func(ctx context.Context, r *Run) error
	// PostJob is called after the last task of a run that succeeded or failed. It is not called if the
	// run was stopped or skipped. After an error it is tried again; the last error is recorded. It
	// never changes the status or the counts of the run.
	PostJob func(ctx context.Context, r *Run) error
	// Events are hooks around events of tasks, by the name that the task passes to [Attempt.Event].
	// Defaults to none.
	Events map[string]EventHooks
}

// KindOptions configure one kind of a set.
type KindOptions struct {
	// Attributes of the kind. Defaults to those of the set.
	Attributes Attributes
	// Aliases are other kinds that the handler runs, such as earlier names. Defaults to none.
	Aliases []string
	// Middleware around the kind, outermost first, inside that of the set. Defaults to none.
	Middleware []Middleware
}

// Set is a named group of handlers. Add handlers with [Handle] and [HandleRaw], then pass the set
// to [NewRegistry], which reports all problems. Later changes of the set do not change that
// registry. Functions that change a set must not be called concurrently.
type Set struct {
	name     string
	cfg      SetConfig
	kinds    map[string]*kind // by name and alias
	counters map[string]bool  // declared counters
	values   []*declared      // declared lists and maps
	problems []error
	bound    *atomic.Bool // a registry was made from it
}

// kind is one handler, as it was registered.
type kind struct {
	name    string
	opts    KindOptions
	begin   func(payload []byte) (*Attempt, error)
	handler Handler
}

// NewSet returns an empty set. [NewRegistry] reports problems, such as a name that is not valid.
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

// Name returns the name of the set. A job names its set.
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
