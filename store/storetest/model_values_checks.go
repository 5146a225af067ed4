package storetest

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

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
