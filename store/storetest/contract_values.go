package storetest

import (
	"strings"

	"github.com/rollcall-go/rollcall/store"
)

var valuesContract = []testCase{
	{"a map of a job keeps what was written last, between its runs", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		m := store.NewMap[[]string](s.store, "import", "seen")
		s.NoError(m.SetAll(s.ctx, map[string][]string{"a": {"1"}, "b": {"2", "3"}, "": {}}))
		s.NoError(m.Set(s.ctx, "a", []string{"4"}))
		r.worker().drain(wellDone)
		r.status(store.StatusSucceeded)
		s.start(store.StartParams{Job: "import"})
		got, err := m.GetAll(s.ctx, "a", "b", "c", "")
		s.NoError(err)
		s.Equal(map[string][]string{"a": {"4"}, "b": {"2", "3"}, "": {}}, got)
		s.NoError(m.Delete(s.ctx, "a", "c"))
		_, ok, err := m.Get(s.ctx, "a")
		s.NoError(err)
		s.False(ok)
		other, err := store.NewMap[[]string](s.store, "import", "other").GetAll(s.ctx, "b")
		s.NoError(err)
		s.Empty(other)
		none, err := m.GetAll(s.ctx)
		s.NoError(err)
		s.Empty(none)
	}},
	{"jobs and maps whose names could be confused have maps of their own", func(s *scene) {
		for _, job := range []string{"a", "a:b", "b:a", "{a}"} {
			s.start(store.StartParams{Job: job})
			s.NoError(store.NewMap[string](s.store, job, "a").Set(s.ctx, "f", job))
		}
		for _, job := range []string{"a", "a:b", "b:a", "{a}"} {
			got, ok, err := store.NewMap[string](s.store, job, "a").Get(s.ctx, "f")
			s.NoError(err)
			s.True(ok)
			s.Equal(job, got)
		}
	}},
	{"a value that is not of the type is reported by name", func(s *scene) {
		s.start(store.StartParams{Job: "import"})
		s.NoError(store.NewMap[string](s.store, "import", "m").Set(s.ctx, "field", "text"))
		_, _, err := store.NewMap[int](s.store, "import", "m").Get(s.ctx, "field")
		s.ErrorIs(err, store.ErrCorrupt)
		s.Contains(err.Error(), `"field"`)
	}},
	{"what cannot be stored is refused by field, and nothing is written", func(s *scene) {
		s.start(store.StartParams{Job: "import"})
		write := func(job, name string, set map[string][]byte) error {
			return s.store.WriteMap(s.ctx, store.MapParams{Job: job, Name: name}, set, nil)
		}
		many := make(map[string][]byte)
		for i := range store.MaxMapFields + 1 {
			many[strings.Repeat("x", i)] = nil
		}
		s.ErrorIs(write("", "m", nil), store.ErrInvalid)
		s.ErrorIs(write("import", "a/b", nil), store.ErrInvalid)
		s.ErrorIs(write("import", "m", many), store.ErrInvalid)
		s.ErrorIs(write("import", "m", map[string][]byte{"f": make([]byte, store.MaxMapBytes)}), store.ErrInvalid)
		s.ErrorIs(write("unknown", "m", map[string][]byte{"f": {1}}), store.ErrJobNotFound)
		got, err := s.store.ReadMap(s.ctx, store.MapParams{Job: "import", Name: "m"}, []string{"f", ""})
		s.NoError(err)
		s.Empty(got)
		got, err = s.store.ReadMap(s.ctx, store.MapParams{Job: "unknown", Name: "m"}, []string{"f"})
		s.NoError(err)
		s.Empty(got)
	}},
	{"maps go with their job", func(s *scene) {
		before := s.leftovers()
		for _, name := range []string{"deleted", "expired"} {
			r := s.start(store.StartParams{Job: name, Retention: tick})
			s.NoError(store.NewMap[int](s.store, name, "m").Set(s.ctx, "f", 1))
			s.NoError(store.NewMap[int](s.store, name, "n").Set(s.ctx, "f", 1))
			w := r.worker()
			w.drain(wellDone)
			w.close()
		}
		s.NoError(s.store.DeleteJob(s.ctx, "deleted"))
		for partition := range s.store.Partitions() {
			s.sweep(partition)
		}
		s.nothingBeyond(before, s.partition("expired"))
		s.start(store.StartParams{Job: "deleted"})
		_, ok, err := store.NewMap[int](s.store, "deleted", "m").Get(s.ctx, "f")
		s.NoError(err)
		s.False(ok, "a new job of that name begins empty")
	}},
}
