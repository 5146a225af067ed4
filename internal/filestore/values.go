package filestore

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

// values finds those of a scope among which one of the type is.
func (s *state) values(scope store.ValueScope, typ store.ValueType) (values, error) {
	switch scope.Of {
	case store.ScopeRun:
		r, err := s.run(store.RunID{Job: scope.Job, Number: scope.Run})
		switch {
		case err != nil:
			return nil, err
		case scope.InRecord(typ):
			return r.Numbers, nil
		}
		return r.Values, nil
	case store.ScopeJob:
		if j := s.Jobs[scope.Job]; j != nil {
			return j.Values, nil
		}
		return nil, store.ErrJobNotFound
	}
	return s.Values, nil
}

// find returns a value that has not expired; nil if there is none.
func (vs values) find(name string, now time.Time) *value {
	if v := vs[name]; v != nil && (v.Expires.IsZero() || now.Before(v.Expires)) {
		return v
	}
	return nil
}

// WriteValues applies the writes of a batch.
func (b *backend) WriteValues(ctx context.Context, p store.WriteParams) (store.WriteReply, error) {
	return change(ctx, b, p, func(s *state, p store.WriteParams) (reply store.WriteReply, err error) {
		stream, repeat, err := s.producer(p.Stream, p.Number)
		switch {
		case err != nil:
			return reply, err
		case repeat:
			return stream.Reply.Written, nil
		}
		reply.Results = make([]store.WriteResult, len(p.Writes))
		for i := range p.Writes {
			reply.Results[i] = s.write(&p.Writes[i])
		}
		stream.Last, stream.Reply = p.Number, lastReply{Written: reply}
		return reply, nil
	})
}

// write applies one write.
func (s *state) write(w *store.Write) (result store.WriteResult) {
	in, err := s.values(w.Scope, w.Type)
	if err == nil {
		err = in.refuses(w, nil, s.now)
	}
	if err != nil {
		return store.WriteResult{Err: err}
	}
	v := in.find(w.Name, s.now)
	switch {
	case w.Op == store.WriteDelete:
		delete(in, w.Name)
		return result
	case v == nil && w.Op == store.WriteRemove:
		return result
	case v == nil:
		v = &value{Type: w.Type}
	}
	if !v.apply(w, &result) {
		return result
	}
	if w.Scope.Expiry > 0 {
		v.Expires = s.now.Add(w.Scope.Expiry)
	}
	in[w.Name] = v
	if v.Type == store.ValueMap && len(v.Fields) == 0 || v.Type == store.ValueList && len(v.Items) == 0 {
		delete(in, w.Name)
	}
	return result
}

// refuses says why a write cannot be applied after those before it; nil if it can.
func (vs values) refuses(w *store.Write, before []store.Write, now time.Time) error {
	v := vs.find(w.Name, now)
	if v != nil && v.Type != w.Type {
		return &store.TypeError{Scope: w.Scope, Name: w.Name, Want: w.Type, Have: v.Type}
	}
	if v != nil || !w.Grows() || w.Scope.Of == store.ScopeNamespace {
		return nil
	}
	fresh := map[string]bool{}
	for _, b := range before {
		if b.Scope == w.Scope && b.Grows() && vs[b.Name] == nil {
			fresh[b.Name] = true
		}
	}
	if !fresh[w.Name] && len(vs)+len(fresh) >= bounds.MaxValues {
		return store.ErrTooManyValues
	}
	return nil
}

// apply applies a write to a value, and reports whether it could.
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
			if w.Cap == 0 || int64(len(v.Items)) < w.Cap {
				v.Items = append(v.Items, append([]byte{}, d.Bytes...))
			}
		}
	case store.WriteRemove:
		for _, d := range w.Data {
			if i, ok := v.field(d.Field); ok {
				v.Fields = slices.Delete(v.Fields, i, i+1)
			}
		}
	}
	return true
}

// field is where a field is, or would be.
func (v *value) field(name string) (int, bool) {
	return slices.BinarySearchFunc(v.Fields, name, func(f field, name string) int {
		return bytes.Compare(f.Name, []byte(name))
	})
}

func (v *value) get(name string) ([]byte, bool) {
	if v.Type != store.ValueMap {
		return v.Data, v.Data != nil
	}
	if i, ok := v.field(name); ok {
		return v.Fields[i].Bytes, true
	}
	return nil, false
}

func (v *value) set(d store.Datum) {
	b := append([]byte{}, d.Bytes...) // not nil, which is nothing
	if v.Type != store.ValueMap {
		v.Data = b
		return
	}
	i, ok := v.field(d.Field)
	if !ok {
		v.Fields = slices.Insert(v.Fields, i, field{Name: []byte(d.Field)})
	}
	v.Fields[i].Bytes = b
}

// add adds a number to a counter or a float, and returns the sum as text.
func (v *value) add(number string) (string, error) {
	if v.Type == store.ValueFloat {
		have, _ := strconv.ParseFloat(string(v.Data), 64)
		more, _ := strconv.ParseFloat(number, 64)
		if have += more; math.IsInf(have, 0) {
			return "", store.ErrOutOfRange
		}
		v.Data = strconv.AppendFloat(nil, have, 'g', -1, 64)
		return string(v.Data), nil
	}
	have, _ := strconv.ParseInt(string(v.Data), 10, 64)
	more, _ := strconv.ParseInt(number, 10, 64)
	sum, ok := sumOf(have, more)
	if !ok {
		return "", store.ErrOutOfRange
	}
	v.Data = strconv.AppendInt(nil, sum, 10)
	return string(v.Data), nil
}

// sumOf adds two numbers, unless the sum is no int64.
func sumOf(a, b int64) (sum int64, ok bool) {
	sum = a + b
	return sum, (sum > a) == (b > 0)
}

// ReadValue reads a value, or a part of it.
func (b *backend) ReadValue(ctx context.Context, p store.ReadParams) (store.ReadReply, error) {
	return read(ctx, b, p, func(s *state, p store.ReadParams) (reply store.ReadReply, err error) {
		in, _ := s.values(p.Scope, p.Type)
		v := in.find(p.Name, s.now)
		switch {
		case v == nil:
			return reply, nil
		case v.Type != p.Type:
			return reply, &store.TypeError{Scope: p.Scope, Name: p.Name, Want: p.Type, Have: v.Type}
		case v.Type == store.ValueList:
			return v.list(p), nil
		case v.Type == store.ValueMap && len(p.Fields) > 0:
			return v.some(p.Fields), nil
		case v.Type == store.ValueMap:
			return v.page(p), nil
		}
		return store.ReadReply{Data: []store.Datum{{Bytes: v.Data}}}, nil
	})
}

// take adds a datum to a reply, unless that has about [bounds.PageBytes] already.
func take(reply *store.ReadReply, d store.Datum) bool {
	size := 0
	for _, d := range append(reply.Data, d) {
		size += len(d.Field) + len(d.Bytes)
	}
	if size > bounds.PageBytes && len(reply.Data) > 0 {
		return false
	}
	reply.Data = append(reply.Data, d)
	return true
}

// list reads a page of a list.
func (v *value) list(p store.ReadParams) store.ReadReply {
	reply := store.ReadReply{Len: int64(len(v.Items))}
	for i := p.Offset; i < reply.Len && len(reply.Data) < p.Limit; i++ {
		if !take(&reply, store.Datum{Bytes: v.Items[i]}) {
			break
		}
	}
	return reply
}

// some reads the fields of a map that are asked for.
func (v *value) some(names []string) store.ReadReply {
	reply := store.ReadReply{Len: int64(len(v.Fields))}
	for _, name := range names {
		if b, ok := v.get(name); ok && !take(&reply, store.Datum{Field: name, Bytes: b}) {
			break
		}
		reply.Looked++
	}
	return reply
}

// page reads a page of a map. The cursor is a dot and the last name: a name may be empty.
func (v *value) page(p store.ReadParams) store.ReadReply {
	reply := store.ReadReply{Len: int64(len(v.Fields))}
	for _, f := range v.Fields {
		switch {
		case p.Limit == 0 || p.Cursor != "" && "."+string(f.Name) <= p.Cursor:
		case len(reply.Data) == p.Limit || !take(&reply, store.Datum{Field: string(f.Name), Bytes: f.Bytes}):
			reply.Cursor = "." + reply.Data[len(reply.Data)-1].Field
			return reply
		}
	}
	return reply
}
