package handlers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/rollcall-go/rollcall/store"
)

// List is a list of a run, or of its job, that tasks append to: a handle made by [Set.List].
type List struct{ *declared }

// Map is a map of a run, or of its job, whose fields tasks set and remove: a handle made by [Set.Map].
type Map struct{ *declared }

// ListOptions alter a list.
type ListOptions struct {
	// OfJob makes it a list that the job keeps from one run to the next. Only what one attempt writes is bounded, so without a Cap
	// it grows with every run until it is deleted. Defaults to one of the run, which goes with its summary.
	OfJob bool
	// Cap is how many items the list keeps: the first ones. Later ones are dropped. Defaults to all.
	Cap int64
}

// MapOptions alter a map.
type MapOptions struct {
	// OfJob makes it a map that the job keeps from one run to the next. Only what one attempt writes is bounded, so it grows
	// until its fields are removed. Defaults to one of the run, which goes with its summary.
	OfJob bool
}

// declared is a value that a set declared.
type declared struct {
	set, name string
	typ       store.ValueType
	ofJob     bool
	cap       int64
}

// Name is under which handles of package store read the value.
func (d *declared) Name() string { return d.name }

// Scope is what the value belongs to, for a run; with the name it is all that handles of package store need to read it.
func (d *declared) Scope(run store.RunID) store.ValueScope {
	if d.ofJob {
		return store.JobScope(run.Job)
	}
	return store.RunScope(run)
}

// List declares a list of the set, to which its tasks append with [Attempt.Append]. Nil options mean all defaults.
//
// What an attempt appends is committed with its success, in the same step as its children and counters, so the list is
// exact though tasks are retried, workers are killed and replies are lost. Hooks and others read it with a
// [values.List] of its Name and Scope, while the run goes on and after its end.
//
// [NewRegistry] checks the name, by the rules of [store.ValidateName], and that no other list or map of the set has it.
func (s *Set) List(name string, opts *ListOptions) List {
	var o ListOptions
	if opts != nil {
		o = *opts
	}
	return List{s.declare(&declared{s.name, name, store.ValueList, o.OfJob, o.Cap})}
}

// Map declares a map of the set, whose fields its tasks set with [Attempt.Put] and remove with [Attempt.Remove]. All else is as
// for [Set.List]. Of tasks that set the same field the one that succeeds last wins.
func (s *Set) Map(name string, opts *MapOptions) Map {
	var o MapOptions
	if opts != nil {
		o = *opts
	}
	return Map{s.declare(&declared{s.name, name, store.ValueMap, o.OfJob, 0})}
}

func (s *Set) declare(d *declared) *declared {
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
		if other, twice := known[d.name]; twice && other != *d {
			problems = append(problems, &store.FieldError{Field: field, Reason: "is declared otherwise, too"})
		}
		known[d.name] = *d
	}
	if len(known) > store.MaxValues {
		problems = append(problems, &store.FieldError{Field: prefix + "Values", Reason: fmt.Sprintf("are more than %d", store.MaxValues)})
	}
	return problems
}

// Append adds items, each as JSON, to a list when this attempt succeeds, in the same step; also while the run is
// stopping. An attempt that ends otherwise adds nothing. It costs no I/O.
//
// A [*store.FieldError] says that the set did not declare the list, that an item cannot be encoded, or that the attempt would
// write more than [store.MaxData] items and fields, or [store.MaxOutcomeWriteLen] bytes, in all; [ErrAttemptEnded] that the handler
// has returned. Then nothing of this call is added, and the attempt is none the worse. Should the name hold
// a value of another type by then, or the run or job have [store.MaxValues], the task fails for good.
func (a *Attempt) Append(l List, items ...any) error {
	data := make([]store.Datum, len(items))
	for i, item := range items {
		b, err := json.Marshal(item)
		if err != nil {
			return cannotStore(fmt.Sprintf("Items[%d]", i), err)
		}
		data[i].Bytes = b
	}
	return a.gather().writes.add(a, l.declared, store.WriteAppend, data)
}

// Put sets a field of a map, to a value as JSON, when this attempt succeeds. All else is as for [Attempt.Append].
func (a *Attempt) Put(m Map, field string, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return cannotStore(field, err)
	}
	return a.gather().writes.add(a, m.declared, store.WriteSet, []store.Datum{{Field: field, Bytes: b}})
}

// Remove removes a field of a map when this attempt succeeds. All else is as for [Attempt.Append].
func (a *Attempt) Remove(m Map, field string) error {
	return a.gather().writes.add(a, m.declared, store.WriteRemove, []store.Datum{{Field: field}})
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
		return &store.FieldError{Field: fmt.Sprintf("Values[%q]", name), Reason: fmt.Sprintf("is not declared by the set %q", a.set.name)}
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
	if w.data+len(data) > store.MaxData || w.bytes+next.Len() > store.MaxOutcomeWriteLen {
		return &store.FieldError{
			Field:  fmt.Sprintf("Values[%q]", d.name),
			Reason: fmt.Sprintf("makes the attempt write more than %d items and fields, or %d bytes", store.MaxData, store.MaxOutcomeWriteLen),
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
