package handlers

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/internal/recent"
	"github.com/rollcall-go/rollcall/store"
)

// Registry is a checked collection of sets. It never changes, so it may be used concurrently.
type Registry struct {
	sets  map[string]*boundSet
	count int   // of sets and kinds
	code  *Live // what is in force if nothing is configured
}

// HandlerRegistry is another name of [Registry], for code in which "Registry" is not clear enough.
type HandlerRegistry = Registry

// boundSet is a set as it was when the registry was made, ready to run.
type boundSet struct {
	source *Set
	hooks  Hooks
	index  int                   // index of its attributes in a Live
	kinds  map[string]*boundKind // by name and alias

	programs *recent.Map[string, Script] // compiled, by source
}

// boundKind is a kind with everything that it inherits.
type boundKind struct {
	set    *Set // as it was when the registry was made
	kind   *kind
	index  int     // index of its attributes in a Live; aliases share those of their kind
	invoke Handler // inside of all middleware
}

// NewRegistry checks and copies sets. It reports all problems at once, as [*store.FieldError]s: two
// sets of the same name, kinds with two handlers, names and attributes that are not valid,
// attributes that cannot be set together, and too many counters or values.
func NewRegistry(sets ...*Set) (*Registry, error) {
	r := &Registry{sets: make(map[string]*boundSet, len(sets))}
	var problems []error
	for i, s := range sets {
		field := fmt.Sprintf("Sets[%d]", i)
		if s == nil {
			problems = append(problems, &store.FieldError{Field: field, Reason: "is nil"})
			continue
		}
		s.bound.Store(true)
		problems = append(problems, s.validate(field+"."))
		if _, taken := r.sets[s.name]; taken {
			problems = append(
				problems, &store.FieldError{Field: field + ".Name", Reason: fmt.Sprintf("repeats %q", s.name)},
			)
			continue
		}
		problems = append(problems, r.bind(s.clone(), field+".")...)
	}
	if err := store.JoinFields(problems...); err != nil {
		return nil, fmt.Errorf("new registry: %w", err)
	}
	r.code = NewLive(r)
	return r, nil
}

// bind numbers a set and its kinds, and wraps its handlers. It reports middleware that leaves no
// handler.
func (r *Registry) bind(s *Set, prefix string) (problems []error) {
	b := &boundSet{
		source:   s,
		hooks:    s.cfg.Hooks,
		index:    r.next(),
		kinds:    make(map[string]*boundKind, len(s.kinds)),
		programs: newPrograms(),
	}
	indexes := make(map[*kind]int, len(s.kinds))
	for name, k := range s.kinds {
		if _, ok := indexes[k]; !ok {
			indexes[k] = r.next()
		}
		b.kinds[name] = &boundKind{
			set:    s,
			kind:   k,
			index:  indexes[k],
			invoke: wrap(wrap(k.handler, k.opts.Middleware), s.cfg.Middleware),
		}
		if b.kinds[name].invoke == nil {
			field := fmt.Sprintf("%sKinds[%.80q].Middleware", prefix, name)
			problems = append(problems, &store.FieldError{Field: field, Reason: "returns a nil handler"})
		}
	}
	r.sets[s.name] = b
	if _, err := b.script(s.cfg.Attributes); err != nil {
		problems = append(
			problems,
			store.RenameFields(err, func(string) string { return prefix + "Attributes.Script" }),
		)
	}
	return problems
}

func (r *Registry) next() int {
	r.count++
	return r.count - 1
}

// wrap puts middleware around a handler, the first of it outermost.
func wrap(h Handler, middleware []Middleware) Handler {
	for _, m := range slices.Backward(middleware) {
		if m != nil {
			h = m(h)
		}
	}
	return h
}

// With returns a registry of the same sets with more middleware. Every attempt passes through it
// first; the first element is the outermost. Nil elements are ignored, here as everywhere.
func (r *Registry) With(middleware ...Middleware) *Registry {
	outer := &Registry{sets: make(map[string]*boundSet, len(r.sets)), count: r.count, code: r.code}
	for name, s := range r.sets {
		c := *s
		c.kinds = make(map[string]*boundKind, len(s.kinds))
		for name, k := range s.kinds {
			c.kinds[name] = &boundKind{set: k.set, kind: k.kind, index: k.index, invoke: wrap(k.invoke, middleware)}
		}
		outer.sets[name] = &c
	}
	return outer
}

// Set returns a copy of the set with this name, as it was when the registry was made.
func (r *Registry) Set(name string) (*Set, bool) {
	s, ok := r.sets[name]
	if !ok {
		return nil, false
	}
	return s.source.clone(), true
}

// Sets lists the names of the sets, sorted.
func (r *Registry) Sets() []string { return slices.Sorted(maps.Keys(r.sets)) }

// RunsInReadOnly reports whether the set has [SetConfig].RunsInReadOnly.
func (r *Registry) RunsInReadOnly(set string) bool {
	s, ok := r.sets[set]
	return ok && s.source.cfg.RunsInReadOnly
}

// Attributes returns the attributes in code for a kind of a set, or for an alias; with an empty
// kind, those of the set itself. Every field has a value, as for [Live.Attributes], which returns
// the attributes in force.
func (r *Registry) Attributes(set, kind string) (Attributes, error) {
	return r.code.Attributes(set, kind)
}

// Hooks reports whether the set has PreJob and PostJob. An unknown set has none.
func (r *Registry) Hooks(set string) (pre, post bool) {
	s, ok := r.sets[set]
	return ok && s.hooks.PreJob != nil, ok && s.hooks.PostJob != nil
}

// Validate calls the Validate hook of the run's set, before the run starts. It returns the error of
// the hook unchanged. A panic becomes a [*PanicError]. The hook runs on its own goroutine: if ctx
// ends first, Validate returns the cause and does not wait for the hook. For an unknown set it
// returns a [*store.FieldError] for the field "Set".
func (r *Registry) Validate(ctx context.Context, rec store.RunRecord) error {
	s, err := r.find(rec.Set)
	if err != nil || s.hooks.Validate == nil {
		return err
	}
	return guard.Until(ctx, func() error { return s.hooks.Validate(ctx, newRun(rec, nil)) })
}

func (r *Registry) find(set string) (*boundSet, error) {
	if s, ok := r.sets[set]; ok {
		return s, nil
	}
	return nil, &store.FieldError{Field: "Set", Reason: fmt.Sprintf("%q is not registered", set)}
}

// index returns where the attributes of a kind are; with an empty kind, those of the set itself.
func (r *Registry) index(set, kind string) (int, error) {
	s, err := r.find(set)
	if err != nil {
		return 0, err
	}
	if kind == "" {
		return s.index, nil
	}
	k, err := s.find(kind)
	if err != nil {
		return 0, err
	}
	return k.index, nil
}

func (s *boundSet) find(kind string) (*boundKind, error) {
	if k, ok := s.kinds[kind]; ok {
		return k, nil
	}
	return nil, &store.FieldError{
		Field:  "Kind",
		Reason: fmt.Sprintf("%q has no handler in the set %q", kind, s.source.name),
	}
}
