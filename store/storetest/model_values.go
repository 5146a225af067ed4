package storetest

import (
	"bytes"
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
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

// WriteValues sends some writes in one batch, sometimes twice.
func (m *machine) WriteValues(t *rapid.T) {
	var writes []store.Write
	for range rapid.IntRange(1, 4).Draw(t, "writes") {
		writes = append(writes, m.write(t))
	}
	reply, err := m.writer.try(writes...)
	m.s.NoError(err)
	m.s.Len(reply.Results, len(writes))
	for i, w := range writes {
		want, got := m.m.write(w), reply.Results[i]
		m.s.ErrorIs(got.Err, want.Err, "%v of %q of %v", w.Op, w.Name, w.Scope)
		m.s.Equal(want.Swapped, got.Swapped)
		m.sameText(w.Type, want.Sum, got.Sum)
	}
	if rapid.Bool().Draw(t, "twice") {
		again, err := m.s.store.WriteValues(m.s.ctx, m.writer.last)
		m.s.NoError(err)
		m.s.Equal(reply, again, "a repeat")
	}
	for _, w := range writes {
		if w.Scope.InRecord(w.Type) {
			m.checkCounter(w.Scope, w.Name)
		} else {
			m.checkValue(w.Scope, w.Name)
		}
		m.checkListed(w.Scope)
	}
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

// checkCounter compares a counter of a run, which may be gone.
func (m *machine) checkCounter(scope store.ValueScope, name string) {
	var want []store.Datum
	if r := m.m.runs[store.RunID{Job: scope.Job, Number: scope.Run}]; r != nil {
		if n, ok := r.counters[name]; ok {
			want = []store.Datum{{Bytes: strconv.AppendInt(nil, n, 10)}}
		}
	}
	reply, err := m.s.store.ReadValue(m.s.ctx, store.ReadParams{Scope: scope, Name: name, Type: store.ValueCounter})
	m.s.NoError(err)
	m.s.Equal(want, reply.Data)
}

// checkValue compares one value.
func (m *machine) checkValue(scope store.ValueScope, name string) {
	s, v := m.s, m.stored(scope, name)
	p := store.ReadParams{Scope: scope, Name: name, Type: store.ValueFloat}
	if v != nil {
		p.Type = v.typ
	}
	if p.Type == store.ValueList || p.Type == store.ValueMap {
		p.Limit = bounds.MaxData
	}
	reply, err := s.store.ReadValue(s.ctx, p)
	s.NoError(err)
	if v == nil {
		s.Empty(reply.Data)
		s.Zero(reply.Len)
		return
	}
	switch v.typ {
	case store.ValueList:
		var items []string
		for _, d := range reply.Data {
			items = append(items, string(d.Bytes))
		}
		s.Equal(v.items, items)
		s.Equal(int64(len(items)), reply.Len)
	case store.ValueMap:
		fields := make(map[string]string)
		for _, d := range reply.Data {
			fields[d.Field] = string(d.Bytes)
		}
		s.Equal(v.fields, fields)
		s.Equal(int64(len(fields)), reply.Len)
	default:
		s.Len(reply.Data, 1)
		m.sameText(v.typ, v.text, string(reply.Data[0].Bytes))
	}
}

// sameText compares values. Floats may be written in many ways.
func (m *machine) sameText(typ store.ValueType, want, got string) {
	if typ != store.ValueFloat || want == "" {
		m.s.Equal(want, got)
		return
	}
	a, err := strconv.ParseFloat(want, 64)
	m.s.NoError(err)
	b, err := strconv.ParseFloat(got, 64)
	m.s.NoError(err)
	m.s.InDelta(a, b, 0)
}

// endValues compares all values that may be there.
func (m *machine) endValues() {
	scopes := []store.ValueScope{store.NamespaceScope(0)}
	for _, job := range m.jobs {
		scopes = append(scopes, store.JobScope(job))
	}
	for _, r := range m.m.ordered() {
		scopes = append(scopes, store.RunScope(r.id))
	}
	for _, scope := range scopes {
		for _, name := range slices.Sorted(slices.Values(m.names)) {
			m.checkValue(scope, name)
		}
		m.checkListed(scope)
	}
}

// listed are the values of a scope as they must be listed, and the error of listing one that is
// gone.
func (m *model) listed(scope store.ValueScope) (all []store.ValueRecord, err error) {
	in, err := m.valuesOf(scope)
	if err != nil {
		return nil, err
	}
	for name, v := range in {
		rec := store.ValueRecord{Name: name, Type: v.typ, Size: int64(len(v.text))}
		switch v.typ {
		case store.ValueList:
			rec.Size = int64(len(v.items))
		case store.ValueMap:
			rec.Size = int64(len(v.fields))
		}
		all = append(all, rec)
	}
	if scope.Of == store.ScopeRun {
		for name, n := range m.runs[store.RunID{Job: scope.Job, Number: scope.Run}].counters {
			size := len(strconv.FormatInt(n, 10))
			all = append(all, store.ValueRecord{Name: name, Type: store.ValueCounter, Size: int64(size)})
		}
	}
	slices.SortFunc(all, func(a, b store.ValueRecord) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
	})
	return all, nil
}

// checkListed compares the list of the values of a scope, page by page.
func (m *machine) checkListed(scope store.ValueScope) {
	s := m.s
	want, missing := m.m.listed(scope)
	var got []store.ValueRecord
	for after := ""; ; {
		page, err := s.store.ListValues(s.ctx, store.ValuesParams{Scope: scope, After: after, Limit: 3})
		if missing != nil {
			s.ErrorIs(err, missing)
			return
		}
		s.NoError(err)
		s.LessOrEqual(len(page.Values), 3)
		got = append(got, page.Values...)
		if after = page.Next; after == "" {
			break
		}
	}
	for i := range got {
		v := m.stored(scope, got[i].Name)
		ends := v != nil && v.typ == got[i].Type && v.ends > 0
		s.Equal(ends, !got[i].Expires.IsZero(), "%s expires", got[i].Name)
		got[i].Expires = time.Time{}
		if got[i].Type == store.ValueFloat && i < len(want) { // it may be written in many ways
			got[i].Size = want[i].Size
		}
	}
	s.Equal(want, got)
}
