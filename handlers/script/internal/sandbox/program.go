package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// Host is what the host gives to every script of one kind.
type Host struct {
	Builtins starlark.StringDict // by name
	Fields   []string            // of the host's values, that scripts read as value.field
	Limits   Limits
}

// Program is a compiled script. Its methods may be called concurrently.
type Program struct {
	globals starlark.StringDict // frozen
	limits  Limits
}

// SyntaxError says where a script cannot be compiled.
type SyntaxError struct {
	Line, Column int
	Message      string
}

// Error implements error.
func (e *SyntaxError) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message) }

func syntaxError(pos syntax.Position, message string) *SyntaxError {
	return &SyntaxError{int(pos.Line), int(pos.Col), message}
}

// fileName appears in no message.
const fileName = "script"

// Compile compiles a script, and runs its top level within the limits. Errors are [*SyntaxError]s,
// or a [*Failure] of the top level.
func Compile(source string, host Host) (p *Program, err error) {
	defer func() {
		if v := recover(); v != nil { // a bug of the compiler fails the script alone
			p, err = nil, &SyntaxError{1, 1, fmt.Sprintf("cannot be compiled: %v", v)}
		}
	}()
	file, err := (&syntax.FileOptions{}).Parse(fileName, source, 0)
	if err != nil {
		return nil, located(err)
	}
	if err := rewrite(file, host.Fields); err != nil {
		return nil, err
	}
	predeclared := make(starlark.StringDict, len(checked)+len(host.Builtins))
	for name, builtin := range checked {
		predeclared[name] = builtin
	}
	for name, builtin := range host.Builtins {
		predeclared[name] = builtin
	}
	program, err := starlark.FileProgram(file, predeclared.Has)
	if err != nil {
		return nil, located(err)
	}
	if err := onlyKnown(file); err != nil {
		return nil, err
	}
	thread, m := newThread(context.Background(), host.Limits, nil)
	globals, err := program.Init(thread, predeclared)
	if err != nil {
		return nil, m.failure(err)
	}
	globals.Freeze()
	return &Program{globals, host.Limits}, nil
}

// located turns an error of the parser or the resolver into a SyntaxError.
func located(err error) error {
	var parse syntax.Error
	if errors.As(err, &parse) {
		return syntaxError(parse.Pos, parse.Msg)
	}
	var names resolve.ErrorList
	if errors.As(err, &names) {
		return syntaxError(names[0].Pos, names[0].Msg)
	}
	return &SyntaxError{1, 1, err.Error()}
}

// onlyKnown refuses builtins of the language that have no price here.
func onlyKnown(file *syntax.File) (err error) {
	syntax.Walk(file, func(n syntax.Node) bool {
		id, ok := n.(*syntax.Ident)
		if !ok || err != nil {
			return err == nil
		}
		if b, ok := id.Binding.(*resolve.Binding); ok && b.Scope == resolve.Universal && !constants[id.Name] {
			err = syntaxError(id.NamePos, id.Name+" is not available")
		}
		return err == nil
	})
	return err
}

var constants = map[string]bool{"None": true, "True": true, "False": true}

// Functions returns the functions at the top level, by name.
func (p *Program) Functions() map[string]*starlark.Function {
	functions := make(map[string]*starlark.Function)
	for name, v := range p.globals {
		if fn, ok := v.(*starlark.Function); ok {
			functions[name] = fn
		}
	}
	return functions
}

// Call calls a function of the program within the limits. The builtins find host by [HostOf]. Each
// error is a [*Failure].
func (p *Program) Call(
	ctx context.Context, host any, fn *starlark.Function, args ...starlark.Value,
) (v starlark.Value, err error) {
	thread, m := newThread(ctx, p.limits, host)
	v, err = starlark.Call(thread, fn, args, nil)
	if err != nil {
		return nil, m.failure(err)
	}
	return v, nil
}

// Limits bound one call. The top level of a script has the same.
type Limits struct {
	Steps uint64
	Time  time.Duration
}

// With returns the program with other limits.
func (p *Program) With(limits Limits) *Program { return &Program{p.globals, limits} }
