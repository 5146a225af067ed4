package storetest

import (
	"fmt"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/values"
)

// valueEnds are the cases of how many values there may be, and of when they go.
var valueEnds = []testCase{
	{"a run, or a job, has only so many values", func(s *scene) {
		s.start(store.StartParams{Job: "import"})
		h := s.client()
		for i := range bounds.MaxValues {
			s.NoError(values.NewCounter(h, store.JobScope("import"), fmt.Sprintf("c%d", i)).Set(s.ctx, 1))
		}
		more := values.NewCounter(h, store.JobScope("import"), "more")
		s.ErrorIs(more.Set(s.ctx, 1), store.ErrTooManyValues)
		_, err := more.Add(s.ctx, 1)
		s.ErrorIs(err, store.ErrTooManyValues)
		_, err = values.NewCounter(h, store.JobScope("import"), "c0").Add(s.ctx, 1)
		s.NoError(err)
		s.NoError(values.NewCounter(h, store.JobScope("import"), "c1").Delete(s.ctx))
		s.NoError(more.Set(s.ctx, 1))
	}},
	{"values go with their run, and with their job", func(s *scene) {
		before := s.leftovers()
		h := s.client()
		for _, name := range []string{"deleted", "expired", "kept"} {
			p := store.StartParams{Job: name}
			if name == "expired" {
				p.Retention = tick
			}
			r := s.start(p)
			for _, scope := range []store.ValueScope{store.RunScope(r.id), store.JobScope(name)} {
				s.NoError(values.NewMap[int](h, scope, "m").Set(s.ctx, "f", 1))
				s.NoError(values.NewList[int](h, scope, "l").Append(s.ctx, 1))
				s.NoError(values.NewCounter(h, scope, "c").Set(s.ctx, 1))
			}
			w := r.worker()
			w.drain(wellDone)
			w.close()
			s.NoError(values.NewCounter(h, store.RunScope(r.id), "late").Set(s.ctx, 1), "its summary is still there")
			if name == "kept" {
				next := s.start(store.StartParams{Job: name})
				s.sweep(r.partition)
				s.NoError(s.store.DeleteRun(s.ctx, r.id))
				n, err := values.NewCounter(h, store.RunScope(r.id), "c").Get(s.ctx)
				s.NoError(err)
				s.Zero(n)
				n, err = values.NewCounter(h, store.JobScope(name), "c").Get(s.ctx)
				s.NoError(err)
				s.EqualValues(1, n)
				w := next.worker()
				w.drain(wellDone)
				w.close()
				s.sweep(r.partition)
				s.NoError(s.store.DeleteJob(s.ctx, name))
			}
		}
		s.NoError(s.store.DeleteJob(s.ctx, "deleted"))
		for partition := range s.store.Partitions() {
			s.sweep(partition)
		}
		s.nothingBeyond(before, s.partition("expired"))
		s.start(store.StartParams{Job: "deleted"})
		_, ok, err := values.NewMap[int](h, store.JobScope("deleted"), "m").Get(s.ctx, "f")
		s.NoError(err)
		s.False(ok, "a new job of that name begins empty")
	}},
	{"a value of the namespace goes when it was not written to for its expiry", func(s *scene) {
		before := s.leftovers()
		h := s.client()
		forever := values.NewCounter(h, store.NamespaceScope(0), "forever")
		brief := values.NewCounter(h, store.NamespaceScope(2*tick), "brief")
		partition := store.PartitionOfValue(store.NamespaceScope(0), "brief", s.store.Partitions())
		for want := range int64(4) {
			n, err := brief.Add(s.ctx, 1)
			s.NoError(err)
			if s.h.Bubble {
				s.Equal(want+1, n, "each write puts it off")
			}
			s.h.Advance(s.tb, tick)
		}
		s.NoError(forever.Set(s.ctx, 1))
		s.until(partition, "it has expired", func() bool {
			n, err := brief.Get(s.ctx)
			s.NoError(err)
			return n == 0
		})
		n, err := forever.Get(s.ctx)
		s.NoError(err)
		s.EqualValues(1, n)
		s.NoError(forever.Delete(s.ctx))
		s.nothingBeyond(before, partition)
	}},
}
