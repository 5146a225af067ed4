package storetest

import (
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/values"
)

// wrongTypes makes a value of each type and tries every reference to it.
func wrongTypes(s *scene) {
	h := s.client()
	type access struct{ write, read func() error }
	for name, scope := range s.scopes() {
		of := func(name string) map[store.ValueType]access {
			c, f := values.NewCounter(h, scope, name), values.NewFloat(h, scope, name)
			t, v := values.NewTime(h, scope, name), values.NewValue[int](h, scope, name)
			l, m := values.NewList[int](h, scope, name), values.NewMap[int](h, scope, name)
			return map[store.ValueType]access{
				store.ValueCounter: {
					func() error { return c.Set(s.ctx, 1) },
					func() error { _, err := c.Get(s.ctx); return err },
				},
				store.ValueFloat: {
					func() error { _, err := f.Add(s.ctx, 1); return err },
					func() error { _, err := f.Get(s.ctx); return err },
				},
				store.ValueTime: {
					func() error { return t.Set(s.ctx, time.Unix(1, 0)) },
					func() error { _, err := t.Get(s.ctx); return err },
				},
				store.ValueJSON: {
					func() error { return v.Set(s.ctx, 1) },
					func() error { _, _, err := v.Get(s.ctx); return err },
				},
				store.ValueList: {
					func() error { return l.Append(s.ctx, 1) },
					func() error { _, err := l.Len(s.ctx); return err },
				},
				store.ValueMap: {
					func() error { return m.Set(s.ctx, "f", 1) },
					func() error { _, err := m.Len(s.ctx); return err },
				},
			}
		}
		for have := range of("") {
			if scope.InRecord(have) {
				continue // its name is not that of another value
			}
			all := of("of-" + string(have))
			s.NoError(all[have].write(), "%s %s", name, have)
			for want, try := range all {
				for _, err := range []error{try.write(), try.read()} {
					if want == have || scope.InRecord(want) {
						s.NoError(err)
						continue
					}
					s.ErrorIs(err, store.ErrWrongType)
					var typ *store.TypeError
					s.ErrorAs(err, &typ)
					s.Equal(store.TypeError{Scope: scope, Name: "of-" + string(have), Want: want, Have: have}, *typ)
				}
			}
			if have != store.ValueList {
				s.ErrorIs(values.NewList[int](h, scope, "of-"+string(have)).Delete(s.ctx), store.ErrWrongType)
			}
		}
	}
}

// needsOwner names runs and jobs that are not there, or are not those of the values.
func needsOwner(s *scene) {
	r := s.start(store.StartParams{Job: "import"})
	h := s.client()
	unknown := r.id
	unknown.Number++
	stranger := store.RunID{Job: s.jobBeside("import"), Number: r.id.Number}
	_, err := values.NewCounter(h, store.JobScope("other"), "c").Add(s.ctx, 1)
	s.ErrorIs(err, store.ErrJobNotFound)
	s.NoError(values.NewCounter(h, store.RunScope(r.id), "c").Set(s.ctx, 1))
	s.NoError(values.NewList[int](h, store.RunScope(r.id), "l").Append(s.ctx, 1))
	for _, id := range []store.RunID{unknown, stranger} {
		l := values.NewList[int](h, store.RunScope(id), "l")
		s.ErrorIs(l.Append(s.ctx, 1), store.ErrRunNotFound)
		length, err := l.Len(s.ctx)
		s.NoError(err)
		s.Zero(length)
		s.ErrorIs(values.NewCounter(h, store.RunScope(id), "c").Set(s.ctx, 1), store.ErrRunNotFound)
		n, err := values.NewCounter(h, store.RunScope(id), "c").Get(s.ctx)
		s.NoError(err)
		s.Zero(n)
	}
}

// writer sends batches of writes of one value, under numbers.
type writer struct {
	*producer
	scope store.ValueScope
	name  string
	last  store.WriteParams
}

func (s *scene) writer(scope store.ValueScope, name string) *writer {
	return &writer{
		producer: s.producer(store.PartitionOfValue(scope, name, s.store.Partitions())),
		scope:    scope,
		name:     name,
	}
}

// try sends the next batch.
func (w *writer) try(writes ...store.Write) (store.WriteReply, error) {
	w.number++
	w.last = store.WriteParams{Partition: w.partition, Stream: w.stream, Number: w.number}
	for _, write := range writes {
		if write.Scope == (store.ValueScope{}) {
			write.Scope = w.scope
		}
		if write.Name == "" {
			write.Name = w.name
		}
		w.last.Writes = append(w.last.Writes, write)
	}
	return w.s.store.WriteValues(w.s.ctx, w.last)
}

// one sends one write that must be accepted.
func (w *writer) one(write store.Write) {
	w.s.tb.Helper()
	reply, err := w.try(write)
	w.s.NoError(err)
	w.s.Len(reply.Results, 1)
	w.s.NoError(reply.Results[0].Err)
}

func refusedWrites(s *scene) {
	r := s.start(store.StartParams{Job: "import"})
	w := s.writer(store.RunScope(r.id), "v")
	set := store.Write{Type: store.ValueJSON, Op: store.WriteSet, Data: []store.Datum{{Bytes: []byte("1")}}}
	for field, alter := range map[string]func(w *store.Write){
		"Writes[1].Scope.Job":    func(w *store.Write) { w.Scope = store.JobScope("") },
		"Writes[1].Scope.Run":    func(w *store.Write) { w.Scope = store.RunScope(store.RunID{Job: "import"}) },
		"Writes[1].Scope.Expiry": func(w *store.Write) { w.Scope = store.NamespaceScope(-1) },
		"Writes[1].Scope.Of":     func(w *store.Write) { w.Scope.Job = "import" },
		"Writes[1].Name":         func(w *store.Write) { w.Name = "a/b" },
		"Writes[1].Type":         func(w *store.Write) { w.Type = "set" },
		"Writes[1].Op":           func(w *store.Write) { w.Op = store.WriteAppend },
		"Writes[1].Cap":          func(w *store.Write) { w.Cap = -1 },
		"Writes[1].Data":         func(w *store.Write) { w.Data = nil },
		"Writes[1].Data[0]":      func(w *store.Write) { w.Data = []store.Datum{{Bytes: make([]byte, bounds.MaxValueLen+1)}} },
	} {
		bad := set
		alter(&bad)
		_, err := w.try(set, bad)
		s.refuses(err, field)
	}
	for _, bad := range []store.Write{
		{Type: store.ValueMap, Op: store.WriteRemove, Data: []store.Datum{{Field: strings.Repeat("f", bounds.MaxFieldLen+1)}}},
		{Type: store.ValueMap, Op: store.WriteSet, Data: make([]store.Datum, bounds.MaxData+1)},
		{Type: store.ValueList, Op: store.WriteAppend, Data: slices.Repeat([]store.Datum{{Bytes: make([]byte, bounds.MaxValueLen)}}, 5)},
		{Type: store.ValueCounter, Op: store.WriteAdd, Data: []store.Datum{{Bytes: []byte("1.5")}}},
		{Type: store.ValueFloat, Op: store.WriteSet, Data: []store.Datum{{Bytes: []byte("NaN")}}},
	} {
		_, err := w.try(set, bad)
		s.ErrorIs(err, store.ErrInvalid)
	}
	_, err := w.try(slices.Repeat([]store.Write{set}, bounds.MaxBatch+1)...)
	s.ErrorIs(err, store.ErrInvalid)
	got, err := s.store.ReadValue(s.ctx, store.ReadParams{Scope: w.scope, Name: "v", Type: store.ValueJSON})
	s.NoError(err)
	s.Empty(got.Data)
	_, err = s.store.ReadValue(s.ctx, store.ReadParams{Name: "v", Type: store.ValueJSON})
	s.ErrorIs(err, store.ErrInvalid)
	h := s.client()
	s.ErrorIs(values.NewFloat(h, w.scope, "f").Set(s.ctx, math.Inf(1)), store.ErrInvalid)
	s.ErrorIs(
		values.NewTime(h, w.scope, "t").Set(s.ctx, time.Date(20_000, 1, 1, 0, 0, 0, 0, time.UTC)), store.ErrInvalid,
	)
	s.ErrorIs(values.NewValue[func()](h, w.scope, "v").Set(s.ctx, func() {}), store.ErrInvalid)
	_, err = values.NewCounter(h, w.scope, "no name").Get(s.ctx)
	s.ErrorIs(err, store.ErrInvalid)
}

func repeatedWrites(s *scene) {
	r := s.start(store.StartParams{Job: "import"})
	scope := store.RunScope(r.id)
	w := s.writer(scope, "")
	data := func(b string) []store.Datum { return []store.Datum{{Bytes: []byte(b)}} }
	batch := []store.Write{
		{Name: "c", Type: store.ValueCounter, Op: store.WriteAdd, Data: data("9007199254740993")},
		{Name: "c", Type: store.ValueCounter, Op: store.WriteAdd, Data: data("-1")},
		{Name: "f", Type: store.ValueFloat, Op: store.WriteAdd, Data: data("0.1")},
		{Name: "l", Type: store.ValueList, Op: store.WriteAppend, Data: data("x")},
		{Name: "v", Type: store.ValueJSON, Op: store.WriteSwap, Data: data("1")},
		{Name: "v", Type: store.ValueJSON, Op: store.WriteSwap, Data: data("2")},
		{Name: "l", Type: store.ValueMap, Op: store.WriteRemove, Data: []store.Datum{{Field: "x"}}},
		{
			Name:  "c",
			Scope: store.RunScope(store.RunID{Job: "import", Number: r.id.Number + 1}),
			Type:  store.ValueCounter,
			Op:    store.WriteDelete,
		},
	}
	first, err := w.try(batch...)
	s.NoError(err)
	results := first.Results
	s.Equal("9007199254740993", results[0].Sum)
	s.Equal("9007199254740992", results[1].Sum)
	s.True(results[4].Swapped)
	s.False(results[5].Swapped)
	s.ErrorIs(results[6].Err, store.ErrWrongType)
	s.ErrorIs(results[7].Err, store.ErrRunNotFound)
	for range 3 {
		again, err := s.store.WriteValues(s.ctx, w.last)
		s.NoError(err)
		s.Equal(first, again)
	}
	_, err = w.try(batch[0], batch[2], batch[3])
	s.NoError(err)
	stale := w.last
	stale.Number--
	_, err = s.store.WriteValues(s.ctx, stale)
	s.ErrorIs(err, store.ErrStale)
	stranger := w.last
	stranger.Stream = "stranger"
	_, err = s.store.WriteValues(s.ctx, stranger)
	s.ErrorIs(err, store.ErrResultUnknown)
	h := s.client()
	n, err := values.NewCounter(h, scope, "c").Get(s.ctx)
	s.NoError(err)
	s.Equal(int64(9007199254740992+9007199254740993), n)
	f, err := values.NewFloat(h, scope, "f").Get(s.ctx)
	s.NoError(err)
	s.Equal(0.1+0.1, f) //nolint:testifylint // to the last bit
	n, err = values.NewList[int](h, scope, "l").Len(s.ctx)
	s.NoError(err)
	s.EqualValues(2, n)
	s.NoError(errors.Join(s.enqueues(w.producer, r)), "the stream is one of a producer, too")
}

// enqueues adds a task under the next number of the stream.
func (s *scene) enqueues(p *producer, r *run) error {
	_, err := p.try(store.EnqueueParams{Entries: []store.Entry{{Run: r.id, Item: task(file, "t")}}})
	return err
}
