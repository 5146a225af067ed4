package storetest

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var workersContract = []testCase{
	{"live sessions are listed with what they hold and run", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, tasks(scan, "t", 5)...)
		info := store.WorkerInfo{
			Name: "worker-1", Host: "host", PID: 42, Concurrency: 8, Routes: []store.Route{scan, file},
			Started: time.Unix(1_700_000_000, 0).UTC(),
		}
		w := &worker{s: s, session: store.SessionID{Partition: r.partition, ID: "session"}, queues: everything()}
		s.NoError(s.store.OpenSession(s.ctx, w.session, info, steady))
		ds := w.take(3)
		running := []store.RunningTask{
			{
				Run:   r.id,
				ID:    ds[0].Task.ID,
				Kind:  scan.Kind,
				Queue: scan.Queue,
				Since: time.Unix(1_700_000_001, 0).UTC(),
			},
		}
		beat, err := s.store.Heartbeat(
			s.ctx, store.HeartbeatParams{
				Session: w.session, Lease: steady, Running: running, Configurations: map[string]int64{"photos": 1<<53 - 1},
			},
		)
		s.NoError(err)
		s.Equal(3, beat.Held)

		live := s.live(r.partition)
		s.Len(live, 1)
		got := live[0]
		s.True(info.Started.Equal(got.Worker.Started))
		s.Len(got.Running, 1)
		s.True(running[0].Since.Equal(got.Running[0].Since))
		s.WithinDuration(beat.Now.Add(steady), got.Expires, time.Minute)
		got.Worker.Started, got.Running[0].Since, got.Expires = info.Started, running[0].Since, time.Time{}
		s.Equal(store.SessionRecord{
			ID: "session", Partition: r.partition, Worker: info, Held: 3, Running: running,
			Configurations: map[string]int64{"photos": 1<<53 - 1},
		}, got)
		_, err = w.heartbeat()
		s.NoError(err)
		s.Empty(s.live(r.partition)[0].Configurations, "what a heartbeat says replaces what the one before said")

		w.close()
		s.Empty(s.live(r.partition))
		s.ErrorIs(func() error { _, err := w.heartbeat(); return err }(), store.ErrLeaseLost)
	}},
	{"a session whose lease ran out is overdue until a sweep closes it", func(s *scene) {
		r := s.open("import")
		s.sweep(r.partition)
		dead, alive := r.shortLived(), r.worker()
		for range patience {
			s.h.Advance(s.tb, 5*tick)
			overdue := make(map[string]bool)
			for _, rec := range s.live(r.partition) {
				overdue[rec.ID] = rec.Overdue
			}
			s.False(overdue[alive.session.ID])
			if overdue[dead.session.ID] {
				s.lapse(dead)
				return
			}
		}
		s.Fail("nobody is overdue")
	}},
	{"a session that is not heard from leaves one record, one that is closed leaves none", func(s *scene) {
		r := s.open("import")
		s.sweep(r.partition)
		s.Empty(s.lostSessions(r.partition))
		r.producer().add(r, tasks(scan, "t", 3)...)
		orderly := r.worker()
		orderly.close()
		info := store.WorkerInfo{
			Name: "worker-1", Host: "host", PID: 42, Concurrency: 8, Version: "v1.2.3", Routes: []store.Route{scan, file},
			Started: time.Unix(1_700_000_000, 0).UTC(),
		}
		w := &worker{s: s, session: store.SessionID{Partition: r.partition, ID: "session"}, queues: everything()}
		s.NoError(s.store.OpenSession(s.ctx, w.session, info, steady))
		w.take(2)
		beat, err := s.store.Heartbeat(s.ctx, store.HeartbeatParams{Session: w.session, Lease: brief})
		s.NoError(err)
		s.Empty(s.lostSessions(r.partition))
		s.lapse(w)
		s.sweep(r.partition)
		w.close() // a worker that was only cut off
		list := s.lostSessions(r.partition)
		s.Len(list, 1)
		got := list[0]
		s.WithinDuration(beat.Now, got.Heard, time.Millisecond)
		s.GreaterOrEqual(got.Ended.Sub(got.Heard), brief)
		s.True(info.Started.Equal(got.Worker.Started))
		info.Routes, got.Worker.Started = nil, info.Started
		s.Equal(store.LostSession{ID: "session", Worker: info, Heard: got.Heard, Ended: got.Ended, Held: 2}, got)

		second := r.shortLived()
		s.lapse(second)
		list = s.lostSessions(r.partition)
		s.Len(list, 2)
		s.Equal([]string{second.session.ID, "session"}, []string{list[0].ID, list[1].ID}, "newest first")
		s.Zero(list[0].Held)
	}},
	{"the newest records of lost sessions are kept, for a time", func(s *scene) {
		r := s.open("import")
		s.sweep(r.partition)
		for range bounds.MaxLost + 3 {
			r.shortLived()
		}
		s.until(r.partition, "they are swept", func() bool { return len(s.live(r.partition)) == 0 })
		s.Len(s.lostSessions(r.partition), bounds.MaxLost)
		last := r.shortLived()
		s.lapse(last)
		list := s.lostSessions(r.partition)
		s.Len(list, bounds.MaxLost)
		s.Equal(last.session.ID, list[0].ID)
		if s.h.Bubble { // elsewhere a day takes longer than a test may wait for
			s.h.Advance(s.tb, bounds.LostKept+time.Second)
			s.Empty(s.lostSessions(r.partition))
		}
	}},
	{"a stall does not change when a lost session was heard from", func(s *scene) {
		if !s.h.Bubble {
			return // a stall takes longer than a test may wait for
		}
		r := s.open("import")
		s.sweep(r.partition)
		heard := s.now(r.worker())
		w := r.shortLived()
		s.h.Advance(s.tb, time.Hour)
		s.sweep(r.partition)
		s.lapse(w)
		list := s.lostSessions(r.partition)
		s.Len(list, 1)
		s.WithinDuration(heard, list[0].Heard, time.Second)
		s.Greater(list[0].Ended.Sub(heard), time.Hour)
	}},
	{"what is held is listed as it was delivered", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, append(tasks(scan, "scan", 3), tasks(file, "file", 3)...)...)
		w := r.worker()
		ds := w.take(6)
		s.ElementsMatch(ds, w.held())
		w.succeed(ds[:4]...)
		s.ElementsMatch(ds[4:], w.held())
		w.succeed(ds[4:]...)
		s.Empty(w.held())
	}},
	{"queues tell what waits and runs, and since when", func(s *scene) {
		r := s.open("import")
		w := r.worker()
		p := r.producer()
		s.Empty(s.queues(r.partition))
		from := s.now(w)
		old := tasks(scan, "old", 1)
		old[0].Task.Enqueued = from.Add(-time.Minute)
		p.add(r, old...)
		p.add(r, tasks(scan, "scan", 4)...)
		p.add(r, tasks(file, "file", 2)...)
		w.queues = only(file)
		held := w.one()
		q := s.queues(r.partition)
		s.Equal(int64(5), q[scan].Waiting)
		s.Equal(int64(1), q[scan].Runs)
		s.Zero(q[scan].Running)
		s.WithinDuration(from.Add(-time.Minute), q[scan].Oldest, time.Second)
		s.Equal(int64(1), q[file].Waiting)
		s.Equal(int64(1), q[file].Running)

		var other *run
		for other == nil || other.partition != r.partition {
			other = s.open(s.name("other"))
		}
		p.add(other, tasks(scan, "t", 3)...)
		q = s.queues(r.partition)
		s.Equal(int64(8), q[scan].Waiting)
		s.Equal(int64(2), q[scan].Runs)
		r.stop(false)
		s.until(r.partition, "a stopped run waits for nothing", func() bool {
			return s.queues(r.partition)[scan].Waiting == 3
		})
		w.settle(plain(held, verdicts.Cancel))
		w.queues = only(scan)
		s.until(r.partition, "nothing waits or runs", func() bool {
			w.drain(wellDone)
			return len(s.queues(r.partition)) == 0
		})
	}},
	{"promoting says what it moved and what is next", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		none, err := s.store.Promote(s.ctx, r.partition)
		s.NoError(err)
		now := s.now(w)
		s.WithinDuration(now, none.Now, time.Minute)
		none.Now = time.Time{}
		s.Equal(store.PromoteReply{}, none)
		p.add(r, delayed(scan, "soon", tick), delayed(scan, "later", time.Hour))
		s.h.Advance(s.tb, 2*tick)
		moved, err := s.store.Promote(s.ctx, r.partition)
		s.NoError(err)
		s.Equal(1, moved.Promoted)
		s.False(moved.More)
		s.WithinDuration(now.Add(time.Hour), moved.Next, time.Minute)
		r.counts(store.Counts{Pending: 1, Delayed: 1}, "promote")
		for total := 0; total < 2000; total += 200 {
			p.add(r, tasks(file, "warm", 1)...)
			batch := tasks(scan, fmt.Sprintf("d/%d", total), 200)
			for i := range batch {
				batch[i].Delay = tick
			}
			p.add(r, batch...)
		}
		s.until(r.partition, "all are due", func() bool { return r.record().Counts.Delayed == 1 })
		s.Len(w.drain(wellDone), 2011)
	}},
	{"somebody is asked to sweep", func(s *scene) {
		r := s.open("import")
		w := r.worker()
		for range patience {
			beat, err := w.heartbeat()
			s.NoError(err)
			if beat.SweepDue {
				s.sweep(r.partition)
				beat, err = w.heartbeat()
				s.NoError(err)
				s.False(beat.SweepDue, "it was just swept")
				return
			}
			s.h.Advance(s.tb, tick)
		}
		s.Fail("no heartbeat asked for a sweep")
	}},
	{"a stall in which nobody swept kills no session", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		s.sweep(r.partition)
		w := r.shortLived()
		d := w.one()
		if !s.h.Bubble {
			w.succeed(d) // a stall takes longer than a test may wait for
			return
		}
		s.h.Advance(s.tb, time.Hour)
		s.sweep(r.partition)
		s.Len(w.held(), 1, "its worker may have stood still as well")
		w.succeed(d)
		r.status(statuses.Succeeded)
	}},
}

// live lists the sessions of the partition.
func (s *scene) live(partition int) []store.SessionRecord {
	s.tb.Helper()
	live, err := s.store.LiveSessions(s.ctx, partition)
	s.NoError(err)
	return live
}

// lostSessions lists the records of lost sessions of the partition.
func (s *scene) lostSessions(partition int) []store.LostSession {
	s.tb.Helper()
	lost, err := s.store.LostSessions(s.ctx, partition)
	s.NoError(err)
	return lost
}

// queues reads how many tasks there are in the partition, by route, where there are any.
func (s *scene) queues(partition int) map[store.Route]store.QueueRecord {
	s.tb.Helper()
	list, err := s.store.QueueStats(s.ctx, partition)
	s.NoError(err)
	byRoute := make(map[store.Route]store.QueueRecord)
	for _, q := range list {
		s.NotContains(byRoute, q.Route)
		if byRoute[q.Route] = q; depthsOf(q) == (store.QueueRecord{Route: q.Route}) {
			delete(byRoute, q.Route)
		}
	}
	return byRoute
}
