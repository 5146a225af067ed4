package handlers

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/values"
)

// List is a list of Ts. It belongs to a run or to a job. Tasks append items to it. Each item is
// stored as JSON. Declare it with [NewList].
type List[T any] struct{ *declared }

// Map is a map from strings to Ts. It belongs to a run or to a job. Tasks set and remove its
// fields. Each field is stored as JSON. Declare it with [NewMap].
type Map[T any] struct{ *declared }

// ValueOptions configure a declared list or map.
type ValueOptions struct {
	// OfJob means that the value belongs to the job, so the next run continues it. Only the size of
	// one attempt's writes is bounded: without a Cap the value grows until it is deleted. Defaults to
	// a value of the run, which is deleted with the run's summary.
	OfJob bool
	// Cap of a list is the largest number of its items. When the list is full, more items are dropped.
	// Defaults to no limit.
	Cap int64
}

// declared is a value that a set declared.
type declared struct {
	set, name string
	typ       store.ValueType
	ofJob     bool
	cap       int64
}

// Name returns the name of the value, for package values.
func (d *declared) Name() string { return d.name }

// Scope returns the run, or the job of the run, that the value belongs to. With it and the name,
// package values finds the value.
func (d *declared) Scope(run store.RunID) store.ValueScope {
	if d.ofJob {
		return store.JobScope(run.Job)
	}
	return store.RunScope(run)
}

// runOfValues is a run that has a client of its values: a syncjob.Run, or the [*Run] of a hook.
type runOfValues interface {
	ID() store.RunID
	Values() *values.Client
}

// NewList declares a list of the set. Tasks of the set append to it with [List.Append]. Nil options
// mean all defaults.
//
// The store appends the items of an attempt in the same step as its success, its children and its
// counters. So the list is exact, even if tasks are retried, workers are killed or replies are
// lost. Everybody can read it with [List.Of], during the run and after it.
//
// [NewRegistry] checks the name by the rules of [store.ValidateName], and that no other list or map
// of the set has the same name.
func NewList[T any](s *Set, name string, opts *ValueOptions) List[T] {
	return List[T]{s.declare(name, store.ValueList, opts)}
}

// NewMap declares a map of the set. Tasks of the set change it with [Map.Set] and [Map.Remove]. If
// several tasks set the same field, the one that succeeds last wins. Everything else is as for
// [NewList].
func NewMap[T any](s *Set, name string, opts *ValueOptions) Map[T] {
	return Map[T]{s.declare(name, store.ValueMap, opts)}
}

// Of returns the list of a run, or of its job. Any code can use it to read the list, and to write
// to it at once. run is a *syncjob.Run or the [*Run] of a hook. It makes no call.
func (l List[T]) Of(run runOfValues) *values.List[T] {
	return values.NewList[T](run.Values(), l.Scope(run.ID()), l.name)
}

// Of returns the map of a run, or of its job, as [List.Of] does.
func (m Map[T]) Of(run runOfValues) *values.Map[T] {
	return values.NewMap[T](run.Values(), m.Scope(run.ID()), m.name)
}

func (s *Set) declare(name string, typ store.ValueType, opts *ValueOptions) *declared {
	d := &declared{set: s.name, name: name, typ: typ}
	if opts != nil {
		d.ofJob, d.cap = opts.OfJob, opts.Cap
	}
	s.values = append(s.values, d)
	return d
}

// validateValues reports every list and map that is not valid.
func (s *Set) validateValues(prefix string) (problems []error) {
	known := make(map[string]declared)
	for _, d := range s.values {
		field := fmt.Sprintf("%sValues[%.80q]", prefix, d.name)
		problems = append(problems, store.ValidateName(field, d.name))
		if d.cap < 0 {
			problems = append(problems, &store.FieldError{Field: field + ".Cap", Reason: "is negative"})
		}
		if d.cap > 0 && d.typ != store.ValueList {
			problems = append(problems, &store.FieldError{Field: field + ".Cap", Reason: "is set for a map"})
		}
		if other, twice := known[d.name]; twice && other != *d {
			problems = append(problems, &store.FieldError{Field: field, Reason: "is declared in two ways"})
		}
		known[d.name] = *d
	}
	if len(known) > bounds.MaxValues {
		problems = append(
			problems,
			&store.FieldError{Field: prefix + "Values", Reason: fmt.Sprintf("are more than %d", bounds.MaxValues)},
		)
	}
	return problems
}

// Append adds items to the list when the attempt succeeds, in the same step. It does so also while
// the run is stopping. t is the [*Task] of the handler, or the [*Attempt]. If the attempt does not
// succeed, nothing is added. Append makes no call of the store.
//
// It returns a [*store.FieldError] if the set did not declare the list, if an item cannot be
// encoded, or if the attempt would write too much: more than [bounds.MaxData] items and fields in
// all, or more than [bounds.MaxOutcomeWriteLen] bytes. It returns [ErrAttemptEnded] if the handler
// has returned. After an error this call adds nothing, and the attempt can go on. When the attempt
// succeeds, the task fails for good if the name has a value of another type, or if the run or job
// already has [bounds.MaxValues] values.
func (l List[T]) Append(t attempting, items ...T) error {
	data := make([]store.Datum, len(items))
	for i, item := range items {
		b, err := json.Marshal(item)
		if err != nil {
			return cannotStore(fmt.Sprintf("Items[%d]", i), err)
		}
		data[i].Bytes = b
	}
	return l.write(t, store.WriteAppend, data)
}

// Set sets a field of the map when the attempt succeeds. All else is as for [List.Append].
func (m Map[T]) Set(t attempting, field string, value T) error {
	b, err := json.Marshal(value)
	if err != nil {
		return cannotStore(argument(field), err)
	}
	return m.change(t, store.WriteSet, store.Datum{Field: field, Bytes: b})
}

// Remove removes a field of the map when the attempt succeeds. All else is as for [List.Append].
func (m Map[T]) Remove(t attempting, field string) error {
	return m.change(t, store.WriteRemove, store.Datum{Field: field})
}

// change writes one field of the map. Errors name it as package values does.
func (m Map[T]) change(t attempting, op store.WriteOp, d store.Datum) error {
	return store.RenameFields(m.write(t, op, []store.Datum{d}), func(field string) string {
		if field == "Data[0]" {
			return argument(d.Field)
		}
		return field
	})
}

// argument names a field of a map in errors, as far as it can be read.
func argument(field string) string { return fmt.Sprintf("Fields[%.80q]", field) }

func (d *declared) write(t attempting, op store.WriteOp, data []store.Datum) error {
	a := t.attempt()
	return a.gather().writes.add(a, d, op, data)
}

func cannotStore(field string, err error) error {
	return &store.FieldError{Field: field, Reason: fmt.Sprintf("cannot be stored: %v", err)}
}

// writes collects what one attempt writes to lists and maps.
type writes struct {
	mu    sync.Mutex
	all   []store.Write
	data  int
	bytes int
	ended bool
}

// add collects a write. If the last one does the same to the same value, it is extended.
func (w *writes) add(a *Attempt, d *declared, op store.WriteOp, data []store.Datum) error {
	if !slices.Contains(a.set.values, d) { // nor is nil declared
		name := ""
		if d != nil {
			name = d.name
		}
		return &store.FieldError{
			Field:  fmt.Sprintf("Values[%.80q]", name),
			Reason: fmt.Sprintf("is not declared by the set %q", a.set.name),
		}
	}
	if len(data) == 0 {
		return nil
	}
	next := store.Write{Scope: d.Scope(a.Run.ID()), Name: d.name, Type: d.typ, Op: op, Data: data, Cap: d.cap}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return ErrAttemptEnded
	}
	if w.data+len(data) > bounds.MaxData || w.bytes+next.Len() > bounds.MaxOutcomeWriteLen {
		return &store.FieldError{
			Field: fmt.Sprintf("Values[%.80q]", d.name),
			Reason: fmt.Sprintf(
				"makes the attempt write more than %d items and fields, or %d bytes", bounds.MaxData,
				bounds.MaxOutcomeWriteLen,
			),
		}
	}
	if err := next.Validate(); err != nil {
		return err
	}
	w.data += len(data)
	w.bytes += next.Len()
	if n := len(w.all); n > 0 && w.all[n-1].Scope == next.Scope && w.all[n-1].Name == next.Name && w.all[n-1].Op == op {
		w.all[n-1].Data = append(w.all[n-1].Data, data...)
		return nil
	}
	w.all = append(w.all, next)
	return nil
}

// end refuses later writes, and returns those before.
func (w *writes) end() []store.Write {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	return w.all
}
