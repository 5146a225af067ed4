package sandbox

import (
	"errors"

	"go.starlark.net/starlark"
)

const (
	maxBits  = 4096 // of a number
	tooBig   = "a number has more than 4096 bits"
	maxDepth = 50 // of values in values
	textStep = 16 // bytes of text that cost a step
)

var (
	errTooBig = errors.New(tooBig)
	errDepth  = errors.New("a value is nested too deep")
)

// weight is what it costs to read a value whole: a step for each value in it, and for each 16 bytes
// of text. What is in it twice counts twice. Beyond limit it ends with [ErrSteps].
type weight struct {
	steps, limit uint64
	err          error
}

// Charge charges a thread for reading values whole, as often as times says. Values that are nested
// too deep, or in themselves, are refused.
func Charge(thread *starlark.Thread, times uint64, values ...starlark.Value) error {
	w := weight{limit: left(thread)/max(1, times) + 1}
	for _, v := range values {
		w.add(v, 0)
	}
	if w.err != nil {
		return w.err
	}
	return Spend(thread, product(w.steps, int64(times)))
}

func (w *weight) add(v starlark.Value, depth int) {
	if w.err != nil || w.steps > w.limit {
		return
	}
	if depth > maxDepth {
		w.err = errDepth
		return
	}
	w.steps++
	switch v := v.(type) {
	case starlark.String:
		w.steps += text(len(v))
	case starlark.Int:
		w.err = checkInt(v)
	case starlark.Tuple:
		for _, e := range v {
			w.add(e, depth+1)
		}
	case *starlark.List:
		for i := range v.Len() {
			w.add(v.Index(i), depth+1)
		}
	case *starlark.Dict:
		for key, e := range v.Entries() {
			w.add(key, depth+1)
			w.add(e, depth+1)
			if w.err != nil || w.steps > w.limit {
				return
			}
		}
	case starlark.Sequence: // such as a range
		w.steps += uint64(v.Len())
	}
}

// text is what so many bytes of text cost.
func text(bytes int) uint64 { return uint64(bytes) / textStep }

// size is what it costs to copy a value, without what is in its elements.
func size(v starlark.Value) uint64 {
	if s, ok := v.(starlark.String); ok {
		return text(len(s))
	}
	return uint64(max(0, starlark.Len(v)))
}

func checkInt(n starlark.Int) error {
	if _, small := n.Int64(); small {
		return nil
	}
	if n.BigInt().BitLen() > maxBits {
		return errTooBig
	}
	return nil
}

// Check refuses a result that costs more than the limit to read whole, as Charge does.
func Check(v starlark.Value, limit uint64) error {
	w := weight{limit: limit}
	if w.add(v, 0); w.err == nil && w.steps > limit {
		w.err = ErrSteps
	}
	return w.err
}
