package filestore

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// SemaphoreKeys lists the keys of semaphores that are in use.
func (b *backend) SemaphoreKeys(ctx context.Context, p store.KeysParams) ([]string, error) {
	return read(ctx, b, p, func(s *state, p store.KeysParams) (keys []string, err error) {
		for _, key := range slices.Sorted(maps.Keys(s.Semaphores)) {
			sem := s.semaphore(key)
			if key > p.After && len(sem.Leases)+len(sem.Line) > 0 && len(keys) < p.Limit {
				keys = append(keys, key)
			}
		}
		return keys, nil
	})
}

// Limit reads who holds what of a limit, and who waits.
func (b *backend) Limit(ctx context.Context, name string) (store.LimitRecord, error) {
	return read(ctx, b, name, func(s *state, name string) (store.LimitRecord, error) {
		rec := store.LimitRecord{Now: s.now}
		if l := s.Limits[name]; l != nil {
			for who, h := range l.Holders {
				silent := !s.now.Before(h.Ends)
				r := store.LimitHolder{Holder: who, Held: h.Held, Want: h.Want, Silent: silent}
				if h.Since > 0 {
					r.Since = time.UnixMicro(h.Since)
				}
				if h.Lent && s.now.Before(h.Until) {
					r.Tokens = h.Tokens
				}
				rec.Holders = append(rec.Holders, r)
			}
		}
		rec.Tidy()
		return rec, nil
	})
}

// ListValues lists values of a run, a job or the namespace.
func (b *backend) ListValues(ctx context.Context, p store.ValuesParams) (store.ValuesPage, error) {
	return read(ctx, b, p, func(s *state, p store.ValuesParams) (page store.ValuesPage, err error) {
		var behind []store.ValueRecord
		add := func(in values) {
			for name := range in {
				if v := in.find(name, s.now); v != nil {
					rec := store.ValueRecord{Name: name, Type: v.Type, Size: v.size(), Expires: v.Expires}
					if rec.Behind(p.After) {
						behind = append(behind, rec)
					}
				}
			}
		}
		in, err := s.values(p.Scope, store.ValueJSON)
		if err != nil {
			return page, err
		}
		add(in)
		if p.Scope.Of == store.ScopeRun {
			numbers, err := s.values(p.Scope, store.ValueCounter)
			if err != nil {
				return page, err
			}
			add(numbers)
		}
		page.Fill(behind, p.Limit)
		return page, nil
	})
}

func (v *value) size() int64 {
	switch v.Type {
	case store.ValueList:
		return int64(len(v.Items))
	case store.ValueMap:
		return int64(len(v.Fields))
	}
	return int64(len(v.Data))
}
