package memstore

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// values holds the values of one run, one job or the namespace, by name.
type values map[string]*value

// value is one value. Which field it uses depends on its type.
type value struct {
	typ     store.ValueType
	data    []byte
	items   [][]byte
	fields  map[string][]byte
	expires time.Time // zero means never
}

// WriteValues applies the writes of a batch of a stream in order, in one step.
func (s *backend) WriteValues(ctx context.Context, p store.WriteParams) (store.WriteReply, error) {
	part, err := s.at(ctx, p.Partition)
	if err != nil {
		return store.WriteReply{}, err
	}
	defer part.unlock()

	now := part.now()
	pr := part.producer(p.Stream, now)
	switch {
	case pr == nil:
		return store.WriteReply{}, store.ErrResultUnknown
	case p.Number == pr.last:
		return store.WriteReply{Results: slices.Clone(pr.written)}, nil
	case p.Number < pr.last:
		return store.WriteReply{}, store.ErrStale
	}
	results := make([]store.WriteResult, len(p.Writes))
	for i := range p.Writes {
		results[i] = part.write(&p.Writes[i], now)
	}
	*pr = producer{last: p.Number, written: slices.Clone(results), used: now}
	return store.WriteReply{Results: results}, nil
}

// write applies one write.
func (p *partition) write(w *store.Write, now time.Time) store.WriteResult {
	if w.Scope.InRecord(w.Type) {
		r, err := p.run(store.RunID{Job: w.Scope.Job, Number: w.Scope.Run})
		if err != nil {
			return store.WriteResult{Err: err}
		}
		return r.writeCounter(w)
	}
	in, err := p.valuesOf(w.Scope)
	if err != nil {
		return store.WriteResult{Err: err}
	}
	if err := in.refuses(w, 0, now); err != nil {
		return store.WriteResult{Err: err}
	}
	return in.apply(w, now)
}

// writeCounter applies a write to a counter of the run.
func (r *run) writeCounter(w *store.Write) (result store.WriteResult) {
	if w.Op == store.WriteDelete {
		if delete(r.rec.Counters, w.Name); len(r.rec.Counters) == 0 {
			r.rec.Counters = nil
		}
		return result
	}
	have, ok := r.rec.Counters[w.Name]
	if !ok && len(r.rec.Counters) >= bounds.MaxValues {
		return store.WriteResult{Err: store.ErrTooManyValues}
	}
	n, _ := strconv.ParseInt(string(w.Data[0].Bytes), 10, 64)
	if w.Op == store.WriteAdd {
		if n, ok = sumOf(have, n); !ok {
			return store.WriteResult{Err: store.ErrOutOfRange}
		}
		result.Sum = strconv.FormatInt(n, 10)
	}
	r.setCounter(w.Name, n)
	return result
}

// valuesOf finds the values of a scope.
func (p *partition) valuesOf(scope store.ValueScope) (values, error) {
	switch scope.Of {
	case store.ScopeRun:
		r, err := p.run(store.RunID{Job: scope.Job, Number: scope.Run})
		if err != nil {
			return nil, err
		}
		return made(&r.values), nil
	case store.ScopeJob:
		j := p.jobs[scope.Job]
		if j == nil {
			return nil, store.ErrJobNotFound
		}
		return made(&j.values), nil
	}
	return made(&p.values), nil
}

func made(v *values) values {
	if *v == nil {
		*v = values{}
	}
	return *v
}

// find returns a value that has not expired.
func (vs values) find(name string, now time.Time) *value {
	v := vs[name]
	if v != nil && !v.expires.IsZero() && !now.Before(v.expires) {
		delete(vs, name)
		return nil
	}
	return v
}

// refuses says why a write cannot be applied. fresh is how many new values the writes before it
// make.
func (vs values) refuses(w *store.Write, fresh int, now time.Time) error {
	v := vs.find(w.Name, now)
	switch {
	case v != nil && v.typ != w.Type:
		return &store.TypeError{Scope: w.Scope, Name: w.Name, Want: w.Type, Have: v.typ}
	case v == nil && w.Grows() && w.Scope.Of != store.ScopeNamespace && len(vs)+fresh >= bounds.MaxValues:
		return store.ErrTooManyValues
	}
	return nil
}

// apply applies a write that refuses has accepted.
func (vs values) apply(w *store.Write, now time.Time) (result store.WriteResult) {
	v := vs[w.Name]
	switch {
	case w.Op == store.WriteDelete:
		delete(vs, w.Name)
		return result
	case v == nil && w.Op == store.WriteRemove:
		return result
	case v == nil:
		v = &value{typ: w.Type}
	}
	if !v.apply(w, &result) {
		return result
	}
	if w.Scope.Expiry > 0 {
		v.expires = now.Add(w.Scope.Expiry)
	}
	if v.empty() {
		delete(vs, w.Name)
	} else {
		vs[w.Name] = v
	}
	return result
}

// apply applies a write to one value. It reports whether the value now is as the write wants it.
func (v *value) apply(w *store.Write, result *store.WriteResult) bool {
	switch w.Op {
	case store.WriteSet:
		for _, d := range w.Data {
			v.set(d)
		}
	case store.WriteAdd:
		result.Sum, result.Err = v.add(string(w.Data[0].Bytes))
		return result.Err == nil
	case store.WriteSwap:
		have, ok := v.get(w.Data[0].Field)
		if ok != (w.Expect != nil) || !bytes.Equal(have, w.Expect) {
			return false
		}
		v.set(w.Data[0])
		result.Swapped = true
	case store.WriteAppend:
		for _, d := range w.Data {
			if w.Cap == 0 || int64(len(v.items)) < w.Cap {
				v.items = append(v.items, append([]byte{}, d.Bytes...))
			}
		}
	case store.WriteRemove:
		for _, d := range w.Data {
			delete(v.fields, d.Field)
		}
	}
	return true
}

// empty reports whether a map or list is empty. Then it is removed.
func (v *value) empty() bool {
	return v.typ == store.ValueMap && len(v.fields) == 0 || v.typ == store.ValueList && len(v.items) == 0
}

func (v *value) get(field string) ([]byte, bool) {
	if v.typ == store.ValueMap {
		b, ok := v.fields[field]
		return b, ok
	}
	return v.data, v.data != nil
}

func (v *value) set(d store.Datum) {
	b := append([]byte{}, d.Bytes...)
	if v.typ != store.ValueMap {
		v.data = b
		return
	}
	if v.fields == nil {
		v.fields = make(map[string][]byte)
	}
	v.fields[d.Field] = b
}

// add adds a number to a counter or a float. Both are known to be numbers, because writes are
// checked.
func (v *value) add(number string) (string, error) {
	if v.typ == store.ValueFloat {
		have, _ := strconv.ParseFloat(string(v.data), 64)
		more, _ := strconv.ParseFloat(number, 64)
		if have += more; math.IsInf(have, 0) {
			return "", store.ErrOutOfRange
		}
		v.data = strconv.AppendFloat(nil, have, 'g', -1, 64)
		return string(v.data), nil
	}
	have, _ := strconv.ParseInt(string(v.data), 10, 64)
	more, _ := strconv.ParseInt(number, 10, 64)
	sum, ok := sumOf(have, more)
	if !ok {
		return "", store.ErrOutOfRange
	}
	v.data = strconv.AppendInt(nil, sum, 10)
	return string(v.data), nil
}

// sumOf adds two numbers. It returns false if the sum is not an int64.
func sumOf(a, b int64) (sum int64, ok bool) {
	if b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b {
		return 0, false
	}
	return a + b, true
}

// ReadValue reads one value, or a part of it, in one step.
func (s *backend) ReadValue(ctx context.Context, p store.ReadParams) (store.ReadReply, error) {
	part, err := s.at(ctx, store.PartitionOfValue(p.Scope, p.Name, len(s.partitions)))
	if err != nil {
		return store.ReadReply{}, err
	}
	defer part.unlock()
	if p.Scope.InRecord(p.Type) {
		r, err := part.run(store.RunID{Job: p.Scope.Job, Number: p.Scope.Run})
		if err != nil {
			return store.ReadReply{}, nil // a missing value is empty
		}
		return r.readCounter(p.Name), nil
	}
	in, err := part.valuesOf(p.Scope)
	if err != nil {
		return store.ReadReply{}, nil
	}
	v := in.find(p.Name, part.now())
	switch {
	case v == nil:
		return store.ReadReply{}, nil
	case v.typ != p.Type:
		return store.ReadReply{}, &store.TypeError{Scope: p.Scope, Name: p.Name, Want: p.Type, Have: v.typ}
	case v.typ == store.ValueList:
		return v.list(p), nil
	case v.typ == store.ValueMap:
		return v.page(p), nil
	}
	return store.ReadReply{Data: []store.Datum{{Bytes: bytes.Clone(v.data)}}}, nil
}

// readCounter reads a counter of the run.
func (r *run) readCounter(name string) (reply store.ReadReply) {
	if n, ok := r.rec.Counters[name]; ok {
		reply.Data = []store.Datum{{Bytes: strconv.AppendInt(nil, n, 10)}}
	}
	return reply
}

// list reads a page of a list.
func (v *value) list(p store.ReadParams) store.ReadReply {
	reply := store.ReadReply{Len: int64(len(v.items))}
	page := newPage()
	for i := p.Offset; i < reply.Len && len(reply.Data) < p.Limit && page.fits(len(v.items[i])); i++ {
		reply.Data = append(reply.Data, store.Datum{Bytes: bytes.Clone(v.items[i])})
	}
	return reply
}

// page reads fields of a map: the named ones or, with a limit, the next ones in the order of their
// names.
func (v *value) page(p store.ReadParams) store.ReadReply {
	reply := store.ReadReply{Len: int64(len(v.fields))}
	names := p.Fields
	if len(names) == 0 && p.Limit > 0 {
		for name := range v.fields {
			if p.Cursor == "" || "."+name > p.Cursor {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		if len(names) > p.Limit {
			names = names[:p.Limit]
			reply.Cursor = "." + names[p.Limit-1] // a name may be empty, but a cursor may not
		}
	}
	page := newPage()
	for i, name := range names {
		b, ok := v.fields[name]
		if ok && !page.fits(len(name)+len(b)) {
			if len(p.Fields) == 0 {
				reply.Cursor = "." + names[i-1]
			}
			break
		}
		if ok {
			reply.Data = append(reply.Data, store.Datum{Field: name, Bytes: bytes.Clone(b)})
		}
		if len(p.Fields) > 0 {
			reply.Looked = i + 1
		}
	}
	return reply
}

// forgetValues removes expired values of the namespace.
func (p *partition) forgetValues(now time.Time) {
	for name := range p.values {
		p.values.find(name, now)
	}
}
