package script

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"go.starlark.net/starlark"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/script/internal/sandbox"
	"github.com/rollcall-go/rollcall/store"
)

// Call calls a function of the script that is in force for the attempt of ctx, for example a filter
// or a mapping. name must be one of [Options].Functions. If there is no script, if it does not have
// the function, or if the function returns None, Call returns otherwise. So it can be called
// always, and costs next to nothing while there is no script.
//
// Arguments are values that can be encoded as JSON; strings may have any bytes, as paths do. The
// result must fit T: bool, string, int, int64, float64, any, or a type that can be decoded from
// JSON.
//
// Errors: an [*Error] of the script; a [*store.FieldError] for a context that is not that of an
// attempt, for a name that is not one of Functions and for arguments that cannot be encoded. Then
// the result is otherwise, too.
func Call[T any](ctx context.Context, name string, otherwise T, args ...any) (T, error) {
	v, err := callAny(ctx, name, args)
	if err != nil || v == starlark.None {
		return otherwise, err
	}
	result, err := as[T](v)
	if err != nil {
		return otherwise, &Error{Function: name, Message: err.Error()}
	}
	return result, nil
}

func callAny(ctx context.Context, name string, args []any) (starlark.Value, error) {
	a, ok := handlers.FromContext(ctx)
	if !ok {
		return nil, &store.FieldError{Field: "Ctx", Reason: "is not the context of an attempt"}
	}
	p := programOf(a.Script())
	if p == nil {
		return starlark.None, nil
	}
	if !slices.Contains(p.language.opts.Functions, name) {
		return nil, &store.FieldError{Field: "Name", Reason: fmt.Sprintf("%.80q is not one of Options.Functions", name)}
	}
	if p.functions[name] == nil {
		return starlark.None, nil
	}
	values := make([]starlark.Value, len(args))
	for i, arg := range args {
		var err error
		if values[i], err = toScript(arg); err != nil {
			return nil, &store.FieldError{Field: fmt.Sprintf("Args[%d]", i), Reason: err.Error()}
		}
	}
	return p.call(ctx, &caller{language: p.language, attempt: a, effects: true}, name, values...)
}

// maxResult bounds a result: see [sandbox.Check].
const maxResult = 1 << 20

// as converts a result.
func as[T any](v starlark.Value) (result T, err error) {
	if err := sandbox.Check(v, maxResult); err != nil {
		return result, fmt.Errorf("returned a value that is too large: %w", err)
	}
	var fits bool
	switch to := any(&result).(type) {
	case *bool:
		var b starlark.Bool
		b, fits = v.(starlark.Bool)
		*to = bool(b)
	case *string:
		*to, fits = starlark.AsString(v)
	case *any:
		*to, err = toGo(v)
		return result, err
	default:
		var plain any
		if plain, err = toGo(v); err != nil {
			return result, err
		}
		b, err := json.Marshal(plain)
		fits = err == nil && json.Unmarshal(b, &result) == nil
	}
	if !fits {
		var zero T
		return zero, fmt.Errorf("returned %s, not %T", shown(v), zero)
	}
	return result, nil
}

// Defines reports whether the script that is in force for the attempt of ctx has one of
// [Options].Functions. A caller that prepares something costly for [Call] can ask it first. It is
// false in any other context.
func Defines(ctx context.Context, name string) bool {
	a, ok := handlers.FromContext(ctx)
	if !ok {
		return false
	}
	p := programOf(a.Script())
	return p != nil && slices.Contains(p.language.opts.Functions, name) && p.functions[name] != nil
}
