package storetest

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// tryChange calls ChangeTask until it has found the task, or has looked at all.
func (s *scene) tryChange(p store.ChangeTaskParams) (verdicts.Change, error) {
	for range 10_000 {
		reply, err := s.store.ChangeTask(s.ctx, p)
		if p.Cursor = reply.Next; err != nil || p.Cursor == "" {
			return reply.Change, err
		}
	}
	s.Fail("ChangeTask goes on for ever")
	return "", nil
}

// cancel cancels a task of the run, once more as if the reply was lost.
func (r *run) cancel(id string) verdicts.Change {
	r.s.tb.Helper()
	p := store.ChangeTaskParams{Run: r.id, ID: id, Cancel: true}
	first, err := r.s.tryChange(p)
	r.s.NoError(err)
	again, err := r.s.tryChange(p)
	r.s.NoError(err)
	r.s.Equal(first, again, "a repeat has the same answer")
	return first
}

// reschedule gives a task of the run another due time, zero for now.
func (r *run) reschedule(id string, due time.Time) verdicts.Change {
	r.s.tb.Helper()
	change, err := r.s.tryChange(store.ChangeTaskParams{Run: r.id, ID: id, Due: due})
	r.s.NoError(err)
	return change
}

// waitingPlaces says how a task with an ID comes to each place where it waits, and what the run
// counts then.
var waitingPlaces = []struct {
	name string
	put  func(r *run, w *worker, p *producer, id string) store.Counts
}{
	{"waiting", func(r *run, _ *worker, p *producer, id string) store.Counts {
		p.add(r, task(file, id))
		return store.Counts{Pending: 1}
	}},
	{"waiting with a claimed ID", func(r *run, _ *worker, p *producer, id string) store.Counts {
		p.add(r, claimed(file, id, 0))
		return store.Counts{Pending: 1}
	}},
	{"delayed", func(r *run, _ *worker, p *producer, id string) store.Counts {
		p.add(r, delayed(file, id, never))
		return store.Counts{Delayed: 1}
	}},
	{"retrying", func(r *run, w *worker, p *producer, id string) store.Counts {
		p.add(r, claimed(file, id, 0))
		w.settle(retried(w.one(), never))
		return store.Counts{Delayed: 1}
	}},
	{"tried again", func(r *run, w *worker, p *producer, id string) store.Counts {
		p.add(r, task(file, id))
		w.settle(retried(w.one(), 0))
		return store.Counts{Pending: 1}
	}},
	{"released", func(r *run, w *worker, p *producer, id string) store.Counts {
		p.add(r, task(file, id))
		w.settle(plain(w.one(), verdicts.Release))
		return store.Counts{Pending: 1}
	}},
	{"recovered", func(r *run, _ *worker, p *producer, id string) store.Counts {
		p.add(r, task(file, id))
		dies := r.worker()
		dies.one()
		dies.close()
		return store.Counts{Pending: 1}
	}},
	{"staged", func(r *run, w *worker, p *producer, id string) store.Counts {
		p.add(r, task(scan, "parent"))
		d := w.one()
		r.s.NoError(w.stage(d, file, 0, task(file, id)))
		w.settle(withStaged(success(d), staged(file, 1)))
		return store.Counts{Pending: 1, Succeeded: 1}
	}},
	{"staged with a claimed ID", func(r *run, w *worker, p *producer, id string) store.Counts {
		p.add(r, task(scan, "parent"))
		d := w.one()
		r.s.NoError(w.stage(d, file, 0, claimed(file, id, 0)))
		w.settle(withStaged(success(d), staged(file, 1)))
		return store.Counts{Pending: 1, Succeeded: 1}
	}},
	{"waiting in a run that is paused", func(r *run, _ *worker, p *producer, id string) store.Counts {
		p.add(r, task(file, id))
		r.pause(true)
		return store.Counts{Pending: 1}
	}},
	{"waiting under a pause", func(r *run, _ *worker, p *producer, id string) store.Counts {
		r.s.NoError(r.s.store.Pause(r.s.ctx, r.partition, store.Pause{Scope: store.PauseScope{Queue: file.Queue}}))
		p.add(r, task(file, id))
		return store.Counts{Pending: 1}
	}},
}

// cancelled is what the counts become when the task that waits is cancelled.
func cancelled(c store.Counts) store.Counts {
	c.Cancelled += c.Pending + c.Delayed
	c.Pending, c.Delayed = 0, 0
	return c
}

// requestEnds says how a lease ends after a request to cancel its task, and what that counts as.
var requestEnds = []struct {
	name string
	end  func(w *worker, d store.Delivery)
	want store.Counts
}{
	{"success", reporting(func(d store.Delivery) store.Outcome { return success(d) }), store.Counts{Succeeded: 1}},
	{"success with counters", reporting(func(d store.Delivery) store.Outcome {
		return counting(success(d), map[string]int64{"n": 1})
	}), store.Counts{Succeeded: 1}},
	{"success with a child", reporting(func(d store.Delivery) store.Outcome {
		return success(d, task(scan, "child"))
	}), store.Counts{Pending: 1, Succeeded: 1}},
	{"failure", reporting(failed), store.Counts{Failed: 1}},
	{"cancel", reporting(func(d store.Delivery) store.Outcome {
		return plain(d, verdicts.Cancel)
	}), store.Counts{Cancelled: 1}},
	{"retry", reporting(func(d store.Delivery) store.Outcome { return retried(d, 0) }), store.Counts{Cancelled: 1}},
	{"retry after a delay", reporting(func(d store.Delivery) store.Outcome {
		return retried(d, never)
	}), store.Counts{Cancelled: 1}},
	{"snooze", reporting(func(d store.Delivery) store.Outcome {
		return snoozed(d, never)
	}), store.Counts{Cancelled: 1}},
	{"release", reporting(func(d store.Delivery) store.Outcome {
		return plain(d, verdicts.Release)
	}), store.Counts{Cancelled: 1}},
	{"retry, with staged children", func(w *worker, d store.Delivery) {
		w.s.NoError(w.stage(d, scan, 0, task(scan, "child")))
		w.settle(withStaged(retried(d, 0), staged(scan, 1)))
	}, store.Counts{Cancelled: 1}},
	{"its session ends", func(w *worker, _ store.Delivery) { w.close() }, store.Counts{Cancelled: 1}},
}

// reporting ends a lease by an outcome.
func reporting(outcome func(store.Delivery) store.Outcome) func(*worker, store.Delivery) {
	return func(w *worker, d store.Delivery) { w.settle(outcome(d)) }
}

var taskChangesContract = []testCase{
	{"a task is cancelled wherever it waits: it counts at once, and never comes", func(s *scene) {
		for i, at := range waitingPlaces {
			r := s.open(fmt.Sprint("import", i))
			w, p := r.worker(), r.producer()
			counts := at.put(r, w, p, "t")
			r.counts(counts, at.name)
			s.Equal(verdicts.ChangeCancelled, r.cancel("t"), at.name)
			r.counts(cancelled(counts), at.name)
			s.Empty(r.list(store.TasksParams{ID: "t"}), at.name)
			s.agrees(r.inspect())
			s.NoError(s.store.Resume(s.ctx, r.partition, store.PauseScope{Queue: file.Queue}))
			r.pause(false)
			s.promote(r.partition)
			w.none(at.name)

			p.add(r, claimed(file, "t", 0))
			d := w.one()
			s.Equal("t", d.Task.ID, "its ID is free, and its lane is served again: %s", at.name)
			w.succeed(d)
			p.seal(r)
			r.status(statuses.Succeeded)
			report, err := s.store.Repair(s.ctx, store.RepairParams{Job: r.id.Job})
			s.NoError(err)
			s.Empty(report.Damage, at.name)
		}
	}},
	{"after a request only success and failure of the lease stand, and nobody gets the task again", func(s *scene) {
		for i, by := range requestEnds {
			r := s.open(fmt.Sprint("import", i))
			w, p := r.worker(), r.producer()
			p.add(r, claimed(file, "t", 0))
			d := w.one()
			s.Equal(verdicts.ChangeRequested, r.cancel("t"), by.name)
			r.counts(store.Counts{Running: 1}, "requested: "+by.name)
			beat, err := w.heartbeat(r)
			s.NoError(err)
			s.Equal([]store.Lease{d.Lease}, beat.Cancelled, "the worker hears of it")
			s.Equal(1, beat.Held)
			by.end(w, d)
			r.counts(by.want, by.name)
			s.Equal(verdicts.ChangeRequested, r.cancel("t"), "a repeat after the end: %s", by.name)
			s.promote(r.partition)
			w = r.worker()
			for _, d := range w.fetch(10) {
				s.Equal("child", d.Task.ID, by.name)
				w.succeed(d)
			}
			p.add(r, claimed(file, "t", 0))
			w.succeed(w.one())
			beat, err = w.heartbeat(r)
			s.NoError(err)
			s.Empty(beat.Cancelled)
			s.Zero(beat.Held)
		}
	}},
	{"a request outlives the session that has the lease, also if its time runs out", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.shortLived()
		p.add(r, task(file, "t"), task(file, "other"))
		w.take(2)
		s.Equal(verdicts.ChangeRequested, r.cancel("t"))
		s.lapse(w)
		r.counts(store.Counts{Pending: 1, Cancelled: 1}, "the session was swept")
		s.Equal([]string{"other"}, ids(r.worker().take(1)))
	}},
	{"of a fetch and a cancellation the first wins", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(file, "t", 3)...)
		s.Equal(verdicts.ChangeCancelled, r.cancel("t/1"))
		s.Equal([]string{"t/0", "t/2"}, ids(w.fetch(10)))
		s.Equal(verdicts.ChangeRequested, r.cancel("t/0"))
		again, err := w.refetch(10)
		s.NoError(err)
		s.Equal([]string{"t/0", "t/2"}, ids(again), "the reply to the fetch was lost: the lease goes on")
		r.counts(store.Counts{Running: 2, Cancelled: 1}, "one of each")
	}},
	{"of a stop and a cancellation the first wins, and both count once", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(file, "t", 3)...)
		ds := w.take(2)
		s.Equal(verdicts.ChangeRequested, r.cancel(ds[0].Task.ID))
		r.stop(true)
		s.Equal(verdicts.ChangeRequested, r.cancel(ds[1].Task.ID), "it still runs")
		s.Empty(r.cancel("t/2"), "the stop has cancelled it")
		r.counts(store.Counts{Running: 2, Cancelled: 1}, "stopping")
		w.settle(retried(ds[0], 0), success(ds[1]))
		r.counts(store.Counts{Succeeded: 1, Cancelled: 2}, "stopped")
		r.status(statuses.Stopped)
		s.Equal(verdicts.ChangeRequested, r.cancel(ds[0].Task.ID), "a repeat")
	}},
	{"the root task is cancelled before the pre-job hook has passed", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", PreJob: hook(preJob), PostJob: hook(postJob)})
		w := r.worker()
		d := w.one()
		s.Equal(verdicts.ChangeNotDelayed, r.reschedule("root", time.Time{}))
		s.Equal(verdicts.ChangeCancelled, r.cancel("root"))
		r.counts(store.Counts{Cancelled: 1}, "cancelled")
		s.Empty(r.list(store.TasksParams{}))
		s.agrees(r.inspect())
		w.settle(plain(d, verdicts.Begin))
		r.status(statuses.Finishing)
		s.Empty(r.cancel(postJob.Kind), "a hook is not cancelled")
		w.settle(hookDone(w.one(), ""))
		r.status(statuses.Succeeded)
	}},
	{"the last task that is cancelled ends its run", func(s *scene) {
		for i, at := range waitingPlaces {
			r := s.start(store.StartParams{Job: fmt.Sprint("import", i), Open: true})
			w, p := r.worker(), r.producer()
			at.put(r, w, p, "t")
			if at.name == "waiting in a run that is paused" {
				r.pause(false)
			}
			before := r.record().Counts
			p.seal(r)
			s.Equal(verdicts.ChangeCancelled, r.cancel("t"), at.name)
			r.counts(cancelled(before), at.name)
			r.status(statuses.Succeeded)
			s.sweep(r.partition)
			s.NoError(s.store.Resume(s.ctx, r.partition, store.PauseScope{Queue: file.Queue}))
		}
	}},
	{"what is not there, has ended or is a hook is not found", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", Open: true, PreJob: hook(preJob)})
		w, p := r.worker(), r.producer()
		s.Empty(r.cancel(preJob.Kind), "a hook that waits")
		hooked := w.one()
		s.Empty(r.cancel(preJob.Kind), "a hook that runs")
		w.settle(plain(hooked, verdicts.Begin))
		p.add(r, task(scan, "good"), task(scan, "bad"))
		for _, d := range w.take(2) {
			w.settle(pickEven(len(d.Task.ID)-3, success(d), failed(d)))
		}
		p.add(r, task(scan, "parent"))
		parent := w.one()
		s.NoError(w.stage(parent, file, 0, task(file, "child")))
		for _, id := range []string{"good", "bad", "nobody", "child", ""} {
			if id == "" {
				continue
			}
			s.Empty(r.cancel(id), id)
			s.Empty(r.reschedule(id, time.Time{}), id)
		}
		w.settle(withStaged(success(parent), staged(file, 1)))
		s.Equal(verdicts.ChangeCancelled, r.cancel("child"), "once its parent has succeeded")
		other := s.jobBeside(r.id.Job)
		for _, id := range []store.RunID{{Job: r.id.Job, Number: r.id.Number + 1}, {Job: other, Number: r.id.Number}} {
			_, err := s.store.ChangeTask(s.ctx, store.ChangeTaskParams{Run: id, ID: "t", Cancel: true})
			s.ErrorIs(err, store.ErrRunNotFound)
		}
		_, err := s.store.ChangeTask(s.ctx, store.ChangeTaskParams{Run: r.id, ID: "t", Cursor: "next"})
		s.refuses(err, "Cursor")
	}},
	{"a claimed ID is kept for Keep when its task is cancelled", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, claimed(file, "waits", never), claimed(scan, "runs", never))
		late := claimed(file, "later", never)
		late.Delay = never
		p.add(r, late)
		w.queues = only(scan)
		d := w.one()
		s.Equal(verdicts.ChangeCancelled, r.cancel("waits"))
		s.Equal(verdicts.ChangeCancelled, r.cancel("later"))
		s.Equal(verdicts.ChangeRequested, r.cancel("runs"))
		w.close()
		r.counts(store.Counts{Cancelled: 3}, "all are cancelled")
		for _, id := range []string{"waits", "later", d.Task.ID} {
			s.True(p.offer(r, claimed(file, id, 0))[0].Duplicate, id)
		}
	}},
	{"many tasks of a long line are cancelled, and the others come, each once", func(s *scene) {
		const n = 2500
		r := s.open("import")
		p, w := r.producer(), r.worker()
		for i := range n / 250 {
			p.add(r, tasks(file, fmt.Sprint(i), 250)...)
		}
		gone := make(map[string]bool)
		for _, id := range []string{"0/0", "0/1", "3/7", "4/249", "5/0", "9/248", "9/249"} {
			s.Equal(verdicts.ChangeCancelled, r.cancel(id), id)
			gone[id] = true
		}
		r.counts(store.Counts{Pending: n - 7, Cancelled: 7}, "cancelled")
		came := make(map[string]bool)
		for _, d := range w.drain(func(d store.Delivery) store.Outcome { return success(d) }) {
			s.False(came[d.Task.ID] || gone[d.Task.ID], d.Task.ID)
			came[d.Task.ID] = true
		}
		s.Len(came, n-7)
		r.counts(store.Counts{Succeeded: n - 7, Cancelled: 7}, "drained")
	}},
	{"a delayed task runs now, or at another time, and a task that waits for no time is left alone", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, delayed(file, "now", never), delayed(file, "soon", never), delayed(file, "later", 2*tick))
		p.add(r, task(scan, "waits"))
		due := time.Now().Add(2 * never).Truncate(time.Millisecond)
		s.Equal(verdicts.ChangeRescheduled, r.reschedule("later", due))
		s.True(due.Equal(r.list(store.TasksParams{ID: "later"})[0].Due))
		s.Equal(verdicts.ChangeRescheduled, r.reschedule("now", time.Time{}))
		s.Equal(verdicts.ChangeRescheduled, r.reschedule("soon", time.Unix(1, 0)))
		r.counts(store.Counts{Pending: 1, Delayed: 3}, "rescheduled")
		s.agrees(r.inspect())
		s.Equal(2, s.promote(r.partition))
		s.Equal(verdicts.ChangeNotDelayed, r.reschedule("now", time.Time{}), "a repeat, once it waits")
		s.Equal(verdicts.ChangeNotDelayed, r.reschedule("waits", due))
		s.Equal([]string{"now", "soon", "waits"}, ids(w.take(3)))
		s.Equal(verdicts.ChangeNotDelayed, r.reschedule("waits", due), "it runs")
		s.Equal(verdicts.ChangeCancelled, r.cancel("later"))
		next, err := s.store.Promote(s.ctx, r.partition)
		s.NoError(err)
		s.True(next.Next.IsZero(), "nothing is due any more: %v", next.Next)
		report, err := s.store.Repair(s.ctx, store.RepairParams{Job: r.id.Job})
		s.NoError(err)
		s.Empty(report.Damage)
	}},
	{"a run remembers all its cancellations for a time", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		const n = 100
		p.add(r, tasks(file, "t", n)...)
		for range 2 { // the second time are repeats
			for i := range n {
				s.Equal(verdicts.ChangeCancelled, r.cancel(fmt.Sprint("t/", i)), i)
			}
		}
		if !s.h.Bubble {
			return // it takes longer than a test may wait for
		}
		s.h.Advance(s.tb, bounds.StreamKept-tick)
		s.Equal(verdicts.ChangeCancelled, r.cancel("t/7"), "not over yet")
		p.add(r, task(file, "late"))
		s.Equal(verdicts.ChangeCancelled, r.cancel("late"))
		s.h.Advance(s.tb, 2*tick)
		s.Empty(r.cancel("t/7"), "it is over; a repeat did not begin it anew")
		s.Equal(verdicts.ChangeCancelled, r.cancel("late"), "another one is not over")
	}},
}
