package storetest

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var exactCounts = []testCase{
	{"after every step of a life", countsOfALife},
	{"while many workers and producers move a run", countsUnderLoad},
	{"a zombie that settles late changes nothing", func(s *scene) {
		r := s.open("import")
		p, zombie, w := r.producer(), r.worker(), r.worker()
		p.add(r, tasks(scan, "t", 3)...)
		ds := zombie.take(3)
		zombie.close()
		again := append(append(w.take(1), w.take(1)...), w.take(1)...)
		for _, late := range []store.Outcome{counting(success(ds[0]), map[string]int64{"files": 1}), failed(ds[1]), retried(ds[2], 0)} {
			_, err := zombie.try(late)
			s.ErrorIs(err, store.ErrLeaseLost)
			r.counts(store.Counts{Running: 3}, "late settle")
		}
		w.succeed(again...)
		r.counts(store.Counts{Succeeded: 3}, "settled by the heir")
		s.Zero(r.record().Retried)
		s.Empty(r.record().Counters)
	}},
	{"repeated calls count once", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, append(tasks(scan, "t", 4), delayed(scan, "d", never))...)
		for range 3 {
			_, err := p.repeat()
			s.NoError(err)
			r.counts(store.Counts{Pending: 4, Delayed: 1}, "enqueue repeated")
		}
		ds := w.fetch(4)
		for range 3 {
			_, err := w.refetch(4)
			s.NoError(err)
			r.counts(store.Counts{Running: 4, Delayed: 1}, "fetch repeated")
		}
		outcomes := []store.Outcome{
			success(ds[0], tasks(file, "c", 2)...),
			failed(ds[1]),
			retried(ds[2], never),
			snoozed(ds[3], never),
		}
		w.settle(outcomes...)
		for range 3 {
			reply, err := w.resettle(outcomes...)
			s.NoError(err)
			s.Empty(reply.Lost)
			r.counts(store.Counts{Pending: 2, Delayed: 3, Succeeded: 1, Failed: 1}, "settle repeated")
		}
		s.Equal(int64(1), r.record().Retried)
	}},
}

// countsOfALife checks the counts after each step.
func countsOfALife(s *scene) {
	r := s.open("import")
	p, w := r.producer(), r.worker()
	r.counts(store.Counts{}, "start of an open run")

	p.add(r, tasks(scan, "t", 8)...)
	r.counts(store.Counts{Pending: 8}, "enqueue of 8")
	p.add(r, delayed(scan, "d/0", never), delayed(file, "d/1", never))
	r.counts(store.Counts{Pending: 8, Delayed: 2}, "enqueue of 2 delayed")

	ds := w.take(4)
	r.counts(store.Counts{Pending: 4, Delayed: 2, Running: 4}, "fetch of 4")
	w.succeed(ds[0])
	r.counts(store.Counts{Pending: 4, Delayed: 2, Running: 3, Succeeded: 1}, "success")
	w.settle(retried(ds[1], never))
	r.counts(store.Counts{Pending: 4, Delayed: 3, Running: 2, Succeeded: 1}, "retry")
	w.settle(failed(ds[2]))
	r.counts(store.Counts{Pending: 4, Delayed: 3, Running: 1, Succeeded: 1, Failed: 1}, "failure")
	w.settle(snoozed(ds[3], never))
	r.counts(store.Counts{Pending: 4, Delayed: 4, Succeeded: 1, Failed: 1}, "snooze")

	w.settle(plain(w.one(), verdicts.Release))
	r.counts(store.Counts{Pending: 4, Delayed: 4, Succeeded: 1, Failed: 1}, "release")
	children := append(tasks(file, "c", 3), delayed(file, "c/later", never))
	w.settle(success(w.one(), children...))
	r.counts(store.Counts{Pending: 6, Delayed: 5, Succeeded: 2, Failed: 1}, "success with 3 children and a delayed one")

	parent := w.one()
	s.NoError(w.stage(parent, file, 0, tasks(file, "s", 5)...))
	r.counts(store.Counts{Pending: 5, Delayed: 5, Running: 1, Succeeded: 2, Failed: 1}, "staging, which shows nothing")
	w.settle(withStaged(success(parent), staged(file, 5)))
	r.counts(store.Counts{Pending: 10, Delayed: 5, Succeeded: 3, Failed: 1}, "success with 5 staged children")

	crashing := r.worker()
	crashing.one()
	r.counts(store.Counts{Pending: 9, Delayed: 5, Running: 1, Succeeded: 3, Failed: 1}, "fetch")
	crashing.close()
	r.counts(store.Counts{Pending: 10, Delayed: 5, Succeeded: 3, Failed: 1}, "end of the session that held it")

	s.False(p.offer(r, claimed(scan, "mine", 0))[0].Duplicate)
	r.counts(store.Counts{Pending: 11, Delayed: 5, Succeeded: 3, Failed: 1}, "enqueue of a claimed ID")
	s.True(p.offer(r, claimed(scan, "mine", 0))[0].Duplicate)
	r.counts(store.Counts{Pending: 11, Delayed: 5, Succeeded: 3, Failed: 1}, "enqueue of its duplicate")
	s.Equal(int64(1), r.record().Duplicate)

	r.pause(true)
	r.counts(store.Counts{Pending: 11, Delayed: 5, Succeeded: 3, Failed: 1}, "pause")
	r.pause(false)
	last := w.take(2)
	r.stop(true)
	r.counts(store.Counts{Running: 2, Succeeded: 3, Failed: 1, Cancelled: 14}, "stop")
	w.succeed(last[0])
	r.counts(store.Counts{Running: 1, Succeeded: 4, Failed: 1, Cancelled: 14}, "success while stopping")
	w.settle(retried(last[1], 0))
	r.counts(store.Counts{Succeeded: 4, Failed: 1, Cancelled: 15}, "retry while stopping")
	r.status(statuses.Stopped)
}

// countsUnderLoad reads the run all the time while producers add tasks, and workers end them in
// every way, and some workers die. Each read must balance.
func countsUnderLoad(s *scene) {
	const producers, workers, each = 4, 6, 60
	r := s.open("import")
	ps := make([]*producer, producers)
	for i := range ps {
		ps[i] = r.producer()
	}
	sealer := r.producer()
	ws := make([]*worker, workers)
	for i := range ws {
		ws[i] = r.worker()
	}

	var adding, working, added, reads atomic.Int64
	adding.Store(producers)
	working.Store(workers)
	s.together(producers+workers+1, func(i int) error {
		switch {
		case i < producers:
			defer adding.Add(-1)
			return produce(ps[i], r, i, each)
		case i < producers+workers:
			defer working.Add(-1)
			return work(ws[i-producers], r, &added, func() error {
				if adding.CompareAndSwap(0, -1) {
					_, err := sealer.try(
						store.EnqueueParams{Holds: []store.HoldChange{{Run: r.id, Name: store.HoldOpen, Close: true}}},
					)
					return err
				}
				return nil
			})
		default:
			return watchBalance(r, &working, &reads)
		}
	})
	s.Positive(reads.Load())
	rec := r.record()
	s.Equal(statuses.Failed, rec.Status, "a task failed")
	s.Equal(int64(1), rec.Counts.Failed)
	s.Equal(producers*each+added.Load(), rec.Counts.Total, "each task and child is counted once")
	s.Equal(rec.Counts.Total, rec.Counts.Succeeded+rec.Counts.Failed)
	s.Equal(map[string]int64{"scans": producers*each - 1}, rec.Counters, "each scan that succeeded is counted once")
}

// produce adds n tasks, five at a time, repeating every third call.
func produce(p *producer, r *run, who, n int) error {
	for sent := 0; sent < n; sent += 5 {
		var entries []store.Entry
		for i := range 5 {
			entries = append(entries, store.Entry{Run: r.id, Item: task(scan, fmt.Sprintf("p%d/%d", who, sent+i))})
		}
		if _, err := p.try(store.EnqueueParams{Entries: entries}); err != nil {
			return err
		}
		if sent%3 == 0 {
			if _, err := p.repeat(); err != nil {
				return err
			}
		}
	}
	return nil
}

// rounds limits the loops that wait for the end of a run, so that a store that never ends it fails
// the test.
const rounds = 200_000

var errEndless = errors.New("the run does not end")

// work ends tasks in every way until the run is final. It makes every call twice, as after a lost
// reply. It counts the children in added, and calls idle when nothing waits.
func work(w *worker, r *run, added *atomic.Int64, idle func() error) error {
	for round := range rounds {
		if _, err := w.s.store.Promote(w.s.ctx, r.partition); err != nil {
			return err
		}
		if _, err := w.tryFetch(7); err != nil {
			return err
		}
		ds, err := w.refetch(7)
		if err != nil {
			return err
		}
		if len(ds) == 0 {
			if err := idle(); err != nil {
				return err
			}
			rec, err := w.s.store.Run(w.s.ctx, r.id)
			if err != nil || rec.Status.Final() {
				return err
			}
			runtime.Gosched()
			continue
		}
		outcomes := make([]store.Outcome, len(ds))
		for i, d := range ds {
			outcomes[i] = anyWay(d, round+i)
			added.Add(int64(len(outcomes[i].Children)))
		}
		if _, err := w.try(outcomes...); err != nil {
			return err
		}
		if reply, err := w.resettle(outcomes...); err != nil || len(reply.Lost) > 0 {
			return fmt.Errorf("settlement repeated: lost %v: %w", reply.Lost, err)
		}
	}
	return errEndless
}

// anyWay picks an outcome. A task is retried, snoozed or released at most a few times. Scans count
// themselves in every attempt.
func anyWay(d store.Delivery, n int) store.Outcome {
	o := verdictAnyWay(d, n)
	if d.Lease.Lane.Route == scan {
		o.Counters = map[string]int64{"scans": 1}
	}
	return o
}

func verdictAnyWay(d store.Delivery, n int) store.Outcome {
	switch {
	case d.Task.ID == "p0/0":
		return failed(d)
	case d.Task.Retry < 2 && n%5 == 0:
		return retried(d, 0)
	case d.Task.Snoozes < 2 && n%7 == 1:
		return snoozed(d, 0)
	case n%11 == 2:
		return plain(d, verdicts.Release)
	case d.Lease.Lane.Route == scan && n%4 == 3:
		return success(d, task(file, "child of "+d.Task.ID))
	}
	return success(d)
}

// watchBalance reads the run until all work has ended.
func watchBalance(r *run, working, reads *atomic.Int64) error {
	for {
		over := working.Load() == 0 // the last read comes after all work
		rec, err := r.s.store.Run(r.s.ctx, r.id)
		if err != nil {
			return err
		}
		if !rec.Counts.Balanced() {
			return fmt.Errorf("counts do not add up: %+v", rec.Counts)
		}
		reads.Add(1)
		if over {
			return nil
		}
	}
}
