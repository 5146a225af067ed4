package values

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// Map is a reference to a map from strings to Ts. Each field is stored as JSON. In Redis the map is
// one hash, not a key for each field. It may be used concurrently. The name of a field is any text,
// or any bytes, up to [bounds.MaxFieldLen].
type Map[T any] struct{ ref }

// NewMap returns a reference to the map with this name, as [NewCounter] does.
func NewMap[T any](c *Client, scope store.ValueScope, name string) *Map[T] {
	return &Map[T]{ref{c, scope, name, store.ValueMap}}
}

// Get reads one field. ok is false if there is no such field. Errors: [store.ErrCorrupt] names a
// field that is not a T; [store.ErrWrongType].
func (m *Map[T]) Get(ctx context.Context, field string) (value T, ok bool, err error) {
	got, err := m.GetAll(ctx, field)
	if err != nil {
		return value, false, err
	}
	value, ok = got[field]
	return value, ok, nil
}

// GetAll reads several fields, at most [bounds.MaxData]. Up to about 1 MiB are read in one step;
// more data need several. Fields that do not exist are left out. The errors are those of Get.
func (m *Map[T]) GetAll(ctx context.Context, fields ...string) (map[string]T, error) {
	out := make(map[string]T, len(fields))
	if len(fields) == 0 {
		return out, nil
	}
	for len(fields) > 0 {
		reply, err := m.read(ctx, store.ReadParams{Fields: fields})
		if err != nil {
			return nil, err
		}
		for _, d := range reply.Data {
			if out[d.Field], err = m.decode(d); err != nil {
				return nil, err
			}
		}
		if reply.Looked == 0 {
			break // there is no such map
		}
		fields = fields[reply.Looked:]
	}
	return out, nil
}

// Set writes one field. The errors are those of [Value.Set].
func (m *Map[T]) Set(ctx context.Context, field string, value T) error {
	return m.SetAll(ctx, map[string]T{field: value})
}

// SetAll writes several fields, at most [bounds.MaxData], in one step. The errors are those of
// [Value.Set].
func (m *Map[T]) SetAll(ctx context.Context, fields map[string]T) error {
	data := make([]store.Datum, 0, len(fields))
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		b, err := encode(fieldArgument(field), fields[field])
		if err != nil {
			return err
		}
		data = append(data, store.Datum{Field: field, Bytes: b})
	}
	if len(data) == 0 {
		return nil
	}
	_, err := m.write(ctx, store.Write{Op: store.WriteSet, Data: data})
	return err
}

// CompareAndSet writes a field, as [Value.CompareAndSet] writes a value.
func (m *Map[T]) CompareAndSet(ctx context.Context, field string, old *T, value T) (swapped bool, err error) {
	return compareAndSet(ctx, &m.ref, field, old, value, func(ctx context.Context) ([]byte, bool, error) {
		reply, err := m.read(ctx, store.ReadParams{Fields: []string{field}})
		if err != nil || len(reply.Data) == 0 {
			return nil, false, err
		}
		return reply.Data[0].Bytes, true, nil
	})
}

// Remove removes fields, at most [bounds.MaxData], in one step. Fields that do not exist are
// ignored.
func (m *Map[T]) Remove(ctx context.Context, fields ...string) error {
	data := make([]store.Datum, len(fields))
	for i, field := range fields {
		data[i].Field = field
	}
	if len(data) == 0 {
		return nil
	}
	_, err := m.write(ctx, store.Write{Op: store.WriteRemove, Data: data})
	return err
}

// Range yields each field once, in no order. It reads them page by page: a field that is written or
// removed meanwhile may be included or not. It keeps the names of the fields that it has yielded in
// memory. An error ends the sequence: [store.ErrCorrupt] names a field that is not a T;
// [store.ErrWrongType].
func (m *Map[T]) Range(ctx context.Context) iter.Seq2[Field[T], error] {
	return func(yield func(Field[T], error) bool) {
		given := make(map[string]struct{})
		for cursor := ""; ; {
			page, err := m.read(ctx, store.ReadParams{Cursor: cursor, Limit: pageLen})
			if err != nil {
				yield(Field[T]{}, err)
				return
			}
			for _, d := range page.Data {
				if _, twice := given[d.Field]; twice {
					continue
				}
				given[d.Field] = struct{}{}
				value, err := m.decode(d)
				if !yield(Field[T]{d.Field, value}, err) || err != nil {
					return
				}
			}
			if cursor = page.Cursor; cursor == "" {
				return
			}
		}
	}
}

// Field is one field of a [Map].
type Field[T any] struct {
	Name  string
	Value T
}

// Len reads the number of fields.
func (m *Map[T]) Len(ctx context.Context) (int64, error) {
	reply, err := m.read(ctx, store.ReadParams{})
	return reply.Len, err
}

// Delete removes the map with all its fields. If there is none, nothing changes.
func (m *Map[T]) Delete(ctx context.Context) error { return m.drop(ctx) }

func (m *Map[T]) decode(d store.Datum) (value T, err error) {
	if value, err = decode[T](d.Bytes); err != nil {
		return value, m.corrupt(fmt.Sprintf("field %.80q", d.Field), err)
	}
	return value, nil
}
