package sandbox

import (
	"fmt"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

type builtin = func(*starlark.Thread, starlark.Tuple) (starlark.Value, error)

// checked holds every builtin that a program may call, beside those of the host.
var checked = func() starlark.StringDict {
	known := make(starlark.StringDict)
	add := func(name string, fn builtin) {
		known[name] = starlark.NewBuiltin(name, func(
			thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple,
		) (starlark.Value, error) {
			return fn(thread, args)
		})
	}
	for name, op := range operators {
		add(name, func(thread *starlark.Thread, args starlark.Tuple) (starlark.Value, error) {
			return binary(thread, op, args[0], args[1])
		})
		add(augmented(name), func(thread *starlark.Thread, args starlark.Tuple) (starlark.Value, error) {
			return augment(thread, op, args[0], args[1])
		})
	}
	add(nameAttr, attr)
	add(nameKey, key)
	add(nameCopy, copied)
	add(nameDict, made)
	add(nameStore, stored)
	for name, p := range universe {
		known[name] = priced(starlark.Universe[name].(*starlark.Builtin), p)
	}
	return known
}()

// operators are those that need a price, by name.
var operators = func() map[string]syntax.Token {
	named := make(map[string]syntax.Token)
	for _, op := range []syntax.Token{
		syntax.PLUS, syntax.MINUS, syntax.STAR, syntax.SLASH, syntax.SLASHSLASH, syntax.PERCENT,
		syntax.AMP, syntax.PIPE, syntax.CIRCUMFLEX, syntax.LTLT, syntax.GTGT,
		syntax.EQL, syntax.NEQ, syntax.LT, syntax.LE, syntax.GT, syntax.GE, syntax.IN, syntax.NOT_IN,
	} {
		named[op.String()] = op
	}
	return named
}()

// augmented names the builtin of an operator that assigns.
func augmented(op string) string { return op + "=:" }

func compares(op syntax.Token) bool {
	switch op {
	case syntax.EQL, syntax.NEQ, syntax.LT, syntax.LE, syntax.GT, syntax.GE:
		return true
	}
	return false
}

// binary charges for an operation, and does it.
func binary(thread *starlark.Thread, op syntax.Token, x, y starlark.Value) (starlark.Value, error) {
	if compares(op) {
		if err := chargeComparison(thread, x, y); err != nil {
			return nil, err
		}
		is, err := starlark.Compare(op, x, y)
		return starlark.Bool(is), err
	}
	if err := charge(thread, op, x, y); err != nil {
		return nil, err
	}
	z, err := starlark.Binary(op, x, y)
	if n, ok := z.(starlark.Int); ok && err == nil {
		err = checkInt(n)
	}
	return z, err
}

func chargeComparison(thread *starlark.Thread, x, y starlark.Value) error {
	switch x := x.(type) {
	case starlark.String:
		if y, ok := y.(starlark.String); ok {
			return Spend(thread, text(min(len(x), len(y))))
		}
		return nil
	case starlark.Int, starlark.Bool, starlark.Float, starlark.NoneType:
		return nil
	}
	return Charge(thread, 1, x, y)
}

func charge(thread *starlark.Thread, op syntax.Token, x, y starlark.Value) error {
	switch op {
	case syntax.PLUS:
		switch x.(type) {
		case starlark.String, *starlark.List, starlark.Tuple:
			return Spend(thread, size(x)+size(y))
		}
	case syntax.STAR:
		return chargeProduct(thread, x, y)
	case syntax.PERCENT:
		if format, ok := x.(starlark.String); ok {
			return chargeFormat(thread, string(format), "%", y)
		}
	case syntax.IN, syntax.NOT_IN:
		return chargeSearch(thread, x, y)
	case syntax.PIPE:
		if _, ok := x.(*starlark.Dict); ok {
			return Charge(thread, entrySteps, x, y)
		}
	}
	return nil
}

// chargeProduct charges for repeating, and refuses products that are too big.
func chargeProduct(thread *starlark.Thread, x, y starlark.Value) error {
	n, first := x.(starlark.Int)
	m, second := y.(starlark.Int)
	switch {
	case first && second:
		if n.BigInt().BitLen()+m.BigInt().BitLen() > maxBits {
			return errTooBig
		}
		return nil
	case first:
		return chargeRepeat(thread, y, n)
	case second:
		return chargeRepeat(thread, x, m)
	}
	return nil
}

func chargeRepeat(thread *starlark.Thread, v starlark.Value, n starlark.Int) error {
	times, ok := n.Int64()
	if !ok {
		return errTooBig
	}
	steps := product(uint64(max(0, starlark.Len(v))), times)
	if _, is := v.(starlark.String); is {
		steps /= textStep
	}
	return Spend(thread, steps)
}

// product multiplies sizes, up to a number that nobody can pay for.
func product(n uint64, times int64) uint64 {
	const most = 1 << 62
	if n == 0 || times <= 0 {
		return 0
	}
	if uint64(times) > most/n {
		return most
	}
	return n * uint64(times)
}

// escaped is how many times longer a value can be as text.
const escaped = 4

// chargeFormat charges for a text in which each mark can be replaced by all of the values.
func chargeFormat(thread *starlark.Thread, format, mark string, values ...starlark.Value) error {
	marks := strings.Count(format, mark)
	if err := Spend(thread, text(2*len(format))); err != nil {
		return err
	}
	return Charge(thread, uint64(1+marks)*escaped, values...)
}

func chargeSearch(thread *starlark.Thread, x, y starlark.Value) error {
	switch y := y.(type) {
	case starlark.String:
		return Spend(thread, size(y)+size(x))
	case *starlark.Dict:
		return chargeKey(thread, x)
	}
	return Charge(thread, 1, x, y)
}

// chargeKey charges for computing the hash of a key: of a tuple it reads all.
func chargeKey(thread *starlark.Thread, k starlark.Value) error {
	switch k := k.(type) {
	case starlark.String:
		return Spend(thread, 1+text(len(k)))
	case starlark.Tuple:
		return Charge(thread, 1, k)
	}
	return Spend(thread, 1)
}

// augment does what an operator that assigns does: it changes lists and dicts in place.
func augment(thread *starlark.Thread, op syntax.Token, x, y starlark.Value) (starlark.Value, error) {
	var method string
	switch x.(type) {
	case *starlark.List:
		if _, ok := y.(starlark.Iterable); ok && op == syntax.PLUS {
			method = "extend"
		}
	case *starlark.Dict:
		if _, ok := y.(*starlark.Dict); ok && op == syntax.PIPE {
			method = "update"
		}
	}
	if method == "" {
		return binary(thread, op, x, y)
	}
	change, err := bound(x, method)
	if err == nil {
		_, err = change.CallInternal(thread, starlark.Tuple{y}, nil)
	}
	return x, err
}

// key charges for the use of a key.
func key(thread *starlark.Thread, args starlark.Tuple) (starlark.Value, error) {
	return args[0], chargeKey(thread, args[0])
}

// copied charges for a copy of what is passed on.
func copied(thread *starlark.Thread, args starlark.Tuple) (starlark.Value, error) {
	return args[0], Spend(thread, entrySteps*size(args[0]))
}

// entrySteps is what an entry of a dict costs, and dictSteps what an empty dict does.
const (
	entrySteps = 6
	dictSteps  = 40
)

// made charges for a dict that was just made.
func made(thread *starlark.Thread, args starlark.Tuple) (starlark.Value, error) {
	return args[0], Spend(thread, dictSteps+entrySteps*size(args[0]))
}

// stored does "x[key] op= y".
func stored(thread *starlark.Thread, args starlark.Tuple) (starlark.Value, error) {
	x, k, y := args[0], args[1], args[3]
	op := operators[string(args[2].(starlark.String))]
	old, set, err := element(x, k)
	if err != nil {
		return nil, err
	}
	z, err := augment(thread, op, old, y)
	if err != nil {
		return nil, err
	}
	return starlark.None, set(z)
}

// element returns an element of a dict or list, and how to replace it.
func element(x, k starlark.Value) (old starlark.Value, set func(starlark.Value) error, err error) {
	switch x := x.(type) {
	case *starlark.Dict:
		old, found, err := x.Get(k)
		if err == nil && !found {
			err = fmt.Errorf("key %v not in dict", k)
		}
		return old, func(v starlark.Value) error { return x.SetKey(k, v) }, err
	case *starlark.List:
		i, err := starlark.AsInt32(k)
		if err != nil {
			return nil, nil, fmt.Errorf("got %s, want int", k.Type())
		}
		if i < 0 {
			i += x.Len()
		}
		if i < 0 || i >= x.Len() {
			return nil, nil, fmt.Errorf("list index %v out of range", k)
		}
		return x.Index(i), func(v starlark.Value) error { return x.SetIndex(i, v) }, nil
	}
	return nil, nil, fmt.Errorf("%s value does not support item assignment", x.Type())
}
