package storetest

import (
	"bytes"
	"maps"
	"math"
	"strconv"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
)

// modelValues are those of a run, of a job or of the namespace, by name.
type modelValues map[string]*modelValue

// modelValue is one value. Which field it uses depends on its type.
type modelValue struct {
	typ    store.ValueType
	text   string
	items  []string
	fields map[string]string
	ends   time.Duration // 0 for never
}

// The names of values in each scope. Tasks write to the last two only, each of one type, so that no
// write of theirs is refused.
const (
	modelNames = 4
	logName    = modelNames - 2
	seenName   = modelNames - 1
)

// The counters of runs, to which tasks add, and references too.
var modelCounters = []string{"files", "bytes"}

var valueTypes = []store.ValueType{
	store.ValueCounter,
	store.ValueFloat,
	store.ValueList,
	store.ValueMap,
	store.ValueJSON,
	store.ValueTime,
}

// values finds the values of a scope, and the error of writing to one that is gone.
func (m *model) valuesOf(scope store.ValueScope) (modelValues, error) {
	switch scope.Of {
	case store.ScopeRun:
		if r := m.runs[store.RunID{Job: scope.Job, Number: scope.Run}]; r != nil {
			return r.values, nil
		}
		return nil, store.ErrRunNotFound
	case store.ScopeJob:
		if j := m.jobs[scope.Job]; j != nil {
			return j.values, nil
		}
		return nil, store.ErrJobNotFound
	}
	maps.DeleteFunc(m.values, func(_ string, v *modelValue) bool { return v.ends > 0 && v.ends <= m.now })
	return m.values, nil
}

// write applies a write and tells what the store must answer.
func (m *model) write(w store.Write) store.WriteResult {
	if w.Scope.InRecord(w.Type) {
		r := m.runs[store.RunID{Job: w.Scope.Job, Number: w.Scope.Run}]
		if r == nil {
			return store.WriteResult{Err: store.ErrRunNotFound}
		}
		return r.count(w)
	}
	in, err := m.valuesOf(w.Scope)
	if err != nil {
		return store.WriteResult{Err: err}
	}
	v, stored := in[w.Name]
	switch {
	case stored && v.typ != w.Type:
		return store.WriteResult{Err: store.ErrWrongType}
	case w.Op == store.WriteDelete:
		delete(in, w.Name)
		return store.WriteResult{}
	case !stored:
		v = &modelValue{typ: w.Type, fields: make(map[string]string)}
	}
	result, written := v.change(w, stored)
	if !written {
		return result
	}
	if w.Scope.Expiry > 0 {
		v.ends = m.now + w.Scope.Expiry
	}
	in[w.Name] = v
	if v.typ == store.ValueMap && len(v.fields) == 0 || v.typ == store.ValueList && len(v.items) == 0 {
		delete(in, w.Name)
	}
	return result
}

// change makes a write to a value, which may be stored or new, and reports whether it was made.
func (v *modelValue) change(w store.Write, stored bool) (result store.WriteResult, written bool) {
	switch w.Op {
	case store.WriteSet:
		for _, d := range w.Data {
			v.set(d)
		}
	case store.WriteAdd:
		result.Sum, result.Err = v.add(string(w.Data[0].Bytes))
		return result, result.Err == nil
	case store.WriteSwap:
		have := v.get(w.Data[0].Field, stored)
		if (have == nil) != (w.Expect == nil) || !bytes.Equal(have, w.Expect) {
			return result, false
		}
		v.set(w.Data[0])
		result.Swapped = true
	case store.WriteAppend:
		for _, d := range w.Data {
			if w.Cap == 0 || int64(len(v.items)) < w.Cap {
				v.items = append(v.items, string(d.Bytes))
			}
		}
	case store.WriteRemove:
		for _, d := range w.Data {
			delete(v.fields, d.Field)
		}
	}
	return result, true
}

func (v *modelValue) set(d store.Datum) {
	if v.typ == store.ValueMap {
		v.fields[d.Field] = string(d.Bytes)
	} else {
		v.text = string(d.Bytes)
	}
}

// get is what is there; nil for nothing.
func (v *modelValue) get(field string, stored bool) []byte {
	if v.typ == store.ValueMap {
		if text, ok := v.fields[field]; ok {
			return []byte(text)
		}
		return nil
	}
	if stored {
		return []byte(v.text)
	}
	return nil
}

// add adds to a number. Floats are chosen so that no sum is rounded.
func (v *modelValue) add(number string) (string, error) {
	if v.typ == store.ValueFloat {
		have, _ := strconv.ParseFloat(v.text, 64)
		more, _ := strconv.ParseFloat(number, 64)
		v.text = strconv.FormatFloat(have+more, 'g', -1, 64)
		return v.text, nil
	}
	have, _ := strconv.ParseInt(v.text, 10, 64)
	more, _ := strconv.ParseInt(number, 10, 64)
	if more > 0 && have > math.MaxInt64-more || more < 0 && have < math.MinInt64-more {
		return "", store.ErrOutOfRange
	}
	v.text = strconv.FormatInt(have+more, 10)
	return v.text, nil
}

// valueScope draws what a value belongs to: perhaps a run or job that is gone.
func (m *machine) valueScope(t *rapid.T) store.ValueScope {
	switch rapid.SampledFrom([]store.ScopeType{store.ScopeRun, store.ScopeJob, store.ScopeNamespace}).Draw(t, "scope") {
	case store.ScopeRun:
		ids := []store.RunID{{Job: m.jobs[0], Number: 1}} // gone, or never there
		for _, r := range m.m.ordered() {
			ids = append(ids, r.id)
		}
		return store.RunScope(ids[rapid.IntRange(0, len(ids)-1).Draw(t, "run")])
	case store.ScopeJob:
		return store.JobScope(rapid.SampledFrom(m.jobs).Draw(t, "job"))
	}
	return store.NamespaceScope(
		rapid.SampledFrom([]time.Duration{0, m.soonOr(t, "expiry", never), never}).Draw(t, "expires"),
	)
}

// write draws one write. Most names have a type of their own.
func (m *machine) write(t *rapid.T) store.Write {
	i := rapid.IntRange(0, modelNames-1).Draw(t, "name")
	w := store.Write{Scope: m.valueScope(t), Name: m.names[i]}
	switch i {
	case logName:
		w.Type = store.ValueList
	case seenName:
		w.Type = store.ValueMap
	default:
		w.Type = rapid.SampledFrom(valueTypes).Draw(t, "kind")
		if v := m.stored(w.Scope, w.Name); v != nil && rapid.IntRange(0, 3).Draw(t, "another kind") > 0 {
			w.Type = v.typ
		}
	}
	if w.Scope.InRecord(w.Type) {
		w.Name = rapid.SampledFrom(modelCounters).Draw(t, "counter")
	}
	ops := []store.WriteOp{store.WriteDelete}
	switch w.Type {
	case store.ValueCounter, store.ValueFloat:
		ops = append(ops, store.WriteAdd, store.WriteAdd, store.WriteAdd, store.WriteSet)
	case store.ValueList:
		ops = append(ops, store.WriteAppend, store.WriteAppend, store.WriteAppend)
	case store.ValueMap:
		ops = append(ops, store.WriteSet, store.WriteSet, store.WriteSwap, store.WriteRemove)
	case store.ValueJSON:
		ops = append(ops, store.WriteSet, store.WriteSwap)
	default:
		ops = append(ops, store.WriteSet)
	}
	w.Op = rapid.SampledFrom(ops).Draw(t, "op")
	m.data(t, &w)
	return w
}

// data draws what is written.
func (m *machine) data(t *rapid.T, w *store.Write) {
	if w.Op == store.WriteDelete {
		return
	}
	n := 1
	if w.Op == store.WriteAppend || w.Op == store.WriteRemove || w.Op == store.WriteSet && w.Type == store.ValueMap {
		n = rapid.IntRange(1, 3).Draw(t, "data")
	}
	for range n {
		d := store.Datum{Bytes: []byte(rapid.SampledFrom(texts(w.Scope, w.Type)).Draw(t, "text"))}
		if w.Type == store.ValueMap {
			d.Field = rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "field")
		}
		if w.Op == store.WriteRemove {
			d.Bytes = nil
		}
		w.Data = append(w.Data, d)
	}
	switch w.Op {
	case store.WriteAppend:
		w.Cap = int64(rapid.SampledFrom([]int{0, 0, 2, 5}).Draw(t, "cap"))
	case store.WriteSwap:
		if v := m.stored(w.Scope, w.Name); v != nil && v.typ == w.Type && rapid.IntRange(0, 3).Draw(t, "as it is") > 0 {
			w.Expect = v.get(w.Data[0].Field, true)
		} else if rapid.Bool().Draw(t, "expected") {
			w.Expect = []byte("x")
		}
	}
}

// texts are what a value of the type may hold.
func texts(scope store.ValueScope, typ store.ValueType) []string {
	switch typ {
	case store.ValueCounter:
		all := []string{"1", "-7", "40000000000"}
		if !scope.InRecord(typ) { // what tasks add may be lost there
			all = append(all, "9000000000000000000", "-9000000000000000000") // miniredis takes sums just out of range
		}
		return all
	case store.ValueFloat:
		return []string{"0.5", "-0.25", "1024", "3e9"}
	case store.ValueTime:
		return []string{"2026-11-27T08:00:00Z", "1999-12-31T23:59:59.999999999Z"}
	}
	return []string{"x", "yy", "", "z\x00"}
}

// stored is the model's value, nil if there is none.
func (m *machine) stored(scope store.ValueScope, name string) *modelValue {
	in, _ := m.m.valuesOf(scope)
	return in[name]
}
