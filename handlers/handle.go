package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
)

// Task is an attempt with its arguments. Do not use it after the handler has returned.
type Task[A any] struct {
	Args A
	*Attempt
}

// Handle adds the handler for tasks with arguments of type A to a set. The kind is the result of
// A's method Kind on the zero value. If the arguments of a task cannot be decoded, the task fails
// without retries. Nil options mean all defaults.
func Handle[A enqueue.Args](s *Set, handler func(ctx context.Context, t *Task[A]) error, opts *KindOptions) {
	name, err := kindOf[A]()
	if err != nil {
		s.problems = append(s.problems, err)
		return
	}
	add(s, name, handler, opts)
}

// HandleRaw adds a handler for a kind that has no Go type. The handler decodes the JSON of the
// arguments itself. Nil options mean all defaults.
func HandleRaw(
	s *Set, kind string, handler func(ctx context.Context, t *Task[json.RawMessage]) error, opts *KindOptions,
) {
	add(s, kind, handler, opts)
}

// kindOf calls Kind on the zero value. This fails for an interface type, and for a pointer type if
// the method has a value receiver.
func kindOf[A enqueue.Args]() (name string, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &store.FieldError{
				Field:  fmt.Sprintf("Kinds[%T]", *new(A)),
				Reason: "cannot tell its kind: Kind of the zero value panics",
			}
		}
	}()
	var zero A
	return zero.Kind(), nil
}

func add[A any](s *Set, name string, handler func(context.Context, *Task[A]) error, opts *KindOptions) {
	k := &kind{
		name:    name,
		begin:   begin[A],
		handler: func(ctx context.Context, a *Attempt) error { return handler(ctx, a.task.(*Task[A])) },
	}
	if opts != nil {
		k.opts = *opts
		k.opts.Aliases = slices.Clone(opts.Aliases)
		k.opts.Middleware = slices.Clone(opts.Middleware)
	}
	field := fmt.Sprintf("Kinds[%.80q]", name)
	if handler == nil {
		s.problems = append(s.problems, &store.FieldError{Field: field, Reason: "has a nil handler"})
	}
	s.claim(field, name, k)
	for i, alias := range k.opts.Aliases {
		s.claim(fmt.Sprintf("%s.Aliases[%d]", field, i), alias, k)
	}
	if err := k.opts.Attributes.validate(field+".Attributes.", ofKind); err != nil {
		s.problems = append(s.problems, err)
	}
}

// claim gives a name or alias to a kind. Names of system kinds begin with '@', so they are not
// valid here.
func (s *Set) claim(field, name string, k *kind) {
	if err := store.ValidateName(field, name); err != nil {
		s.problems = append(s.problems, err)
		return
	}
	if _, taken := s.kinds[name]; taken {
		s.problems = append(
			s.problems, &store.FieldError{Field: field, Reason: fmt.Sprintf("repeats %q, which has a handler", name)},
		)
		return
	}
	s.kinds[name] = k
}
