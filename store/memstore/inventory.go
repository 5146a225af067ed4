package memstore

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// smallest keeps the smallest of the items that it is given, up to a number.
type smallest[T any] struct {
	most int
	kept heap[T] // its top is the largest of them
}

func newSmallest[T any](most int, compare func(a, b T) int) *smallest[T] {
	return &smallest[T]{most: most, kept: heap[T]{less: func(a, b T) bool { return compare(a, b) > 0 }}}
}

func (s *smallest[T]) add(item T) {
	switch {
	case s.kept.len() < s.most:
		s.kept.push(item)
	case s.kept.less(s.kept.top(), item):
		s.kept.pop()
		s.kept.push(item)
	}
}

// sorted returns what was kept, in order.
func (s *smallest[T]) sorted() []T {
	all := make([]T, s.kept.len())
	for i := range slices.Backward(all) {
		all[i] = s.kept.pop()
	}
	return all
}

// SemaphoreKeys lists the keys of semaphores that are in use.
func (s *backend) SemaphoreKeys(ctx context.Context, p store.KeysParams) ([]string, error) {
	part, err := s.at(ctx, p.Partition)
	if err != nil {
		return nil, err
	}
	defer part.unlock()
	now := part.now()
	page := newSmallest(p.Limit, cmp.Compare[string])
	for key, sem := range part.semaphores {
		if key > p.After && sem.inUse(now) {
			page.add(key)
		}
	}
	return page.sorted(), nil
}

// inUse reports whether the semaphore has a lease or a place in the line that has not expired.
func (s *semaphore) inUse(now time.Time) bool {
	for _, l := range s.leases {
		if now.Before(l.Expires) {
			return true
		}
	}
	return slices.ContainsFunc(s.line, func(w *waiter) bool { return now.Before(w.Expires) })
}

// Limit reads the account of a limit.
func (s *backend) Limit(ctx context.Context, name string) (store.LimitRecord, error) {
	part, err := s.of(ctx, name)
	if err != nil {
		return store.LimitRecord{}, err
	}
	defer part.unlock()
	now := part.now()
	rec := store.LimitRecord{Now: now}
	if l := part.limits[name]; l != nil {
		for _, h := range l.holders {
			rec.Holders = append(rec.Holders, h.record(now))
		}
	}
	rec.Tidy()
	return rec, nil
}

func (h *holder) record(now time.Time) store.LimitHolder {
	r := store.LimitHolder{Holder: h.name, Held: h.held, Want: h.want, Silent: !now.Before(h.ends)}
	if h.since > 0 {
		r.Since = time.UnixMicro(h.since)
	}
	if now.Before(h.void) {
		r.Tokens = h.tokens
	}
	return r
}

// ListValues lists values of a run, a job or the namespace.
func (s *backend) ListValues(ctx context.Context, p store.ValuesParams) (store.ValuesPage, error) {
	part, err := s.at(ctx, p.Partition)
	if err != nil {
		return store.ValuesPage{}, err
	}
	defer part.unlock()
	in, err := part.valuesOf(p.Scope)
	if err != nil {
		return store.ValuesPage{}, err
	}
	behind := newSmallest(p.Limit+1, func(a, b store.ValueRecord) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
	})
	add := func(rec store.ValueRecord) {
		if rec.Behind(p.After) {
			behind.add(rec)
		}
	}
	now := part.now()
	for name, v := range in {
		if v.expires.IsZero() || now.Before(v.expires) {
			add(store.ValueRecord{Name: name, Type: v.typ, Size: v.size(), Expires: v.expires})
		}
	}
	if p.Scope.Of == store.ScopeRun {
		r, err := part.run(store.RunID{Job: p.Scope.Job, Number: p.Scope.Run})
		if err != nil {
			return store.ValuesPage{}, err
		}
		for name, n := range r.rec.Counters {
			add(store.ValueRecord{Name: name, Type: store.ValueCounter, Size: int64(len(strconv.FormatInt(n, 10)))})
		}
	}
	var page store.ValuesPage
	page.Fill(behind.sorted(), p.Limit)
	return page, nil
}

func (v *value) size() int64 {
	switch v.typ {
	case store.ValueList:
		return int64(len(v.items))
	case store.ValueMap:
		return int64(len(v.fields))
	}
	return int64(len(v.data))
}
