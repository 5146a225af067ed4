package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Values keeps small data of a job beside its tasks, from one run to the next.
// It goes with the job: when it is deleted, or with its last summary.
type Values interface {
	// ReadMap reads fields of a map of a job in one atomic step. Fields that are not
	// there are left out of the result; a map, or a job, that is not there has none.
	ReadMap(ctx context.Context, p MapParams, fields []string) (map[string][]byte, error)

	// WriteMap sets and deletes fields of a map of a job in one atomic step. It is
	// absolute: of two writers of a field the last one stands, and a repeat changes
	// nothing more unless somebody else wrote the field in between.
	// [ErrJobNotFound], [ErrOutOfMemory]; a [*FieldError] and nothing is written if the map's name is
	// not valid or one write is larger than the limits.
	WriteMap(ctx context.Context, p MapParams, set map[string][]byte, remove []string) error
}

// MapParams names a map of a job.
type MapParams struct {
	Job  string
	Name string // see [ValidateName]
}

// Limits on one call of WriteMap.
const (
	// MaxMapFields bounds the fields set and deleted by one call.
	MaxMapFields = 1000
	// MaxMapBytes bounds the names and values of one call, in bytes.
	MaxMapBytes = 4 << 20
)

// ValidateMapWrite reports what no Store accepts. Implementations of WriteMap call it first.
func ValidateMapWrite(p MapParams, set map[string][]byte, remove []string) error {
	if err := ValidateJobName(p.Job); err != nil {
		return err
	}
	if err := ValidateName("Name", p.Name); err != nil {
		return err
	}
	if len(set)+len(remove) > MaxMapFields {
		return &FieldError{Field: "Fields", Reason: fmt.Sprintf("are more than %d", MaxMapFields)}
	}
	size := 0
	for field, value := range set {
		size += len(field) + len(value)
	}
	if size > MaxMapBytes {
		return &FieldError{Field: "Fields", Reason: fmt.Sprintf("take more than %d bytes", MaxMapBytes)}
	}
	return nil
}

// Map is a typed handle on a map of a job: one hash, not a key per entry. Values are stored
// as JSON. A handle costs no I/O to make and may be used concurrently.
type Map[T any] struct {
	values Values
	params MapParams
}

// NewMap returns a handle on the map of that name. The name is checked at the first write.
func NewMap[T any](values Values, job, name string) *Map[T] {
	return &Map[T]{values: values, params: MapParams{Job: job, Name: name}}
}

// Get reads one field; ok says whether it is there. [ErrCorrupt] names a field whose value is not a T.
func (m *Map[T]) Get(ctx context.Context, field string) (value T, ok bool, err error) {
	got, err := m.GetAll(ctx, field)
	if err != nil {
		return value, false, err
	}
	value, ok = got[field]
	return value, ok, nil
}

// GetAll reads several fields in one round trip. Those that are not there are left
// out. [ErrCorrupt] names a field whose value is not a T.
func (m *Map[T]) GetAll(ctx context.Context, fields ...string) (map[string]T, error) {
	stored, err := m.values.ReadMap(ctx, m.params, fields)
	if err != nil {
		return nil, fmt.Errorf("read map %q of job %q: %w", m.params.Name, m.params.Job, err)
	}
	out := make(map[string]T, len(stored))
	for _, field := range slices.Sorted(maps.Keys(stored)) {
		var value T
		if err := json.Unmarshal(stored[field], &value); err != nil {
			return nil, fmt.Errorf("%w: field %q of map %q of job %q: %v", ErrCorrupt, field, m.params.Name, m.params.Job, err)
		}
		out[field] = value
	}
	return out, nil
}

// Set writes one field. Errors are those of [Values].
func (m *Map[T]) Set(ctx context.Context, field string, value T) error {
	return m.SetAll(ctx, map[string]T{field: value})
}

// SetAll writes several fields in one atomic step. Errors are those of [Values].
func (m *Map[T]) SetAll(ctx context.Context, fields map[string]T) error {
	set := make(map[string][]byte, len(fields))
	for field, value := range fields {
		b, err := json.Marshal(value)
		if err != nil {
			return &FieldError{Field: field, Reason: fmt.Sprintf("cannot be stored: %v", err)}
		}
		set[field] = b
	}
	return m.write(ctx, set, nil)
}

// Delete removes fields. Those that are not there change nothing.
func (m *Map[T]) Delete(ctx context.Context, fields ...string) error {
	return m.write(ctx, nil, fields)
}

func (m *Map[T]) write(ctx context.Context, set map[string][]byte, remove []string) error {
	if err := m.values.WriteMap(ctx, m.params, set, remove); err != nil {
		return fmt.Errorf("write map %q of job %q: %w", m.params.Name, m.params.Job, err)
	}
	return nil
}
