package sandbox

import (
	"errors"

	"go.starlark.net/starlark"
)

// price charges for one call of a builtin or method.
type price func(thread *starlark.Thread, recv starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) error

// universe has the builtins of the language that scripts may call. Those that can print what no
// script should see, or have no price, are left out.
var universe = map[string]price{
	"abs":       flat(1),
	"all":       shallow(1),
	"any":       shallow(1),
	"bool":      flat(1),
	"chr":       flat(1),
	"dict":      deep(entrySteps, dictSteps),
	"enumerate": shallow(6),
	"fail":      deep(escaped, 1),
	"float":     number,
	"int":       number,
	"len":       flat(1),
	"list":      shallow(1),
	"max":       deep(2, 1),
	"min":       deep(2, 1),
	"ord":       flat(1),
	"range":     flat(4),
	"repr":      deep(escaped, 1),
	"reversed":  shallow(1),
	"sorted":    deep(20, 1),
	"str":       deep(escaped, 1),
	"tuple":     shallow(1),
	"type":      flat(1),
	"zip":       shallow(6),
}

// priced puts a price on a builtin.
func priced(b *starlark.Builtin, p price) *starlark.Builtin {
	return starlark.NewBuiltin(b.Name(), func(
		thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple,
	) (starlark.Value, error) {
		if err := p(thread, b.Receiver(), args, kwargs); err != nil {
			return nil, err
		}
		return b.CallInternal(thread, args, kwargs)
	})
}

// flat is the same for every call.
func flat(steps uint64) price {
	return func(thread *starlark.Thread, _ starlark.Value, _ starlark.Tuple, _ []starlark.Tuple) error {
		return Spend(thread, steps)
	}
}

// shallow is in proportion to the elements of the arguments.
func shallow(steps uint64) price {
	return func(thread *starlark.Thread, recv starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) error {
		sum := uint64(1)
		for _, v := range everything(recv, args, kwargs) {
			sum += elements(v)
		}
		return Spend(thread, product(sum, int64(steps)))
	}
}

// deep is in proportion to everything that the arguments hold.
func deep(times, more uint64) price {
	return func(thread *starlark.Thread, recv starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) error {
		if err := Charge(thread, times, everything(recv, args, kwargs)...); err != nil {
			return err
		}
		return Spend(thread, more)
	}
}

// maxDigits is the length of a text that is read as a number.
const maxDigits = 1300

func number(thread *starlark.Thread, _ starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) error {
	for _, v := range everything(nil, args, kwargs) {
		if s, ok := v.(starlark.String); ok && len(s) > maxDigits {
			return errors.New("a number has too many digits")
		}
	}
	return Spend(thread, 4)
}

// all returns everything that a builtin is called with.
func everything(recv starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) []starlark.Value {
	if recv == nil && len(kwargs) == 0 {
		return args
	}
	values := make([]starlark.Value, 0, 1+len(args)+len(kwargs))
	if recv != nil {
		values = append(values, recv)
	}
	values = append(values, args...)
	for _, pair := range kwargs {
		values = append(values, pair[1])
	}
	return values
}

// elements is how many values an argument has if it is read one by one.
func elements(v starlark.Value) uint64 {
	if n := starlark.Len(v); n > 0 {
		return uint64(n)
	}
	return 1
}
