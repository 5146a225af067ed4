package script

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/script/internal/sandbox"
	"github.com/rollcall-go/rollcall/store"
)

// The defaults of [Options].
const (
	DefaultSteps   = 1_000_000
	DefaultTimeout = 10 * time.Second
)

// Options say what the scripts of a set may define and use. The zero value of each field is its
// default.
type Options struct {
	// Events are names of events, beside those that the set has hooks for in code: a script may have
	// hooks for these, too. Defaults to none.
	Events []string
	// Functions are names of functions that the program calls by [Call]. They begin with a letter.
	// Defaults to none.
	Functions []string
	// Counters are names of counters that a script may add to. NewSet declares them. Defaults to
	// none.
	Counters []string
	// Steps is how many steps one call may take. An instruction takes one step. An operation on a
	// large value takes one step for each element, and for each 16 bytes of text. So it also bounds
	// memory: to at most some tens of bytes for each step. Defaults to [DefaultSteps], which is about
	// 50 ms.
	Steps int
	// Timeout is how long one call may take, with the functions of the host that it calls. Defaults
	// to [DefaultTimeout].
	Timeout time.Duration
}

// NewSet makes a set that takes scripts. cfg is as for [handlers.NewSet]; it may have hooks and
// middleware in code, which stand around those of the script: before an event, the hook in code is
// called first, and after it last.
//
// Every run of the set has the hooks PreJob and PostJob, whether or not a script has them. A worker
// calls them as tasks that are not counted.
//
// Errors are [*store.FieldError]s: for a Scripting in cfg, for names that are not valid or that one
// function of a script would stand for twice, and for negative limits. [handlers.NewRegistry]
// reports what else is wrong, also a script in code that does not compile.
func NewSet(name string, cfg handlers.SetConfig, opts *Options) (*handlers.Set, error) {
	l := &language{counters: make(map[string]handlers.Counter)}
	if opts != nil {
		l.opts = *opts
	}
	l.events = slices.Collect(maps.Keys(cfg.Hooks.Events))
	l.events = append(l.events, l.opts.Events...)
	slices.Sort(l.events)
	l.events = slices.Compact(l.events)
	if err := l.validate(cfg); err != nil {
		return nil, fmt.Errorf("new set %.80q: %w", name, err)
	}
	if l.opts.Steps == 0 {
		l.opts.Steps = DefaultSteps
	}
	if l.opts.Timeout == 0 {
		l.opts.Timeout = DefaultTimeout
	}
	l.host = sandbox.Host{
		Builtins: builtins,
		Fields:   fields,
		Limits:   sandbox.Limits{Steps: uint64(l.opts.Steps), Time: l.opts.Timeout},
	}
	l.set = handlers.NewSet(name, l.around(cfg))
	for _, counter := range l.opts.Counters {
		l.counters[counter] = handlers.NewCounter(l.set, counter)
	}
	return l.set, nil
}

func (l *language) validate(cfg handlers.SetConfig) error {
	var problems []error
	refuse := func(bad bool, field, reason string) {
		if bad {
			problems = append(problems, &store.FieldError{Field: field, Reason: reason})
		}
	}
	refuse(cfg.Scripting != nil, "Scripting", "is set already")
	refuse(l.opts.Steps < 0, "Options.Steps", "is negative")
	refuse(l.opts.Timeout < 0, "Options.Timeout", "is negative")
	known := l.hooks()
	for i, event := range l.opts.Events {
		problems = append(problems, store.ValidateName(fmt.Sprintf("Options.Events[%d]", i), event))
	}
	for i, name := range l.opts.Functions {
		field := fmt.Sprintf("Options.Functions[%d]", i)
		refuse(name == "" || name != identifier(name) || name[0] == '_' || '0' <= name[0] && name[0] <= '9', field,
			fmt.Sprintf("%.80q is not a name of a function", name))
		_, taken := known[name]
		refuse(taken, field, fmt.Sprintf("repeats %.80q", name))
		known[name] = role{params: anyParams}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		refuse(known[name].ambiguous, "Options.Events", fmt.Sprintf("has two events with the hook %s", name))
	}
	return store.JoinFields(problems...)
}

// Handle adds a kind to a set of [NewSet] that has no handler in code. Tasks of the kind wait for
// their retries while the script has no function handle_KIND.
func Handle(set *handlers.Set, kind string, opts *handlers.KindOptions) {
	handlers.HandleRaw(set, kind, unhandled, opts)
}
