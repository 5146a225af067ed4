package storetest

import (
	"fmt"
	"math"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/values"
)

// oneNumber adds to a counter of a run with tasks and with a reference.
func oneNumber(s *scene) {
	r := s.open("import")
	p, w := r.producer(), r.worker()
	p.add(r, tasks(scan, "t", 4)...)
	h, scope := s.client(), store.RunScope(r.id)
	c := values.NewCounter(h, scope, "files")
	is := func(want int64) {
		s.tb.Helper()
		n, err := c.Get(s.ctx)
		s.NoError(err)
		s.Equal(want, n)
		s.Equal(files(want), r.record().Counters)
	}
	w.settle(counting(success(w.one()), files(3)))
	is(3)
	n, err := c.Add(s.ctx, 4)
	s.NoError(err)
	s.EqualValues(7, n)
	w.settle(counting(success(w.one()), files(2)))
	is(9)
	s.NoError(c.Set(s.ctx, math.MaxInt64))
	_, err = c.Add(s.ctx, math.MaxInt64)
	s.ErrorIs(err, store.ErrOutOfRange)
	is(math.MaxInt64)
	l := values.NewList[int](h, scope, "files")
	s.NoError(l.Append(s.ctx, 1, 2))
	length, err := l.Len(s.ctx)
	s.NoError(err)
	s.EqualValues(2, length, "its name is apart from those of other values")
	s.NoError(c.Delete(s.ctx))
	n, err = c.Get(s.ctx)
	s.NoError(err)
	s.Zero(n)
	s.Nil(r.record().Counters)
	w.settle(counting(success(w.one()), files(5)))
	is(5)
	s.NoError(p.release(r, store.HoldOpen))
	w.settle(counting(success(w.one()), files(1)))
	r.status(statuses.Succeeded)
	s.NoError(c.Set(s.ctx, 8))
	is(8)
}

// boundedCounters makes the largest number of counters of a run.
func boundedCounters(s *scene) {
	r := s.open("import")
	p, w := r.producer(), r.worker()
	p.add(r, task(scan, "t"))
	writer := s.writer(store.RunScope(r.id), "")
	add := store.Write{Type: store.ValueCounter, Op: store.WriteAdd, Data: []store.Datum{{Bytes: []byte("1")}}}
	for made := 0; made < bounds.MaxValues; {
		var batch []store.Write
		for ; len(batch) < bounds.MaxBatch && made < bounds.MaxValues; made++ {
			add.Name = fmt.Sprintf("c%d", made)
			batch = append(batch, add)
		}
		reply, err := writer.try(batch...)
		s.NoError(err)
		for _, result := range reply.Results {
			s.NoError(result.Err)
		}
	}
	h, scope := s.client(), store.RunScope(r.id)
	more := values.NewCounter(h, scope, "more")
	s.ErrorIs(more.Set(s.ctx, 1), store.ErrTooManyValues)
	_, err := more.Add(s.ctx, 1)
	s.ErrorIs(err, store.ErrTooManyValues)
	_, err = values.NewCounter(h, scope, "c0").Add(s.ctx, 1)
	s.NoError(err)
	s.NoError(values.NewFloat(h, scope, "more").Set(s.ctx, 1), "other values are not counted with them")
	s.NoError(values.NewCounter(h, scope, "c1").Delete(s.ctx))
	s.NoError(more.Set(s.ctx, 1))
	w.settle(counting(success(w.one()), files(3)))
	s.EqualValues(3, r.record().Counters["files"], "what a task counts is never refused")
}
