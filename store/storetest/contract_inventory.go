package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// keys lists all keys of semaphores, by pages.
func (s *scene) keys(limit int) (all []string) {
	s.tb.Helper()
	for partition := range s.store.Partitions() {
		for after := ""; ; {
			page, err := s.store.SemaphoreKeys(s.ctx, store.KeysParams{Partition: partition, After: after, Limit: limit})
			s.NoError(err)
			s.LessOrEqual(len(page), limit)
			s.True(slices.IsSorted(page))
			for _, key := range page {
				s.Equal(partition, s.partition(key))
				s.Greater(key, after)
				all, after = append(all, key), key
			}
			if len(page) < limit {
				break
			}
		}
	}
	slices.Sort(all)
	return all
}

// listed lists the values of a scope, by pages.
func (s *scene) listed(scope store.ValueScope, limit int) (all []store.ValueRecord) {
	s.tb.Helper()
	for partition := range s.store.Partitions() {
		if scope.Of != store.ScopeNamespace && partition != s.partition(scope.Job) {
			continue
		}
		for after := ""; ; {
			page, err := s.store.ListValues(
				s.ctx, store.ValuesParams{Scope: scope, Partition: partition, After: after, Limit: limit},
			)
			s.NoError(err)
			s.LessOrEqual(len(page.Values), limit)
			all = append(all, page.Values...)
			if after = page.Next; after == "" {
				break
			}
		}
	}
	slices.SortFunc(all, func(a, b store.ValueRecord) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
	})
	return all
}

var inventoryContract = []testCase{
	{"semaphores are listed while somebody holds them or waits", func(s *scene) {
		var claims []store.SemaphoreClaim
		want := make([]string, 0, 9)
		for _, key := range []string{"a", "a/1", "a/2", "ä", "b c", "s/", "v/x", "z{y}:1", "~"} {
			claims = append(claims, s.claim(key, 1, steady))
			s.granted(claims[len(claims)-1])
			want = append(want, key)
		}
		slices.Sort(want)
		for _, limit := range []int{1, 2, bounds.MaxPage} {
			s.Equal(want, s.keys(limit))
		}
		waiter := s.waiting("a", 1)
		s.refused(waiter)
		s.release(claims[0])
		s.Equal(want, s.keys(2), "one that only waits uses it, too")
		s.release(waiter)
		s.Equal(want[1:], s.keys(2))
		s.granted(claims[0])
		s.Equal(want, s.keys(2), "it is used again")
		for _, c := range claims {
			_, err := s.store.ForceReleaseSemaphore(s.ctx, c.Key, 1, 1<<60)
			s.NoError(err)
		}
		s.Empty(s.keys(2))
	}},
	{"semaphores whose leases have expired are listed no longer", func(s *scene) {
		before := s.leftovers()
		for i := range 600 { // more than a sweep looks at in one turn
			s.granted(s.claim(fmt.Sprint("gate", i), 1, brief))
		}
		s.h.Advance(s.tb, 2*brief)
		kept := s.claim("kept", 1, steady)
		s.granted(kept)
		for partition := range s.store.Partitions() {
			s.until(partition, "expired semaphores are listed no longer", func() bool {
				keys, err := s.store.SemaphoreKeys(s.ctx, store.KeysParams{Partition: partition, Limit: 3})
				s.NoError(err)
				return len(keys) == 0 || len(keys) == 1 && keys[0] == kept.Key
			})
		}
		s.Equal([]string{kept.Key}, s.keys(2))
		s.release(kept)
		for partition := range s.store.Partitions() {
			s.sweep(partition)
		}
		s.nothingBeyond(before, 0)
	}},
	{"a limit shows what each holder has, and who waits, in order", func(s *scene) {
		rec, err := s.store.Limit(s.ctx, "unused")
		s.NoError(err)
		s.Empty(rec.Holders)
		a, b, c := s.drawer("l", 3), s.drawer("l", 3), s.drawer("l", 3)
		c.p.TTL = brief
		s.Equal(3, a.draw(0, 3).Held)
		s.Zero(c.draw(0, 1).Held)
		s.h.Advance(s.tb, time.Millisecond)
		s.Zero(b.draw(0, 5).Held)
		first, err := s.store.Limit(s.ctx, "l")
		s.NoError(err)
		s.Len(first.Holders, 3)
		for i, want := range []store.LimitHolder{
			{Holder: c.p.Holder, Want: 1}, {Holder: b.p.Holder, Want: 5}, {Holder: a.p.Holder, Held: 3, Want: 3},
		} {
			got := first.Holders[i]
			if i < 2 {
				s.WithinDuration(first.Now, got.Since, time.Minute)
			}
			got.Since = time.Time{}
			s.Equal(want, got)
		}
		s.True(first.Holders[0].Since.Before(first.Holders[1].Since))
		s.h.Advance(s.tb, 2*brief)
		rec, err = s.store.Limit(s.ctx, "l")
		s.NoError(err)
		s.Len(rec.Holders, 2, "whoever is silent wants nothing")
		s.Equal(first.Holders[1], rec.Holders[0])
		s.Zero(a.draw(0, 0).Held)
		s.Equal(3, b.draw(0, 5).Held)
		rec, err = s.store.Limit(s.ctx, "l")
		s.NoError(err)
		s.Len(rec.Holders, 1)
		s.Equal(3, rec.Holders[0].Held)
	}},
	{"a limit shows what silent holders keep, and tokens that are lent", func(s *scene) {
		a, b := s.drawer("l", 3), s.drawer("r", 0)
		a.p.TTL = brief
		a.draw(0, 2)
		b.p.Rate = store.Rate{Events: 1, Per: time.Second, Burst: 5}
		s.Equal(2, b.lend(2, 0, time.Time{}).Tokens)
		rec, err := s.store.Limit(s.ctx, "r")
		s.NoError(err)
		s.Equal([]store.LimitHolder{{Holder: b.p.Holder, Tokens: 2}}, rec.Holders)
		s.h.Advance(s.tb, 2*brief)
		rec, err = s.store.Limit(s.ctx, "l")
		s.NoError(err)
		s.Equal([]store.LimitHolder{{Holder: a.p.Holder, Held: 2, Want: 2, Silent: true}}, rec.Holders)
		s.h.Advance(s.tb, bounds.TokenTTL)
		rec, err = s.store.Limit(s.ctx, "r")
		s.NoError(err)
		s.Empty(rec.Holders, "the tokens are void")
	}},
	{"values are listed with their types and sizes", func(s *scene) {
		for name, scope := range s.scopes() {
			want := make([]store.ValueRecord, 0, 7)
			add := func(rec store.ValueRecord, op store.WriteOp, data ...store.Datum) {
				w := s.writer(scope, rec.Name)
				w.one(store.Write{Type: rec.Type, Op: op, Data: data})
				want = append(want, rec)
			}
			text := func(s string) store.Datum { return store.Datum{Bytes: []byte(s)} }
			field := func(s string) store.Datum { return store.Datum{Field: s, Bytes: []byte("x")} }
			add(store.ValueRecord{Name: "a", Type: store.ValueCounter, Size: 3}, store.WriteSet, text("-12"))
			add(store.ValueRecord{Name: "a-", Type: store.ValueTime, Size: 20}, store.WriteSet, text("2026-11-27T08:00:00Z"))
			add(store.ValueRecord{Name: "a0", Type: store.ValueFloat, Size: 3}, store.WriteSet, text("0.5"))
			add(store.ValueRecord{Name: "b", Type: store.ValueList, Size: 2}, store.WriteAppend, text(""), text("yy"))
			add(store.ValueRecord{Name: "c", Type: store.ValueMap, Size: 3}, store.WriteSet, field("a"), field("b"), field(""))
			if scope.Of == store.ScopeRun { // its counters have names of their own
				add(store.ValueRecord{Name: "c", Type: store.ValueCounter, Size: 1}, store.WriteAdd, text("7"))
			}
			add(store.ValueRecord{Name: "d", Type: store.ValueJSON, Size: 2}, store.WriteSet, text("{}"))
			slices.SortFunc(want, func(a, b store.ValueRecord) int {
				return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
			})
			for _, limit := range []int{1, 2, 3, bounds.MaxPage} {
				s.Equal(want, s.listed(scope, limit), name)
			}
			for i, rec := range want {
				s.writer(scope, rec.Name).one(store.Write{Type: rec.Type, Op: store.WriteDelete})
				s.Equal(want[i+1:], append([]store.ValueRecord{}, s.listed(scope, 2)...), name)
			}
		}
	}},
	{"values of the namespace are listed until they expire", func(s *scene) {
		before := s.leftovers()
		for i := range 300 {
			w := s.writer(store.NamespaceScope(brief), fmt.Sprint("v", i))
			w.one(store.Write{Type: store.ValueList, Op: store.WriteAppend, Data: []store.Datum{{Bytes: []byte("x")}}})
			s.NoError(s.store.CloseProducer(s.ctx, w.partition, w.stream))
		}
		w := s.writer(store.NamespaceScope(steady), "kept")
		w.one(store.Write{Type: store.ValueList, Op: store.WriteAppend, Data: []store.Datum{{Bytes: []byte("x")}}})
		now := s.semaphore("any").Now
		s.h.Advance(s.tb, 2*brief)
		all := s.listed(store.NamespaceScope(0), 100)
		s.Len(all, 1)
		s.WithinDuration(now.Add(steady), all[0].Expires, time.Minute)
		w.one(store.Write{Type: store.ValueList, Op: store.WriteDelete})
		s.NoError(s.store.CloseProducer(s.ctx, w.partition, w.stream))
		for partition := range s.store.Partitions() {
			s.sweep(partition)
		}
		s.nothingBeyond(before, 0)
	}},
	{"values of what is not there cannot be listed", func(s *scene) {
		list := func(scope store.ValueScope) error {
			p := store.ValuesParams{Scope: scope, Partition: s.partition(scope.Job), Limit: 1}
			_, err := s.store.ListValues(s.ctx, p)
			return err
		}
		r := s.start(store.StartParams{Job: "import"})
		s.NoError(list(store.RunScope(r.id)))
		s.NoError(list(store.JobScope("import")))
		s.ErrorIs(list(store.JobScope("nobody")), store.ErrJobNotFound)
		s.ErrorIs(list(store.RunScope(store.RunID{Job: "import", Number: r.id.Number + 1})), store.ErrRunNotFound)
		s.ErrorIs(list(store.RunScope(store.RunID{Job: s.jobBeside(r.id.Job), Number: r.id.Number})), store.ErrRunNotFound)
	}},
}
