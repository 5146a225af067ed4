package storetest_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"

	"github.com/rollcall-go/rollcall/store"
)

// addsAgain applies a repeated batch of writes under a stream of its own.
type addsAgain struct {
	store.Store
	seen sync.Map
	aside
}

func (s *addsAgain) WriteValues(ctx context.Context, p store.WriteParams) (store.WriteReply, error) {
	if _, repeated := s.seen.LoadOrStore(p.Stream+strconv.FormatInt(p.Number, 10), true); repeated {
		other := p
		other.Stream, other.Number = "again-"+strconv.FormatInt(s.streams.Add(1), 10), 1
		_ = s.OpenProducer(ctx, p.Partition, other.Stream)
		_, _ = s.Store.WriteValues(ctx, other)
	}
	return s.Store.WriteValues(ctx, p)
}

// keepsValues makes values of runs, or only their counters, values of the namespace.
type keepsValues struct {
	store.Store
	counters bool
}

func (s *keepsValues) outside(scope store.ValueScope, name string, typ store.ValueType) (store.ValueScope, string) {
	if scope.Of == store.ScopeRun && (!s.counters || scope.InRecord(typ)) {
		return store.NamespaceScope(0), "run" + strconv.FormatInt(scope.Run, 10) + name
	}
	return scope, name
}

func (s *keepsValues) WriteValues(ctx context.Context, p store.WriteParams) (store.WriteReply, error) {
	p.Writes = slices.Clone(p.Writes)
	for i := range p.Writes {
		w := &p.Writes[i]
		w.Scope, w.Name = s.outside(w.Scope, w.Name, w.Type)
	}
	return s.Store.WriteValues(ctx, p)
}

func (s *keepsValues) ReadValue(ctx context.Context, p store.ReadParams) (store.ReadReply, error) {
	p.Scope, p.Name = s.outside(p.Scope, p.Name, p.Type)
	return s.Store.ReadValue(ctx, p)
}

// hidesTypes answers a write to a value of another type as if it had been applied.
type hidesTypes struct{ store.Store }

func (s *hidesTypes) WriteValues(ctx context.Context, p store.WriteParams) (store.WriteReply, error) {
	reply, err := s.Store.WriteValues(ctx, p)
	for i := range reply.Results {
		if errors.Is(reply.Results[i].Err, store.ErrWrongType) {
			reply.Results[i].Err = nil
		}
	}
	return reply, err
}

// writesAnyhow writes what an outcome brings, whatever its verdict.
type writesAnyhow struct {
	store.Store
	aside
}

func (s *writesAnyhow) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	w := store.WriteParams{Partition: p.Session.Partition, Stream: "aside-" + strconv.FormatInt(s.streams.Add(1), 10), Number: 1}
	p.Outcomes = slices.Clone(p.Outcomes)
	for i := range p.Outcomes {
		w.Writes = append(w.Writes, p.Outcomes[i].Writes...)
		p.Outcomes[i].Writes = nil
	}
	_ = s.OpenProducer(ctx, w.Partition, w.Stream)
	_, _ = s.WriteValues(ctx, w)
	return s.Store.Settle(ctx, p)
}
