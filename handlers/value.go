package handlers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/values"
)

// List is a list of Ts, each stored as JSON, of a run or of its job, to which tasks append. Declare
// it with [NewList].
type List[T any] struct{ *declared }

// Map is a map of strings to Ts, each stored as JSON, of a run or of its job, whose fields tasks
// set and remove. Declare it with [NewMap].
type Map[T any] struct{ *declared }

// ValueOptions alter a declared list or map.
type ValueOptions struct {
	// OfJob has the job keep the value from one run to the next. Only what one attempt writes is
	// bounded, so without a Cap it grows with every run until it is deleted. Defaults to a value of
	// the run, which goes with its summary.
	OfJob bool
	// Cap of a list is how many items it keeps: the first ones. Later ones are dropped. Defaults to
	// all.
	Cap int64
}

// declared is a value that a set declared.
type declared struct {
	set, name string
	typ       store.ValueType
	ofJob     bool
	cap       int64
}

// Name is under which package values finds the value.
func (d *declared) Name() string { return d.name }

// Scope is what the value belongs to, for a run; with the name it is all that package values needs
// to find it.
func (d *declared) Scope(run store.RunID) store.ValueScope {
	if d.ofJob {
		return store.JobScope(run.Job)
	}
	return store.RunScope(run)
}

// runOfValues is a run that knows where its values are: a syncjob.Run, and the [*Run] of a hook.
type runOfValues interface {
	ID() store.RunID
	Values() *values.Client
}

// NewList declares a list of the set, to which its tasks append with [List.Append]. Nil options
// mean all defaults.
//
// What an attempt appends is committed with its success, in the same step as its children and
// counters, so the list is exact though tasks are retried, workers are killed and replies are lost.
// Hooks and others read it by [List.Of], while the run goes on and after its end.
//
// [NewRegistry] checks the name, by the rules of [store.ValidateName], and that no other list or
// map of the set has it.
func NewList[T any](s *Set, name string, opts *ValueOptions) List[T] {
	return List[T]{s.declare(name, store.ValueList, opts)}
}

// NewMap declares a map of the set, whose fields its tasks set with [Map.Set] and remove with
// [Map.Remove]. All else is as for [NewList]. Of tasks that set the same field the one that
// succeeds last wins.
func NewMap[T any](s *Set, name string, opts *ValueOptions) Map[T] {
	return Map[T]{s.declare(name, store.ValueMap, opts)}
}

// Of is the list as a run has it, to be read, and written at once, by anybody: run is a syncjob.Run
// or the [*Run] of a hook. It makes no call.
func (l List[T]) Of(run runOfValues) *values.List[T] {
	return values.NewList[T](run.Values(), l.Scope(run.ID()), l.name)
}

// Of is the map as a run has it. All else is as for [List.Of].
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

// describeValues tells of each list and map once, however often it was declared.
func (s *Set) describeValues() (all []ValueDescription) {
	for _, d := range s.values {
		all = append(all, ValueDescription{Name: d.name, Type: d.typ, OfJob: d.ofJob, Cap: d.cap})
	}
	slices.SortFunc(all, func(a, b ValueDescription) int { return strings.Compare(a.Name, b.Name) })
	return slices.Compact(all)
}

// validateValues reports every list and map that cannot be.
func (s *Set) validateValues(prefix string) (problems []error) {
	known := make(map[string]declared)
	for _, d := range s.values {
		field := fmt.Sprintf("%sValues[%q]", prefix, d.name)
		problems = append(problems, store.ValidateName(field, d.name))
		if d.cap < 0 {
			problems = append(problems, &store.FieldError{Field: field + ".Cap", Reason: "is negative"})
		}
		if d.cap > 0 && d.typ != store.ValueList {
			problems = append(problems, &store.FieldError{Field: field + ".Cap", Reason: "is set for a map"})
		}
		if other, twice := known[d.name]; twice && other != *d {
			problems = append(problems, &store.FieldError{Field: field, Reason: "is declared otherwise, too"})
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

// Append adds items to the list when an attempt succeeds, in the same step; also while the run is
// stopping. t is the [*Task] of the handler, or the [*Attempt]. An attempt that ends otherwise adds
// nothing. It costs no I/O.
//
// A [*store.FieldError] says that the set did not declare the list, that an item cannot be encoded,
// or that the attempt would write more than [bounds.MaxData] items and fields, or
// [bounds.MaxOutcomeWriteLen] bytes, in all; [ErrAttemptEnded] that the handler has returned. Then
// this call adds nothing, and the attempt can go on. If the name holds a value of another type when
// the task succeeds, or the run or job already has [bounds.MaxValues] values, the task fails for
// good.
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

// Set sets a field of the map when an attempt succeeds. All else is as for [List.Append].
func (m Map[T]) Set(t attempting, field string, value T) error {
	b, err := json.Marshal(value)
	if err != nil {
		return cannotStore(field, err)
	}
	return m.write(t, store.WriteSet, []store.Datum{{Field: field, Bytes: b}})
}

// Remove removes a field of the map when an attempt succeeds. All else is as for [List.Append].
func (m Map[T]) Remove(t attempting, field string) error {
	return m.write(t, store.WriteRemove, []store.Datum{{Field: field}})
}

func (d *declared) write(t attempting, op store.WriteOp, data []store.Datum) error {
	a := t.attempt()
	return a.gather().writes.add(a, d, op, data)
}

func cannotStore(field string, err error) error {
	return &store.FieldError{Field: field, Reason: fmt.Sprintf("cannot be stored: %v", err)}
}

// writes gathers what one attempt writes to lists and maps.
type writes struct {
	mu    sync.Mutex
	all   []store.Write
	data  int
	bytes int
	ended bool
}

// add gathers a write. It joins the one before if that does the same to the same value.
func (w *writes) add(a *Attempt, d *declared, op store.WriteOp, data []store.Datum) error {
	if d == nil || !slices.Contains(a.set.values, d) {
		name := ""
		if d != nil {
			name = d.name
		}
		return &store.FieldError{
			Field:  fmt.Sprintf("Values[%q]", name),
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
			Field: fmt.Sprintf("Values[%q]", d.name),
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

// end lets nothing more be added, and returns what was.
func (w *writes) end() []store.Write {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	return w.all
}

// ValueDescription tells what a declared list or map is.
type ValueDescription struct {
	Name  string          `json:"name"`
	Type  store.ValueType `json:"type"`             // [store.ValueList] or [store.ValueMap]
	OfJob bool            `json:"of_job,omitempty"` // the job keeps it from one run to the next
	Cap   int64           `json:"cap,omitempty"`    // of a list: see [ValueOptions]
}
