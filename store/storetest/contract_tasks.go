package storetest

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var tasksContract = []testCase{
	{"a task is delivered as it was enqueued, however it came", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		p, w := r.producer(), r.worker()
		rich := func(route store.Route, id string) store.Item {
			it := claimed(route, id, time.Minute)
			it.Task.Payload = []byte{0, 1, 0xfe, 0xff, '"', '\n'}
			it.Task.Headers = map[string]string{"trace": "1\x00", "": "é"}
			it.Task.Attributes = []byte(`{"max_retries":1}`)
			it.Task.Enqueued = time.UnixMilli(1_700_000_000_123)
			it.Task.Expires = time.UnixMilli(1_700_000_060_456) // a store delivers it all the same
			return it
		}
		p.add(r, rich(file, "enqueued"))
		root := w.one()
		if root.Lease.Lane.Route != scan {
			root = w.one()
		}
		s.NoError(w.stage(root, file, 0, rich(file, "staged")))
		w.settle(withStaged(success(root, rich(file, "inline")), staged(file, 1)))

		seen := make(map[string]int)
		check := func(d store.Delivery) store.Outcome {
			want := rich(file, d.Task.ID).Task
			s.True(want.Enqueued.Equal(d.Task.Enqueued), "Enqueued: %v", d.Task.Enqueued)
			got := d.Task
			s.True(want.Expires.Equal(d.Task.Expires), "Expires: %v", d.Task.Expires)
			want.Enqueued, got.Enqueued, got.Ready = time.Time{}, time.Time{}, time.Time{}
			want.Expires, got.Expires = time.Time{}, time.Time{}
			want.Retry, want.Recovered = got.Retry, got.Recovered
			s.Equal(want, got)
			s.Equal(store.Lane{Run: r.id, Route: file}, d.Lease.Lane)
			if seen[d.Task.ID]++; seen[d.Task.ID] == 1 {
				return retried(d, 0)
			}
			return success(d)
		}
		for _, d := range w.held() {
			w.settle(check(d))
		}
		w.drain(check)
		s.Equal(map[string]int{"enqueued": 2, "inline": 2, "staged": 2}, seen, "each as it was, also when tried again")
	}},
	{"empty payloads and headers stay empty", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, store.Item{Route: scan, Task: store.Task{ID: "t"}})
		d := w.one()
		s.Empty(d.Task.Payload)
		s.Empty(d.Task.Headers)
		s.Empty(d.Task.Attributes)
	}},
	{"a claimed ID is refused in any lane until its task settled", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		duplicate := func(route store.Route) bool {
			s.tb.Helper()
			res := p.offer(r, claimed(route, "a", 0))[0]
			s.NoError(res.Err)
			return res.Duplicate
		}
		s.False(duplicate(scan))
		s.True(duplicate(scan), "while it waits")
		s.True(duplicate(file), "in another lane")
		d := w.one()
		s.True(duplicate(scan), "while it runs")
		w.settle(retried(d, 0))
		s.True(duplicate(scan), "while it backs off")
		w.settle(plain(w.one(), verdicts.Release))
		s.True(duplicate(scan), "once it was released")
		w.one()
		w.close()
		s.True(duplicate(scan), "after its session ended")
		w = r.worker()
		w.succeed(w.one())
		s.False(duplicate(scan), "once it has succeeded")
		w.settle(failed(w.one()))
		s.False(duplicate(scan), "once it has failed")
		s.Equal(int64(6), r.record().Duplicate)
		r.counts(store.Counts{Pending: 1, Succeeded: 1, Failed: 1}, "three in turn")
	}},
	{"a claimed ID twice in one batch is there once", func(s *scene) {
		r := s.open("import")
		kept := 0
		for _, res := range r.producer().offer(r, claimed(scan, "a", 0), claimed(file, "a", 0), claimed(scan, "a", 0)) {
			s.NoError(res.Err)
			if !res.Duplicate {
				kept++
			}
		}
		s.Equal(1, kept)
		r.counts(store.Counts{Pending: 1}, "one of three")
	}},
	{"a claimed ID is kept after its task settled, for Keep", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, claimed(scan, "long", never), claimed(scan, "short", 2*tick))
		w.succeed(w.take(2)...)
		s.True(p.offer(r, claimed(scan, "long", never))[0].Duplicate)
		s.until(r.partition, "the short one is free again", func() bool {
			return !p.offer(r, claimed(scan, "short", 0))[0].Duplicate
		})
		s.True(p.offer(r, claimed(scan, "long", never))[0].Duplicate)
	}},
	{"IDs are unique in a run, not beyond, and only if claimed", func(s *scene) {
		a, b := s.open("a"), s.open("b")
		a.producer().add(a, claimed(scan, "x", 0))
		b.producer().add(b, claimed(scan, "x", 0))
		a.producer().add(a, task(scan, "x"), task(scan, "x"))
		a.counts(store.Counts{Pending: 3}, "generated IDs are not claimed")
	}},
}
