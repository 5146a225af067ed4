package storetest

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
)

var historyContract = []testCase{
	{"the first sweep of a minute notes what was done, once", func(s *scene) {
		r := s.open("import")
		s.Empty(s.history(r.partition, false))
		r.producer().add(r, tasks(scan, "scan", 5)...)
		r.producer().add(r, tasks(file, "file", 2)...)
		w := r.worker()
		ds := w.take(7)
		for _, d := range ds {
			if d.Lease.Lane.Route == scan {
				w.settle(map[string]store.Outcome{
					"scan/0": success(d), "scan/1": success(d), "scan/2": failed(d), "scan/3": retried(d, never), "scan/4": snoozed(d, never),
				}[d.Task.ID])
			}
		}
		s.Empty(s.history(r.partition, false), "nobody has swept")
		s.sweep(r.partition)
		want := map[store.Route]store.Figures{
			scan: {Enqueued: 5, Succeeded: 2, Failed: 1, Retried: 1, Other: 1}, file: {Enqueued: 2},
		}
		s.Equal(want, s.history(r.partition, false))
		s.Equal(want, s.history(r.partition, true))
		s.sweep(r.partition)
		s.Equal(want, s.history(r.partition, false), "nothing was done since")
		s.Equal(want, s.history(r.partition, true))
	}},
	{"points are read from a time, and until before another", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, tasks(scan, "scan", 1)...)
		s.sweep(r.partition)
		promoted, err := s.store.Promote(s.ctx, r.partition)
		s.NoError(err)
		read := func(from, to time.Time) []store.HistoryPoint {
			points, err := s.store.ReadHistory(s.ctx, store.HistoryParams{Partition: r.partition, From: from, To: to})
			s.NoError(err)
			return points
		}
		now := promoted.Now
		all := read(now.Add(-10*time.Minute), now.Add(2*time.Minute))
		s.Len(all, 1)
		at := all[0].At
		s.Equal(all, read(at, at.Add(time.Second)))
		s.Equal(all, read(at.Add(-time.Minute), at.Add(time.Minute)))
		s.Empty(read(at.Add(-time.Minute), at))
		s.Empty(read(at.Add(time.Second), at.Add(time.Minute)))
		s.Empty(read(at, at))
	}},
}
