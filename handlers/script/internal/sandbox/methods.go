package sandbox

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"
)

// methods has the methods that scripts may call, by type.
var methods = map[string]map[string]price{
	"list": {
		"append": flat(3),
		"clear":  own(1),
		"extend": shallowArgs(2),
		"index":  deep(1, 1),
		"insert": own(1),
		"pop":    own(1),
		"remove": deep(1, 1),
	},
	"dict": {
		"clear":      own(1),
		"get":        keyed,
		"items":      own(6),
		"keys":       own(1),
		"pop":        keyed,
		"popitem":    own(1),
		"setdefault": keyed,
		"update":     deepArgs(entrySteps),
		"values":     own(1),
	},
	"string": {
		"capitalize":   texts(4),
		"count":        texts(2),
		"elems":        flat(1),
		"endswith":     deep(1, 1),
		"find":         texts(2),
		"format":       formatted,
		"index":        texts(2),
		"isalnum":      texts(1),
		"isalpha":      texts(1),
		"isdigit":      texts(1),
		"islower":      texts(1),
		"isspace":      texts(1),
		"istitle":      texts(1),
		"isupper":      texts(1),
		"join":         joined,
		"lower":        texts(4),
		"lstrip":       stripped,
		"partition":    texts(2),
		"removeprefix": texts(1),
		"removesuffix": texts(1),
		"replace":      replaced,
		"rfind":        texts(2),
		"rindex":       texts(2),
		"rpartition":   texts(2),
		"rsplit":       parted,
		"rstrip":       stripped,
		"split":        parted,
		"splitlines":   parted,
		"startswith":   deep(1, 1),
		"strip":        stripped,
		"title":        texts(4),
		"upper":        texts(4),
	},
}

func isMethod(name string) bool {
	for _, of := range methods {
		if of[name] != nil {
			return true
		}
	}
	return false
}

// attr returns x.name: a method with its price, or a field of a value of the host.
func attr(thread *starlark.Thread, args starlark.Tuple) (starlark.Value, error) {
	x, name := args[0], string(args[1].(starlark.String))
	if _, builtin := methods[x.Type()]; builtin {
		if err := Spend(thread, 4); err != nil {
			return nil, err
		}
		m, err := bound(x, name)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
	if x, ok := x.(starlark.HasAttrs); ok {
		if v, err := x.Attr(name); v != nil || err != nil {
			return v, err
		}
	}
	return nil, noAttr(x, name)
}

func noAttr(x starlark.Value, name string) error {
	return fmt.Errorf("%s has no field or method %s", x.Type(), name)
}

// bound returns a method of a builtin type, with its price.
func bound(x starlark.Value, name string) (*starlark.Builtin, error) {
	p := methods[x.Type()][name]
	if p == nil {
		return nil, noAttr(x, name)
	}
	m, err := x.(starlark.HasAttrs).Attr(name)
	if err != nil {
		return nil, err
	}
	return priced(m.(*starlark.Builtin), p), nil
}

// own is in proportion to the elements of the receiver.
func own(steps uint64) price {
	return func(thread *starlark.Thread, recv starlark.Value, _ starlark.Tuple, _ []starlark.Tuple) error {
		return Spend(thread, 1+steps*elements(recv))
	}
}

// shallowArgs is in proportion to the elements of the arguments.
func shallowArgs(steps uint64) price {
	p := shallow(steps)
	return func(thread *starlark.Thread, _ starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) error {
		return p(thread, nil, args, kwargs)
	}
}

// deepArgs is in proportion to everything that the arguments hold.
func deepArgs(times uint64) price {
	p := deep(times, 1)
	return func(thread *starlark.Thread, _ starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) error {
		return p(thread, nil, args, kwargs)
	}
}

// keyed is that of the key, which is the first argument.
func keyed(thread *starlark.Thread, _ starlark.Value, args starlark.Tuple, _ []starlark.Tuple) error {
	if len(args) == 0 {
		return nil
	}
	return chargeKey(thread, args[0])
}

// texts is in proportion to the length of the receiver and of arguments that are text.
func texts(times int) price {
	return func(thread *starlark.Thread, recv starlark.Value, args starlark.Tuple, _ []starlark.Tuple) error {
		sum := length(recv)
		for _, v := range args {
			sum += length(v)
		}
		return Spend(thread, 1+text(times*sum))
	}
}

func length(v starlark.Value) int {
	s, _ := v.(starlark.String)
	return len(s)
}

func argument(args starlark.Tuple, i int) string {
	if i >= len(args) {
		return ""
	}
	s, _ := args[i].(starlark.String)
	return string(s)
}

func formatted(thread *starlark.Thread, recv starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) error {
	return chargeFormat(thread, string(recv.(starlark.String)), "{", everything(nil, args, kwargs)...)
}

func joined(thread *starlark.Thread, recv starlark.Value, args starlark.Tuple, _ []starlark.Tuple) error {
	if err := Charge(thread, 1, args...); err != nil || len(args) == 0 {
		return err
	}
	return Spend(thread, 1+text(int(product(uint64(length(recv)), int64(elements(args[0]))))))
}

// parted pays for the parts of a text.
func parted(thread *starlark.Thread, recv starlark.Value, args starlark.Tuple, _ []starlark.Tuple) error {
	s := string(recv.(starlark.String))
	parts := 1
	if by := argument(args, 0); by != "" {
		parts += strings.Count(s, by)
	} else {
		for i := range len(s) {
			if s[i] <= ' ' || s[i] >= utf8.RuneSelf { // a space, or part of one
				parts++
			}
		}
	}
	return Spend(thread, 2*uint64(parts)+text(2*len(s)))
}

func replaced(thread *starlark.Thread, recv starlark.Value, args starlark.Tuple, _ []starlark.Tuple) error {
	s := string(recv.(starlark.String))
	if err := Spend(thread, 1+text(2*len(s))); err != nil {
		return err
	}
	times := strings.Count(s, argument(args, 0))
	return Spend(thread, text(int(product(uint64(len(argument(args, 1))), int64(times)))))
}

// stripped pays for each character and each character of the set.
func stripped(thread *starlark.Thread, recv starlark.Value, args starlark.Tuple, _ []starlark.Tuple) error {
	return Spend(thread, 1+text(int(product(uint64(length(recv)), int64(1+len(argument(args, 0)))))))
}
