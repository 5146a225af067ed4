package values

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/rollcall-go/rollcall/internal/plain"
	"github.com/rollcall-go/rollcall/store"
)

// Value is a reference to a T. It is stored as JSON. It may be used concurrently.
type Value[T any] struct{ ref }

// NewValue returns a reference to the value with this name, as [NewCounter] does.
func NewValue[T any](c *Client, scope store.ValueScope, name string) *Value[T] {
	return &Value[T]{ref{c, scope, name, store.ValueJSON}}
}

// Get reads the value. ok is false if there is none. Errors: [store.ErrCorrupt] if the stored data
// are not a T; [store.ErrWrongType].
func (v *Value[T]) Get(ctx context.Context) (value T, ok bool, err error) {
	b, ok, err := v.one(ctx)
	if err != nil || !ok {
		return value, false, err
	}
	if value, err = decode[T](b); err != nil {
		return value, false, v.corrupt("", err)
	}
	return value, true, nil
}

// Set writes the value. Errors: [store.ErrRunNotFound], [store.ErrJobNotFound],
// [store.ErrTooManyValues], [store.ErrWrongType], and a [*store.FieldError] if it cannot be encoded
// or is too large.
func (v *Value[T]) Set(ctx context.Context, value T) error {
	b, err := encode("Value", value)
	if err != nil {
		return err
	}
	return v.set(ctx, b)
}

// CompareAndSet writes the value if the stored one equals old; nil means that there must be none.
// It does so exactly once, and reports whether it wrote. To compare, the stored JSON is decoded
// into a T and encoded again: the values are equal if the results are the same. The errors are
// those of Set and Get.
func (v *Value[T]) CompareAndSet(ctx context.Context, old *T, value T) (swapped bool, err error) {
	return compareAndSet(ctx, &v.ref, "", old, value, v.one)
}

// Delete removes the value. If there is none, nothing changes.
func (v *Value[T]) Delete(ctx context.Context) error { return v.drop(ctx) }

// compareAndSet sets a value, or a field of a map; read reads it. Usually the stored bytes are the
// encoding of old. Another version of T may have encoded the same value differently. Then the
// decoded values are compared, and the stored bytes are swapped.
func compareAndSet[T any](ctx context.Context, h *ref, field string, old *T, value T,
	read func(context.Context) ([]byte, bool, error),
) (bool, error) {
	b, err := encode("Value", value)
	var expected []byte
	if err == nil && old != nil {
		expected, err = encode("Old", *old)
	}
	for expect := expected; err == nil; {
		var result store.WriteResult
		result, err = h.write(
			ctx, store.Write{Op: store.WriteSwap, Data: []store.Datum{{Field: field, Bytes: b}}, Expect: expect},
		)
		if err != nil || result.Swapped || old == nil {
			return result.Swapped, err
		}
		stored, ok, err := read(ctx)
		if err != nil || !ok || bytes.Equal(stored, expect) || bytes.Equal(stored, expected) {
			return false, err
		}
		have, err := decode[T](stored)
		if err != nil {
			return false, h.corrupt(field, err)
		}
		if same, err := encode("Old", have); err != nil || !bytes.Equal(same, expected) {
			return false, err
		}
		expect = stored
	}
	return false, err
}

func encode[T any](field string, value T) ([]byte, error) {
	b, err := json.Marshal(value)
	if err != nil {
		return nil, &store.FieldError{Field: field, Reason: fmt.Sprintf("cannot be stored: %v", err)}
	}
	return b, nil
}

func decode[T any](b []byte) (value T, err error) {
	err = plain.Unmarshal(b, &value)
	return value, err
}
