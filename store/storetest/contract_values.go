package storetest

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/values"
)

// client returns the client for references to values. It works until the test ends.
func (s *scene) client() *values.Client {
	h := values.NewClient(s.store)
	s.tb.Cleanup(func() { _ = h.Close() })
	return h
}

// scopes are one of each type, by name. The run is active.
func (s *scene) scopes() map[string]store.ValueScope {
	r := s.start(store.StartParams{Job: "import"})
	return map[string]store.ValueScope{
		"run": store.RunScope(r.id), "job": store.JobScope("import"), "namespace": store.NamespaceScope(0),
	}
}

var valuesContract = []testCase{
	{"numbers and times are read as they were written, in every scope", func(s *scene) {
		h := s.client()
		for name, scope := range s.scopes() {
			c := values.NewCounter(h, scope, "c")
			n, err := c.Get(s.ctx)
			s.NoError(err, name)
			s.Zero(n)
			for _, want := range []int64{0, -1, 1 << 40, 1<<53 + 1, math.MaxInt64, math.MinInt64} {
				s.NoError(c.Set(s.ctx, want))
				n, err = c.Get(s.ctx)
				s.NoError(err)
				s.Equal(want, n)
			}
			f := values.NewFloat(h, scope, "f")
			for _, want := range []float64{0, -0.1, math.MaxFloat64, math.SmallestNonzeroFloat64, 1e21} {
				s.NoError(f.Set(s.ctx, want))
				got, err := f.Get(s.ctx)
				s.NoError(err)
				s.Equal(want, got) //nolint:testifylint // to the last bit
			}
			at := values.NewTime(h, scope, "t")
			got, err := at.Get(s.ctx)
			s.NoError(err)
			s.Zero(got)
			want := time.Date(2026, 11, 27, 1, 2, 3, 456_789_012, time.FixedZone("", 3600))
			s.NoError(at.Set(s.ctx, want))
			got, err = at.Get(s.ctx)
			s.NoError(err)
			s.Equal(want.UTC(), got)
			s.NoError(c.Delete(s.ctx))
			s.NoError(c.Delete(s.ctx), "nothing is left to delete")
			s.NoError(f.Delete(s.ctx))
			s.NoError(at.Delete(s.ctx))
			n, err = c.Get(s.ctx)
			s.NoError(err)
			s.Zero(n)
		}
	}},
	{"what is added counts to the last digit, and a sum that is none changes nothing", func(s *scene) {
		h, scope := s.client(), store.NamespaceScope(0)
		c := values.NewCounter(h, scope, "c")
		var sum int64
		for _, n := range []int64{1, -3, 1 << 60, 1<<60 + 1, -1, -(1 << 53) - 1} {
			sum += n
			got, err := c.Add(s.ctx, n)
			s.NoError(err)
			s.Equal(sum, got)
		}
		s.NoError(c.Set(s.ctx, math.MaxInt64))
		_, err := c.Add(s.ctx, math.MaxInt64)
		s.ErrorIs(err, store.ErrOutOfRange)
		got, err := c.Add(s.ctx, -1)
		s.NoError(err)
		s.Equal(int64(math.MaxInt64-1), got)

		f := values.NewFloat(h, scope, "f")
		total := 0.0
		for _, n := range []float64{0.1, 0.2, -1e-9, 3e17, 1} {
			total += n
			got, err := f.Add(s.ctx, n)
			s.NoError(err)
			s.Equal(total, got) //nolint:testifylint // to the last bit
		}
		s.NoError(f.Set(s.ctx, math.MaxFloat64))
		_, err = f.Add(s.ctx, math.MaxFloat64)
		s.ErrorIs(err, store.ErrOutOfRange)
	}},
	{"a value is swapped only for the one that is there", func(s *scene) {
		type facts struct{ Name, Note string }
		h, scope := s.client(), store.NamespaceScope(0)
		v := values.NewValue[facts](h, scope, "v")
		m := values.NewMap[facts](h, scope, "m")
		for name, swap := range map[string]func(old *facts, value facts) (bool, error){
			"value": func(old *facts, value facts) (bool, error) { return v.CompareAndSet(s.ctx, old, value) },
			"field": func(old *facts, value facts) (bool, error) { return m.CompareAndSet(s.ctx, "f", old, value) },
		} {
			a, b, c := facts{Name: "a"}, facts{Name: "b"}, facts{Name: "c"}
			for i, try := range []struct {
				old   *facts
				value facts
				want  bool
			}{{&a, b, false}, {nil, a, true}, {nil, b, false}, {&b, c, false}, {&a, b, true}, {&a, c, false}, {&b, b, true}} {
				swapped, err := swap(try.old, try.value)
				s.NoError(err)
				s.Equal(try.want, swapped, "%s, try %d", name, i)
			}
		}
		got, ok, err := v.Get(s.ctx)
		s.NoError(err)
		s.True(ok)
		s.Equal("b", got.Name)
		// Another version of the type encoded it differently.
		s.NoError(values.NewValue[map[string]any](h, scope, "v").Set(s.ctx, map[string]any{"Name": "b", "Gone": 1}))
		swapped, err := v.CompareAndSet(s.ctx, &facts{Name: "b"}, facts{Name: "d"})
		s.NoError(err)
		s.True(swapped)
		s.NoError(v.Delete(s.ctx))
		_, ok, err = v.Get(s.ctx)
		s.NoError(err)
		s.False(ok)
	}},
	{"of callers that swap at once each step is taken by one", func(s *scene) {
		h := s.client()
		v := values.NewValue[int](h, store.NamespaceScope(0), "v")
		s.NoError(v.Set(s.ctx, 0))
		s.together(8, func(int) error {
			for range 20 {
				for {
					have, _, err := v.Get(s.ctx)
					if err != nil {
						return err
					}
					if swapped, err := v.CompareAndSet(s.ctx, &have, have+1); swapped || err != nil {
						break
					}
				}
			}
			return nil
		})
		got, _, err := v.Get(s.ctx)
		s.NoError(err)
		s.Equal(160, got)
	}},
	{"a list keeps its items in order", func(s *scene) {
		h := s.client()
		for name, scope := range s.scopes() {
			l := values.NewList[string](h, scope, "l")
			var want []string
			for i := range 600 {
				want = append(want, fmt.Sprintf("%d\x00\xff,%s", i, strings.Repeat("x", i)))
			}
			want = strings.Split(strings.ToValidUTF8(strings.Join(want, "\n"), "?"), "\n")
			s.NoError(l.Append(s.ctx))
			s.NoError(l.Append(s.ctx, want[0]))
			s.NoError(l.Append(s.ctx, want[1:]...))
			n, err := l.Len(s.ctx)
			s.NoError(err)
			s.EqualValues(len(want), n)
			for _, from := range []int64{0, 1, 255, 256, 599, 600, 1000} {
				var got []string
				for item, err := range l.Range(s.ctx, from) {
					s.NoError(err)
					got = append(got, item)
				}
				s.Equal(want[min(from, 600):], append([]string{}, got...), "%s, from %d", name, from)
			}
			for _, err := range l.Range(s.ctx, 0) {
				s.NoError(err)
				break
			}
			s.NoError(l.Delete(s.ctx))
			n, err = l.Len(s.ctx)
			s.NoError(err)
			s.Zero(n)
		}
	}},
	{"a capped append keeps what fits, and large items come by pages", func(s *scene) {
		scope := store.NamespaceScope(0)
		w := s.writer(scope, "l")
		item := store.Datum{Bytes: []byte(strings.Repeat("x", bounds.MaxValueLen))}
		for range 3 {
			w.one(store.Write{Type: store.ValueList, Op: store.WriteAppend, Data: []store.Datum{item, item}, Cap: 3})
		}
		at := int64(0)
		for {
			page, err := s.store.ReadValue(
				s.ctx, store.ReadParams{Scope: scope, Name: "l", Type: store.ValueList, Offset: at, Limit: 100},
			)
			s.NoError(err)
			s.EqualValues(3, page.Len)
			if len(page.Data) == 0 {
				break
			}
			at += int64(len(page.Data))
		}
		s.EqualValues(3, at)
	}},
	{"a map of a job keeps what was written last, between its runs", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		h := s.client()
		m := values.NewMap[[]string](h, store.JobScope("import"), "seen")
		s.NoError(m.SetAll(s.ctx, map[string][]string{"a": {"1"}, "b": {"2", "3"}, "": {}}))
		s.NoError(m.Set(s.ctx, "a", []string{"4"}))
		r.worker().drain(wellDone)
		r.status(statuses.Succeeded)
		s.start(store.StartParams{Job: "import"})
		got, err := m.GetAll(s.ctx, "a", "b", "c", "")
		s.NoError(err)
		s.Equal(map[string][]string{"a": {"4"}, "b": {"2", "3"}, "": {}}, got)
		n, err := m.Len(s.ctx)
		s.NoError(err)
		s.EqualValues(3, n)
		s.NoError(m.Remove(s.ctx, "a", "c"))
		_, ok, err := m.Get(s.ctx, "a")
		s.NoError(err)
		s.False(ok)
		other, err := values.NewMap[[]string](h, store.JobScope("import"), "other").GetAll(s.ctx, "b")
		s.NoError(err)
		s.Empty(other)
		none, err := m.GetAll(s.ctx)
		s.NoError(err)
		s.Empty(none)
		s.NoError(m.Remove(s.ctx, "b", ""))
		n, err = m.Len(s.ctx)
		s.NoError(err)
		s.Zero(n, "a map without fields is none")
		s.NoError(values.NewCounter(h, store.JobScope("import"), "seen").Set(s.ctx, 1), "its name is free")
	}},
	{"the fields of a map of any size are iterated over once each", func(s *scene) {
		m := values.NewMap[int](s.client(), store.NamespaceScope(0), "m")
		want := make(map[string]int)
		for i := range 3000 {
			want[fmt.Sprintf("%d:\xff\n kind", i)] = i
		}
		want[""], want["kind"], want["value"], want[":"] = -1, -2, -3, -4
		all := make(map[string]int)
		for field, value := range want {
			if all[field] = value; len(all) == bounds.MaxData {
				s.NoError(m.SetAll(s.ctx, all))
				clear(all)
			}
		}
		s.NoError(m.SetAll(s.ctx, all))
		got := make(map[string]int)
		for f, err := range m.Range(s.ctx) {
			s.NoError(err)
			s.NotContains(got, f.Name)
			got[f.Name] = f.Value
		}
		s.Equal(want, got)
		for _, err := range m.Range(s.ctx) {
			s.NoError(err)
			break
		}
		s.NoError(m.Delete(s.ctx))
		for f, err := range m.Range(s.ctx) {
			s.Fail("nothing is left", "%v, %v", f, err)
		}
	}},
	{"values whose names could be confused are apart", func(s *scene) {
		h := s.client()
		scopes := []store.ValueScope{store.NamespaceScope(0)}
		for _, job := range []string{"a", "a:b", "b:a", "{a}", "1"} {
			scopes = append(scopes, store.JobScope(job), store.RunScope(s.start(store.StartParams{Job: job}).id))
		}
		for _, scope := range scopes {
			s.NoError(values.NewValue[string](h, scope, "a").Set(s.ctx, scope.String()))
		}
		for _, scope := range scopes {
			got, _, err := values.NewValue[string](h, scope, "a").Get(s.ctx)
			s.NoError(err)
			s.Equal(scope.String(), got)
		}
	}},
	{"a name that holds a value of one type is refused to references of others", wrongTypes},
	{"a value that is not of the type is reported by name", func(s *scene) {
		h, scope := s.client(), store.NamespaceScope(0)
		s.NoError(values.NewMap[string](h, scope, "m").Set(s.ctx, "field", "text"))
		s.NoError(values.NewList[string](h, scope, "l").Append(s.ctx, "1", "text"))
		s.NoError(values.NewValue[string](h, scope, "v").Set(s.ctx, "text"))
		_, _, err := values.NewMap[int](h, scope, "m").Get(s.ctx, "field")
		s.ErrorIs(err, store.ErrCorrupt)
		s.ErrorContains(err, `field "field" of map "m"`)
		for _, err := range values.NewMap[int](h, scope, "m").Range(s.ctx) {
			s.ErrorIs(err, store.ErrCorrupt)
		}
		_, _, err = values.NewValue[int](h, scope, "v").Get(s.ctx)
		s.ErrorIs(err, store.ErrCorrupt)
		s.ErrorContains(err, `value "v" of the namespace`)
		for _, err := range values.NewList[int](h, scope, "l").Range(s.ctx, 0) {
			s.ErrorIs(err, store.ErrCorrupt)
			s.ErrorContains(err, "item 0")
		}
	}},
	{"what cannot be stored is refused by field, and nothing is written", refusedWrites},
	{"a value needs its run, or its job", needsOwner},
	{"a counter of a run is one number, whether a task adds to it or a reference", oneNumber},
	{"a run has only so many counters that tasks did not make", boundedCounters},
	{"a repeated batch answers as before and changes nothing more", repeatedWrites},
	{"every write made twice counts once", func(s *scene) {
		twice := s.over(&doubled{Store: s.store, t: s.tb})
		h := twice.client()
		for name, scope := range s.scopes() {
			c, l := values.NewCounter(h, scope, "c"), values.NewList[int](h, scope, "l")
			v := values.NewValue[int](h, scope, "v")
			s.together(4, func(i int) error {
				for range 10 {
					if _, err := c.Add(s.ctx, 3); err != nil {
						return err
					}
					if err := l.Append(s.ctx, i); err != nil {
						return err
					}
				}
				return nil
			})
			n, err := c.Get(s.ctx)
			s.NoError(err)
			s.EqualValues(120, n, name)
			n, err = l.Len(s.ctx)
			s.NoError(err)
			s.EqualValues(40, n, name)
			swapped, err := v.CompareAndSet(s.ctx, nil, 1)
			s.NoError(err)
			s.True(swapped)
		}
	}},
	{"the client of a stream that the store forgot goes on under another", func(s *scene) {
		if !s.h.Bubble {
			return // a day takes longer than a test may wait for
		}
		h := s.client()
		c := values.NewCounter(h, store.NamespaceScope(0), "c")
		for want := range int64(3) {
			n, err := c.Add(s.ctx, 1)
			s.NoError(err)
			s.Equal(want+1, n)
			s.h.Advance(s.tb, 48*time.Hour)
			s.sweep(0)
		}
	}},
	{"a closed client refuses writes, and finishes what was accepted", func(s *scene) {
		h := s.client()
		c := values.NewCounter(h, store.NamespaceScope(0), "c")
		group := lifecycle.New(s.ctx)
		var err error
		group.Go(func(ctx context.Context) { _, err = c.Add(ctx, 1) })
		group.Wait()
		s.NoError(err)
		s.NoError(h.Close())
		s.NoError(h.Close())
		_, err = c.Add(s.ctx, 1)
		s.ErrorIs(err, store.ErrClosed)
		n, err := c.Get(s.ctx)
		s.NoError(err)
		s.EqualValues(1, n)
	}},
}
