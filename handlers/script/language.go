package script

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/script/internal/sandbox"
)

// language compiles the scripts of one set. It is its [handlers.Scripting].
type language struct {
	opts     Options
	events   []string // with hooks, sorted
	counters map[string]handlers.Counter
	host     sandbox.Host
	set      *handlers.Set
}

// role is what a function of a script is for.
type role struct {
	params    int // with which it is called, or anyParams
	ambiguous bool
}

const anyParams = -1

// The functions that every set calls.
const (
	fnPreJob     = "pre_job"
	fnPostJob    = "post_job"
	fnMaxRetries = "max_retries"
	fnTimeout    = "timeout"
	fnDelay      = "delay"
)

// hooks lists the functions of a script that the library calls, by name, without handlers.
func (l *language) hooks() map[string]role {
	known := map[string]role{
		fnPreJob: {params: 1}, fnPostJob: {params: 1},
		fnMaxRetries: {params: 1}, fnTimeout: {params: 1}, fnDelay: {params: 2},
	}
	for _, event := range l.events {
		for _, name := range []string{preEvent(event), postEvent(event)} {
			_, twice := known[name]
			known[name] = role{params: 1, ambiguous: twice}
		}
	}
	return known
}

// known lists all functions that are called.
func (l *language) known() map[string]role {
	known := l.hooks()
	for _, name := range l.opts.Functions {
		known[name] = role{params: anyParams}
	}
	for _, kind := range l.set.Kinds() {
		name := handlerOf(kind)
		_, twice := known[name]
		known[name] = role{params: 1, ambiguous: twice}
	}
	return known
}

func preEvent(event string) string  { return "pre_" + identifier(event) }
func postEvent(event string) string { return "post_" + identifier(event) }
func handlerOf(kind string) string  { return "handle_" + identifier(kind) }

// identifier puts "_" in place of what a name of a function cannot have.
func identifier(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
}

// program is a compiled script. It is a [handlers.Script].
type program struct {
	language  *language
	compiled  *sandbox.Program
	functions map[string]*starlark.Function
	kinds     map[string]string // the handler of a kind, by kind and alias
}

// Compile implements [handlers.Scripting].
func (l *language) Compile(source string) (handlers.Script, error) {
	compiled, err := sandbox.Compile(source, l.host)
	if err != nil {
		var at *sandbox.SyntaxError
		if errors.As(err, &at) {
			return nil, at
		}
		return nil, failed("top level", err)
	}
	p := &program{language: l, compiled: compiled, functions: compiled.Functions(), kinds: make(map[string]string)}
	if err := p.check(); err != nil {
		return nil, err
	}
	for _, kind := range l.set.Kinds() {
		if name := handlerOf(kind); p.functions[name] != nil {
			p.kinds[kind] = name
		}
	}
	return p, nil
}

// check refuses functions that nobody calls, so that a typing error is seen, and functions that
// cannot be called with what they will be called with.
func (p *program) check() error {
	known := p.language.known()
	for _, name := range slices.Sorted(maps.Keys(p.functions)) {
		if strings.HasPrefix(name, "_") {
			continue
		}
		fn := p.functions[name]
		role, ok := known[name]
		var reason string
		switch {
		case !ok:
			reason = fmt.Sprintf("%s is never called; the set calls %s; names of other functions begin with _",
				name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		case role.ambiguous:
			reason = name + " stands for several names of the set"
		case !takes(fn, role.params):
			reason = fmt.Sprintf("%s is called with %d arguments", name, role.params)
		default:
			continue
		}
		at := fn.Position()
		return &sandbox.SyntaxError{Line: int(at.Line), Column: int(at.Col), Message: reason}
	}
	return nil
}

// takes reports whether a function can be called with so many arguments.
func takes(fn *starlark.Function, n int) bool {
	if n == anyParams {
		return true
	}
	positional := fn.NumParams() - fn.NumKwonlyParams()
	if fn.HasKwargs() {
		positional--
	}
	if fn.HasVarargs() {
		positional--
	}
	required := 0
	for i := range fn.NumParams() {
		if i < positional && fn.ParamDefault(i) == nil {
			required++
		}
	}
	return required <= n && (n <= positional || fn.HasVarargs())
}

// call calls a function of the script. It must exist.
func (p *program) call(ctx context.Context, c *caller, name string, args ...starlark.Value) (starlark.Value, error) {
	v, err := p.compiled.Call(ctx, c, p.functions[name], args...)
	if err != nil {
		return nil, failed(name, err)
	}
	return v, nil
}

// programOf returns the script of a set of this package; nil if there is none.
func programOf(s handlers.Script) *program {
	p, _ := s.(*program)
	return p
}
