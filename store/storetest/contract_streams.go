package storetest

import (
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
)

var streamsContract = []testCase{
	{"a stream that was not opened has an unknown result, and writes nothing", func(s *scene) {
		r := s.open("import")
		stranger := &producer{s: s, partition: r.partition, stream: "stranger"}
		for range 2 {
			_, err := stranger.try(store.EnqueueParams{Entries: []store.Entry{{Run: r.id, Item: task(scan, "t")}}})
			s.ErrorIs(err, store.ErrResultUnknown)
		}
		r.counts(store.Counts{}, "an unregistered stream")
		s.NoError(s.store.OpenProducer(s.ctx, r.partition, "stranger"))
		stranger.number = 0
		stranger.add(r, task(scan, "t"))
		r.counts(store.Counts{Pending: 1}, "the same stream, opened")
	}},
	{"a stream that was closed is forgotten, and what it added stays", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		s.NoError(s.store.CloseProducer(s.ctx, p.partition, "stranger"))
		p.add(r, task(scan, "t"))
		s.NoError(s.store.CloseProducer(s.ctx, p.partition, p.stream))
		_, err := p.repeat()
		s.ErrorIs(err, store.ErrResultUnknown)
		_, err = p.try(store.EnqueueParams{Entries: []store.Entry{{Run: r.id, Item: task(scan, "late")}}})
		s.ErrorIs(err, store.ErrResultUnknown)
		r.counts(store.Counts{Pending: 1}, "of a stream that was closed")
	}},
	{"opening a stream that exists changes nothing", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		p.add(r, task(scan, "t"))
		s.NoError(s.store.OpenProducer(s.ctx, p.partition, p.stream))
		_, err := p.repeat()
		s.NoError(err)
		r.counts(store.Counts{Pending: 1}, "the last number is still known")
	}},
	{"a number lower than the last is stale, and writes nothing", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, task(scan, "a"))
		p.add(r, task(scan, "b"))
		p.number = 0
		_, err := p.try(store.EnqueueParams{Entries: []store.Entry{{Run: r.id, Item: task(scan, "c")}}})
		s.ErrorIs(err, store.ErrStale)
		r.counts(store.Counts{Pending: 2}, "a stale enqueue")

		ds := append(w.take(1), w.take(1)...)
		numbers := w.fetches
		w.fetches = 0
		_, err = w.tryFetch(1)
		s.ErrorIs(err, store.ErrStale)
		w.fetches = numbers
		w.succeed(ds[0])
		w.settle()
		w.settles = 0
		_, err = w.try(success(ds[1]))
		s.ErrorIs(err, store.ErrStale)
		r.counts(store.Counts{Running: 1, Succeeded: 1}, "a stale settlement")
	}},
	{"numbers may be skipped, as a call that never arrived does", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.number += 3
		p.add(r, tasks(scan, "t", 2)...)
		w.fetches += 3
		ds := w.take(2)
		w.settles += 3
		w.succeed(ds...)
		r.counts(store.Counts{Succeeded: 2}, "all applied")
	}},
	{"streams do not disturb each other", func(s *scene) {
		r := s.open("import")
		a, b := r.producer(), r.producer()
		a.add(r, task(scan, "a"))
		b.add(r, tasks(scan, "b", 2)...)
		reply, err := a.repeat()
		s.NoError(err)
		s.Len(reply.Entries, 1)
		r.counts(store.Counts{Pending: 3}, "a repeat in one stream after a batch of another")
	}},
	{"opening a session again before its first fetch is harmless", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		s.NoError(s.store.OpenSession(s.ctx, w.session, store.WorkerInfo{Name: "again"}, steady))
		w.succeed(w.one())
		r.status(statuses.Succeeded)
	}},
	{"a stream that was not used for long is forgotten, and its result unknown", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		p.add(r, task(scan, "t"))
		if !s.h.Bubble {
			p.add(r, task(scan, "u")) // it takes longer than a test may wait for
			return
		}
		s.h.Advance(s.tb, bounds.StreamKept-tick)
		s.sweep(r.partition)
		p.add(r, task(scan, "u"))
		s.h.Advance(s.tb, bounds.StreamKept-tick)
		s.NoError(s.store.OpenProducer(s.ctx, p.partition, p.stream))
		s.h.Advance(s.tb, bounds.StreamKept-tick)
		s.sweep(r.partition)
		_, err := p.repeat()
		s.NoError(err, "opening it counted as a use")
		s.h.Advance(s.tb, bounds.StreamKept+tick)
		s.sweep(r.partition)
		_, err = p.try(store.EnqueueParams{Entries: []store.Entry{{Run: r.id, Item: task(scan, "v")}}})
		s.ErrorIs(err, store.ErrResultUnknown)
		r.counts(store.Counts{Pending: 2}, "a stream that is forgotten")
		s.NoError(s.store.OpenProducer(s.ctx, p.partition, p.stream))
		p.add(r, task(scan, "w"))
		r.counts(store.Counts{Pending: 3}, "the same stream, opened again, goes on with its next number")
	}},
	{"an empty batch is a batch", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		s.Empty(p.send(store.EnqueueParams{}).Entries)
		p.add(r, task(scan, "t"))
		r.counts(store.Counts{Pending: 1}, "an empty batch, then another")
	}},
	{"what comes in several calls goes on only from the last of them", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		send := func(id string, holds ...store.HoldChange) error {
			for i := range holds {
				holds[i].Run = r.id
			}
			reply := p.send(
				store.EnqueueParams{Holds: holds, Entries: []store.Entry{{Run: r.id, Item: task(scan, id)}}},
			)
			for _, err := range reply.Holds {
				s.Equal(reply.Entries[0].Err, err, "the run takes all of a call or nothing")
			}
			return reply.Entries[0].Err
		}
		marks := func() map[string]string {
			found := make(map[string]string)
			for _, h := range r.inspect().Holds {
				found[h.Name] = h.Mark
			}
			return found
		}
		s.ErrorIs(send("early", store.HoldChange{Name: "h", Guarded: true}), store.ErrHoldLost, "it is not open")
		s.ErrorIs(
			send("late", store.HoldChange{Name: store.HoldOpen, Guarded: true, From: "x", Close: true}), store.ErrHoldLost,
		)
		s.NoError(send("first", store.HoldChange{Name: "h", Mark: "1"}))
		s.NoError(send("second", store.HoldChange{Name: "h", Guarded: true, From: "1", Mark: "2"}))
		s.ErrorIs(send("again", store.HoldChange{Name: "h", Guarded: true, From: "1", Mark: "3"}), store.ErrHoldLost)
		s.ErrorIs(
			send(
				"behind", store.HoldChange{Name: store.HoldOpen, Close: true},
				store.HoldChange{Name: "h", Guarded: true, From: "1", Close: true},
			),
			store.ErrHoldLost,
		)
		s.NoError(send("same", store.HoldChange{Name: "h"}), "without a guard, and without a mark")
		s.Equal(map[string]string{store.HoldOpen: "", "h": "2"}, marks())
		s.NoError(send("taken", store.HoldChange{Name: "h", Mark: "other"}), "whoever opens it takes it over")
		s.ErrorIs(send("robbed", store.HoldChange{Name: "h", Guarded: true, From: "2", Close: true}), store.ErrHoldLost)
		s.NoError(
			send(
				"last", store.HoldChange{Name: store.HoldOpen, Guarded: true, Close: true},
				store.HoldChange{Name: "h", Guarded: true, From: "other", Close: true},
			),
		)
		s.Empty(marks())
		r.counts(store.Counts{Pending: 5}, "first, second, same, taken, last")
	}},
	{"one batch may serve several runs", func(s *scene) {
		a := s.open("import")
		var b *run
		for b == nil || b.partition != a.partition {
			b = s.open(s.name("other"))
		}
		reply := a.producer().send(store.EnqueueParams{
			Holds: []store.HoldChange{
				{Run: a.id, Name: "h"},
				{Run: b.id, Name: store.HoldOpen, Close: true},
				{Run: a.id, Name: store.HoldOpen, Close: true},
			},
			Entries: []store.Entry{
				{
					Run:  a.id,
					Item: task(scan, "1"),
				}, {Run: b.id, Item: task(scan, "2")}, {Run: a.id, Item: task(file, "3")},
			},
		})
		for _, res := range reply.Entries {
			s.NoError(res.Err)
		}
		a.counts(store.Counts{Pending: 2}, "two of three")
		b.counts(store.Counts{Pending: 1}, "one of three")
		s.Equal(int64(1), a.record().Holds)
		s.Zero(b.record().Holds)
	}},
}
