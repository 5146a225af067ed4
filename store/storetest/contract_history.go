package storetest

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/histogram"
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
	{"histograms are in the points of the next sweep, each once", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, tasks(scan, "scan", 4)...)
		w, dead := r.worker(), r.worker()
		late := dead.one()
		took := func(wait, run time.Duration, n int64) store.Times {
			of := func(d time.Duration) histogram.Histogram {
				return histogram.Histogram{histogram.Of(histogram.Index(d), n)}
			}
			return store.Times{Wait: of(wait), Run: of(run)}
		}
		a, b, c := took(0, time.Millisecond, 1), took(time.Minute, 1000*time.Hour, 7), took(0, time.Second, 2)
		of := func(route store.Route, t store.Times) store.RouteTimes {
			return store.RouteTimes{Route: route, Times: t}
		}

		outcomes := []store.Outcome{success(w.one()), failed(w.one()), success(late)} // not its own
		w.times = []store.RouteTimes{of(scan, a), of(file, b), of(scan, c)}
		for range 3 {
			reply, err := w.try(outcomes...)
			for range 2 {
				again, err2 := w.resettle(outcomes...)
				s.NoError(err2)
				s.Equal(reply, again)
			}
			s.NoError(err)
			outcomes = nil // those without outcomes count, too
		}
		w.times = nil
		w.settle(success(w.one()))
		s.NoError(s.store.CloseSession(s.ctx, dead.session))
		dead.times = []store.RouteTimes{of(scan, b)}
		_, err := dead.try(success(late))
		s.ErrorIs(err, store.ErrLeaseLost)
		s.Empty(s.took(r.partition, false), "nobody has swept")

		s.sweep(r.partition)
		thrice := func(t store.Times) store.Times { return t.Plus(t).Plus(t) }
		want := map[store.Route]store.Times{scan: thrice(a.Plus(c)), file: thrice(b)}
		s.Equal(want, s.took(r.partition, false))
		s.Equal(want, s.took(r.partition, true))
		s.sweep(r.partition)
		s.Equal(want, s.took(r.partition, false), "there were no others since")
		s.Equal(want, s.took(r.partition, true))
		points := s.points(r.partition, false)
		for i := range points {
			for j := range points[i].Wait {
				points[i].Wait[j].Count = 0
			}
		}
		s.Equal(want, s.took(r.partition, false), "a reply is a copy")
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
