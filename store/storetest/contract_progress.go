package storetest

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
)

var progressContract = []testCase{
	{"a run shows what its running tasks report, until they report no more", func(s *scene) {
		r := s.open("import")
		p, a, b := r.producer(), r.worker(), r.worker()
		p.add(r, tasks(scan, "t", 3)...)
		first, second, silent := a.one(), b.one(), b.one()
		s.Empty(r.record().Reporting)

		later := running(second, 2, store.Progress{Done: 1, Total: 3, Message: "two\nlines, \"quoted\" \u2028"})
		b.beats(later, running(silent, 3, store.Progress{}))
		r.shows(later)
		early := running(first, 1, store.Progress{Done: 9})
		a.beats(early)
		r.shows(early, later)
		for range 2 {
			early.Progress.Done++
			a.beats(early)
			r.shows(early, later)
		}
		b.beats()
		r.shows(early)
		a.close()
		s.until(
			r.partition, "what a closed session reported is gone", func() bool { return len(r.record().Reporting) == 0 },
		)
	}},
	{"a report is of one run", func(s *scene) {
		r := s.open("import")
		var other *run
		for other == nil || other.partition != r.partition {
			other = s.open(s.name("other"))
		}
		p, w := r.producer(), r.worker()
		p.add(r, task(scan, "t"))
		p.add(other, task(file, "u"))
		w.queues = only(scan)
		mine := running(w.one(), 1, store.Progress{Done: 1, Total: 2})
		w.queues = only(file)
		theirs := running(w.one(), 2, store.Progress{Done: 3, Total: 4})
		w.beats(mine, theirs)
		r.shows(mine)
		other.shows(theirs)
		w.beats(theirs)
		r.shows()
		other.shows(theirs)
	}},
	{"a run that has ended shows none, whatever is reported late", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		d := w.one()
		report := running(d, 1, store.Progress{Done: 1})
		w.beats(report)
		r.shows(report)
		w.succeed(d)
		r.status(statuses.Succeeded)
		r.shows()
		report.Progress.Done++
		w.beats(report)
		r.shows()
		s.NoError(s.store.DeleteRun(s.ctx, r.id))
		report.Progress.Done++
		w.beats(report)
		_, err := s.store.Run(s.ctx, r.id)
		s.ErrorIs(err, store.ErrRunNotFound, "a report brings no run back")
	}},
	{"what a dead session reported goes with its lease", func(s *scene) {
		r := s.open("import")
		p, dead := r.producer(), r.shortLived()
		p.add(r, task(scan, "t"))
		report := running(dead.one(), 1, store.Progress{Done: 1})
		_, err := s.store.Heartbeat(
			s.ctx, store.HeartbeatParams{Session: dead.session, Lease: brief, Running: []store.RunningTask{report}},
		)
		s.NoError(err)
		s.until(r.partition, "the report is gone", func() bool { return len(r.record().Reporting) == 0 })
	}},
	{"a repeated opening of a session leaves what it reported", func(s *scene) {
		r := s.open("import")
		w := r.worker()
		report := store.RunningTask{Run: r.id, ID: "t", Since: time.Unix(1, 0).UTC(), Progress: store.Progress{Done: 1}}
		w.beats(report)
		s.NoError(s.store.OpenSession(s.ctx, w.session, store.WorkerInfo{Name: "again"}, steady))
		r.shows(report)
		live := s.live(r.partition)
		s.Len(live, 1)
		s.Equal("again", live[0].Worker.Name)
		s.Len(live[0].Running, 1, "as its run shows it")
	}},
	{"what a run shows is bounded", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		const sessions, each = 8, 20
		p.add(r, tasks(scan, "t", sessions*each)...)
		for i := range sessions {
			w := r.worker()
			var list []store.RunningTask
			for j, d := range w.take(each) {
				list = append(list, running(d, i*each+j, store.Progress{Done: 1}))
			}
			w.beats(list...)
			shown := r.record().Reporting
			s.LessOrEqual(len(shown), bounds.MaxReporting)
			s.NotEmpty(shown)
		}
		s.Len(r.record().Reporting, bounds.MaxReporting)
	}},
	{"progress is signalled", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, task(scan, "t"))
		report := running(w.one(), 1, store.Progress{Done: 1})
		l := s.listen()
		defer l.stop()
		w.beats(report)
		l.hears("progress", func(sig store.Signal) bool {
			return sig.Type == signals.Progress && sig.Partition == r.partition && sig.Run == r.id.Number
		})
	}},
}

// running returns a delivery in the form of a worker's report; at orders the starts of attempts.
func running(d store.Delivery, at int, p store.Progress) store.RunningTask {
	return store.RunningTask{
		Run: d.Lease.Lane.Run, ID: d.Task.ID, Kind: d.Lease.Lane.Route.Kind, Queue: d.Lease.Lane.Route.Queue, Retry: d.Task.Retry,
		Since: time.Unix(1_700_000_000+int64(at), 0).UTC(), Progress: p,
	}
}

// beats makes a heartbeat with these running tasks.
func (w *worker) beats(list ...store.RunningTask) {
	w.s.tb.Helper()
	_, err := w.s.store.Heartbeat(w.s.ctx, store.HeartbeatParams{Session: w.session, Lease: steady, Running: list})
	w.s.NoError(err)
}

// shows requires the run to show exactly these reports, in order.
func (r *run) shows(want ...store.RunningTask) {
	r.s.tb.Helper()
	got := r.record().Reporting
	r.s.Len(got, len(want))
	for i := range got {
		r.s.True(want[i].Since.Equal(got[i].Since))
		got[i].Since = want[i].Since
		r.s.Equal(want[i], got[i], "report %d", i)
	}
}
