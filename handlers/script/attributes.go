package script

import (
	"context"
	"fmt"
	"math"
	"time"

	"go.starlark.net/starlark"

	"github.com/rollcall-go/rollcall/handlers"
)

// logFailed is the message of a log line: an attribute could not be computed.
const logFailed = "script failed; the attribute is inherited"

// Attributes implements [handlers.Script].
func (p *program) Attributes() handlers.Attributes {
	var a handlers.Attributes
	if p.functions[fnMaxRetries] != nil {
		a.MaxRetriesFor = func(t *handlers.Attempt) int { return attribute(p, t, fnMaxRetries, retries) }
	}
	if p.functions[fnTimeout] != nil {
		a.TimeoutFor = func(t *handlers.Attempt) time.Duration { return attribute(p, t, fnTimeout, orOff) }
	}
	if p.functions[fnDelay] != nil {
		a.BackoffFor = func(t *handlers.Attempt) time.Duration {
			return attribute(p, t, fnDelay, orOff, starlark.MakeInt(t.Retry+1))
		}
	}
	return a
}

// attribute computes an attribute. None inherits. An attribute that cannot be computed is logged
// and inherits, too: a mistake in a script must not fail tasks for good.
func attribute[T any](
	p *program, a *handlers.Attempt, name string, read func(starlark.Value) (T, error), more ...starlark.Value,
) (result T) {
	ctx := context.Background()
	v, err := p.call(
		ctx,
		&caller{language: p.language, attempt: a},
		name,
		append([]starlark.Value{newTask(a)}, more...)...)
	if err == nil && v != starlark.None {
		if result, err = read(v); err != nil {
			err = &Error{Function: name, Message: err.Error()}
		}
	}
	if err != nil {
		a.Log().ErrorContext(ctx, logFailed, "function", name, "error", err)
	}
	return result
}

func retries(v starlark.Value) (int, error) {
	n, err := starlark.AsInt32(v)
	switch {
	case err != nil || n < 0:
		return 0, fmt.Errorf("%s is not a number of retries", shown(v))
	case n == 0:
		return handlers.NoRetries, nil
	}
	return n, nil
}

// orOff reads a number of seconds, of which 0 means none.
func orOff(v starlark.Value) (time.Duration, error) {
	d, err := seconds(v)
	if err == nil && d == 0 {
		return handlers.NoTimeout, nil
	}
	return d, err
}

func seconds(v starlark.Value) (time.Duration, error) {
	f, ok := starlark.AsFloat(v)
	if _, truth := v.(starlark.Bool); !ok || truth || !(f >= 0 && f <= math.MaxInt64/1e9) {
		return 0, fmt.Errorf("%s is not a number of seconds", shown(v))
	}
	return time.Duration(f * 1e9), nil
}

// shown is a value in a message: numbers as they are, of others the type.
func shown(v starlark.Value) string {
	switch v.(type) {
	case starlark.Int, starlark.Float, starlark.Bool, starlark.NoneType:
		return v.String()
	}
	return v.Type()
}
