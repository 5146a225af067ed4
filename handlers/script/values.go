package script

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"go.starlark.net/starlark"
)

// toScript converts a value of Go. Types that it does not know travel as their JSON does.
func toScript(v any) (starlark.Value, error) {
	switch v := v.(type) {
	case nil:
		return starlark.None, nil
	case bool:
		return starlark.Bool(v), nil
	case string:
		return starlark.String(v), nil
	case int:
		return starlark.MakeInt(v), nil
	case int64:
		return starlark.MakeInt64(v), nil
	case float64:
		return starlark.Float(v), nil
	case json.Number:
		return number(v)
	case json.RawMessage:
		return fromJSON(v)
	case []string:
		return listOf(v)
	case []any:
		return listOf(v)
	case map[string]string:
		return dictOf(v)
	case map[string]int64:
		return dictOf(v)
	case map[string]any:
		return dictOf(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot be encoded: %w", err)
	}
	return fromJSON(b)
}

func listOf[T any](all []T) (starlark.Value, error) {
	elems := make([]starlark.Value, len(all))
	for i, v := range all {
		var err error
		if elems[i], err = toScript(v); err != nil {
			return nil, err
		}
	}
	return starlark.NewList(elems), nil
}

// dictOf keeps the keys in order, so that a script does the same each time.
func dictOf[T any](all map[string]T) (starlark.Value, error) {
	d := starlark.NewDict(len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		v, err := toScript(all[key])
		if err != nil {
			return nil, err
		}
		if err := d.SetKey(starlark.String(key), v); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// maxDigits is the length of a number in JSON.
const maxDigits = 1000

var errDigits = errors.New("has a number with too many digits")

func number(n json.Number) (starlark.Value, error) {
	if len(n) > maxDigits {
		return nil, errDigits
	}
	if i, ok := new(big.Int).SetString(string(n), 10); ok {
		return starlark.MakeBigInt(i), nil
	}
	f, err := n.Float64()
	if err != nil {
		return nil, errDigits
	}
	return starlark.Float(f), nil
}

// fromJSON decodes JSON; nothing is None.
func fromJSON(b []byte) (starlark.Value, error) {
	if len(b) == 0 {
		return starlark.None, nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("cannot be decoded: %w", err)
	}
	return toScript(v)
}

// toGo converts a value of a script that was checked for its size: numbers to int64, or json.Number
// if they are too large, dicts to maps, whose keys must be strings.
func toGo(v starlark.Value) (any, error) {
	switch v := v.(type) {
	case starlark.NoneType:
		return nil, nil
	case starlark.Bool:
		return bool(v), nil
	case starlark.String:
		return string(v), nil
	case starlark.Float:
		return float64(v), nil
	case starlark.Int:
		if n, ok := v.Int64(); ok {
			return n, nil
		}
		return json.Number(v.String()), nil
	case *starlark.Dict:
		all := make(map[string]any, v.Len())
		for key, e := range v.Entries() {
			name, ok := starlark.AsString(key)
			if !ok {
				return nil, fmt.Errorf("a key is %s, not a string", shown(key))
			}
			var err error
			if all[name], err = toGo(e); err != nil {
				return nil, err
			}
		}
		return all, nil
	case starlark.Indexable: // lists, tuples, ranges
		all := make([]any, v.Len())
		for i := range all {
			var err error
			if all[i], err = toGo(v.Index(i)); err != nil {
				return nil, err
			}
		}
		return all, nil
	}
	return nil, fmt.Errorf("a value is a %s, which cannot be encoded", v.Type())
}
