package storetest

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
)

var redoContract = []testCase{
	{"a retried task waits again, and begins anew", func(s *scene) {
		r := s.open("import")
		w, p := r.worker(), r.producer()
		it := task(scan, "t")
		it.Task.Payload, it.Task.Headers, it.Task.Attributes = []byte("payload"), map[string]string{"h": "v"}, []byte("a")
		p.add(r, it)
		d := w.take(1)[0]
		d.Task.Retry, d.Task.Snoozes, d.Task.Crashes = 3, 2, 1
		d.Task.Tried(store.Attempt{Ended: time.UnixMilli(1e12).UTC(), Worker: "w", Error: "broken"})
		w.settle(failed(d))
		r.counts(store.Counts{Failed: 1}, "it failed")
		reply := p.redo(r, store.RedoParams{})
		s.Equal(store.RedoReply{Moved: 1, Next: 1}, reply)
		r.counts(store.Counts{Pending: 1}, "it was retried")
		rec := r.record()
		s.Empty(rec.Error, "no failure is left")
		s.EqualValues(1, rec.Retried)
		s.Empty(r.places(store.FailuresParams{}))
		s.Empty(s.failing(r.partition, 10))
		again := w.take(1)[0].Task
		s.True(again.Enqueued.Equal(d.Task.Enqueued))
		again.Enqueued, d.Task.Enqueued = time.Time{}, time.Time{}
		s.Len(again.Attempts, 1, "it keeps its attempts")
		again.Attempts, d.Task.Attempts = nil, nil
		d.Task.Retry, d.Task.Snoozes, d.Task.Crashes = 0, 0, 0
		s.Equal(d.Task, again)
	}},
	{"a discarded failure is cancelled", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", Open: true})
		p := r.producer()
		r.fail(3)
		s.Equal(store.RedoReply{Moved: 3, Next: 3}, p.redo(r, store.RedoParams{Action: actions.RedoDiscard}))
		r.counts(store.Counts{Cancelled: 3}, "they were discarded")
		s.Zero(r.record().Retried)
		s.Equal(store.RedoReply{}, p.redo(r, store.RedoParams{Action: actions.RedoDiscard}), "nothing is left")
		p.seal(r)
		r.status(statuses.Succeeded)
	}},
	{"a place is never used again", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", FailureCap: 2, Open: true})
		p, w := r.producer(), r.worker()
		r.fail(2)
		for n := range int64(4) {
			s.Equal(store.RedoReply{Moved: 1, Next: 2 + n}, p.redo(r, store.RedoParams{After: 1 + n}))
			w.drain(failed)
			s.Equal([]int64{1, 3 + n}, r.places(store.FailuresParams{}))
		}
		p.redo(r, store.RedoParams{})
		s.Empty(r.places(store.FailuresParams{}))
		w.drain(failed)
		s.Equal([]int64{7, 8}, r.places(store.FailuresParams{}))
	}},
	{"only what is selected is moved, by pages", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, slices.Concat(tasks(scan, "a", 3), tasks(file, "b", 3))...)
		w.drain(failed)
		kinds := make(map[string]int64)
		all, err := s.store.Failures(s.ctx, store.FailuresParams{Run: r.id, Limit: 10})
		s.NoError(err)
		for _, f := range all {
			kinds[f.Lane.Route.Kind]++
		}
		s.EqualValues(3, kinds[file.Kind])
		var moved int64
		for after := int64(0); ; {
			reply := p.redo(r, store.RedoParams{Kinds: []string{file.Kind}, After: after, Before: 6, Limit: 2})
			moved += reply.Moved
			if after = reply.Next; after == 0 {
				break
			}
		}
		want := int64(3)
		if all[5].Lane.Route == file {
			want = 2 // the last is not before 6
		}
		s.Equal(want, moved)
		id := all[slices.IndexFunc(all, func(f store.Failure) bool { return f.Lane.Route == scan })].Task.ID
		s.EqualValues(1, p.redo(r, store.RedoParams{IDs: []string{id, "other"}, Action: actions.RedoDiscard}).Moved)
		r.counts(store.Counts{Pending: want, Failed: 5 - want, Cancelled: 1}, "some were moved")
	}},
	{"of two calls one moves a failure, and a repeat moves nothing", func(s *scene) {
		r := s.open("import")
		r.fail(100)
		var replies [4]store.RedoReply
		var producers [4]*producer
		for i := range producers {
			producers[i] = r.producer()
		}
		s.together(len(producers), func(i int) (err error) {
			replies[i], err = producers[i].tryRedo(
				r.id,
				store.RedoParams{Action: []actions.Redo{actions.RedoRetry, actions.RedoDiscard}[i%2]},
			)
			return err
		})
		var moved, discarded int64
		for i, reply := range replies {
			moved += reply.Moved
			if i%2 == 1 {
				discarded += reply.Moved
			}
			again, err := s.store.RedoFailures(s.ctx, producers[i].redone)
			s.NoError(err)
			s.Equal(reply, again, "the reply of a repeat")
		}
		s.EqualValues(100, moved)
		r.counts(store.Counts{Pending: 100 - discarded, Cancelled: discarded}, "each was moved once")
	}},
	{"what is no longer kept cannot be moved, and is counted", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", FailureCap: 4, Open: true})
		r.fail(10)
		s.Equal(store.RedoReply{Moved: 4, Gone: 6, Next: 10}, r.producer().redo(r, store.RedoParams{}))
		r.counts(store.Counts{Pending: 4, Failed: 6}, "those that are kept were retried")
		s.NotEmpty(r.record().Error, "some failures are left")
	}},
	{"a retried task has its claimed ID again, unless another has it", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, claimed(scan, "a", never), claimed(scan, "b", 0))
		w.drain(failed)
		s.True(p.offer(r, claimed(scan, "a", 0))[0].Duplicate, "a is kept after its task has ended")
		p.add(r, claimed(scan, "b", 0))
		reply := p.redo(r, store.RedoParams{})
		s.Equal(store.RedoReply{Moved: 1, InUse: 1, Next: 2}, reply)
		s.True(p.offer(r, claimed(scan, "a", 0))[0].Duplicate, "a is in use again")
		w.drain(wellDone)
		r.counts(store.Counts{Succeeded: 2, Failed: 1}, "the other b was done")
		s.EqualValues(1, p.redo(r, store.RedoParams{}).Moved, "b is free again")
		s.True(p.offer(r, claimed(scan, "b", 0))[0].Duplicate, "and in use")
	}},
	{"a run that is over refuses, and one that is paused does not", func(s *scene) {
		r := s.open("import")
		r.fail(2)
		p, w := r.producer(), r.worker()
		r.pause(true)
		s.EqualValues(1, p.redo(r, store.RedoParams{Limit: 1}).Moved)
		s.Empty(w.fetch(10), "the run is paused")
		r.pause(false)
		w.drain(wellDone)
		r.stop(false)
		_, err := p.tryRedo(r.id, store.RedoParams{})
		s.ErrorIs(err, store.ErrJobStopped)
		ended := s.start(store.StartParams{Job: "import"})
		ended.worker().drain(failed)
		_, err = p.tryRedo(ended.id, store.RedoParams{})
		s.ErrorIs(err, store.ErrRunFinished)
		s.Equal([]int64{1}, ended.places(store.FailuresParams{}), "it keeps its failure")
		_, err = p.tryRedo(store.RunID{Job: "import", Number: 1}, store.RedoParams{})
		s.ErrorIs(err, store.ErrRunNotFound)
		p.stream = "unknown"
		_, err = p.tryRedo(ended.id, store.RedoParams{})
		s.ErrorIs(err, store.ErrResultUnknown)
	}},
	{"a repeat gets its reply though the run is gone", func(s *scene) {
		r := s.open("import")
		r.fail(1)
		p := r.producer()
		p.redo(r, store.RedoParams{Before: 1})
		reply := p.redo(r, store.RedoParams{})
		s.EqualValues(1, reply.Moved)
		r.stop(false)
		s.NoError(s.store.DeleteRun(s.ctx, r.id))
		again, err := s.store.RedoFailures(s.ctx, p.redone)
		s.NoError(err)
		s.Equal(reply, again)
		p.redone.Number++
		_, err = s.store.RedoFailures(s.ctx, p.redone)
		s.ErrorIs(err, store.ErrRunNotFound)
		p.redone.Number -= 2
		_, err = s.store.RedoFailures(s.ctx, p.redone)
		s.ErrorIs(err, store.ErrStale)
	}},
	{"a retry is signalled as work, and as a change of its run", func(s *scene) {
		r := s.open("import")
		r.fail(1)
		p := r.producer()
		for _, heard := range []func(l *listener){
			func(l *listener) {
				l.hears("work", func(sig store.Signal) bool { return sig.Type == signals.Work && sig.Queue == scan.Queue })
			},
			func(l *listener) { l.moves(r, "its run") },
		} {
			s.during(func() { p.redo(r, store.RedoParams{}) }, heard)
			w := r.worker()
			w.drain(failed)
			w.close()
			s.h.Advance(s.tb, quiet)
		}
	}},
}

// tryRedo makes the next call.
func (p *producer) tryRedo(run store.RunID, params store.RedoParams) (store.RedoReply, error) {
	p.number++
	params.Partition, params.Stream, params.Number, params.Run = p.partition, p.stream, p.number, run
	if params.Limit == 0 {
		params.Limit = 256
	}
	if params.Action == "" {
		params.Action = actions.RedoRetry
	}
	p.redone = params
	return p.s.store.RedoFailures(p.s.ctx, params)
}

// redo makes the next call and requires that it is answered.
func (p *producer) redo(r *run, params store.RedoParams) store.RedoReply {
	p.s.tb.Helper()
	reply, err := p.tryRedo(r.id, params)
	p.s.NoError(err)
	return reply
}
