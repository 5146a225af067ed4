package storetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var safeRetry = []testCase{
	{"a life in which every mutation is made twice is the same life", func(s *scene) {
		once := diary(s)
		again := newScene(s.tb, s.h, "") // the sentence leads already
		twice := diary(again.over(&doubled{Store: again.store, t: s.tb}))
		s.Equal(strings.Join(once, "\n"), strings.Join(twice, "\n"))
	}},
	{"an enqueue repeated after its run ended answers as the first time did", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		reply := p.send(store.EnqueueParams{Holds: []store.HoldChange{{Run: r.id, Name: store.HoldOpen, Close: true}}})
		r.status(statuses.Succeeded)
		again, err := p.repeat()
		s.NoError(err)
		s.Equal(reply, again)

		other := s.open("other")
		p = other.producer()
		first := p.send(store.EnqueueParams{Entries: []store.Entry{{Run: other.id, Item: task(scan, "t")}}})
		other.stop(false)
		again, err = p.repeat()
		s.NoError(err)
		s.Equal(first, again, "the stop came after the first try")
		other.counts(store.Counts{Cancelled: 1}, "repeat")
	}},
	{"a settlement repeated after it ended its run answers as the first time did", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		d := w.one()
		first := w.settle(success(d))
		s.Equal([]store.RunID{r.id}, first.Ended)
		again, err := w.resettle(success(d))
		s.NoError(err)
		s.Equal(first, again)
		next := s.start(store.StartParams{Job: "import"})
		again, err = w.resettle(success(d))
		s.NoError(err)
		s.Equal(first, again, "while the next run is active")
		next.counts(store.Counts{Pending: 1}, "repeat of a settlement of the run before")
	}},
	{"a settlement that lost leases answers so again", func(s *scene) {
		r := s.open("import")
		p, w, other := r.producer(), r.worker(), r.worker()
		p.add(r, tasks(scan, "t", 3)...)
		mine, theirs := w.one(), other.take(2)[1]
		outcomes := []store.Outcome{success(theirs), success(mine)}
		first, err := w.try(outcomes...)
		s.NoError(err)
		s.Equal([]int{0}, first.Lost)
		again, err := w.resettle(outcomes...)
		s.NoError(err)
		s.Equal(first, again)
	}},
	{"a fetch that found nothing, repeated, leases each task once", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		s.Empty(w.fetch(4))
		p.add(r, tasks(scan, "t", 2)...)
		again, err := w.refetch(4) // nothing, or what came meanwhile: the first try changed nothing
		s.NoError(err)
		same, err := w.refetch(4)
		s.NoError(err)
		s.Equal(leases(again), leases(same))
		s.Equal(named(tasks(scan, "t", 2)...), ids(append(again, w.fetch(4)...)))
	}},
	{"sweeping and promoting from everywhere at once is harmless", func(s *scene) {
		r := s.open("import")
		p, dead, w := r.producer(), r.shortLived(), r.worker()
		p.add(r, append(tasks(scan, "t", 30), delayed(scan, "d/0", tick), delayed(scan, "d/1", tick))...)
		dead.take(10)
		s.until(r.partition, "everything waits again", func() bool {
			s.together(8, func(i int) error {
				if i%2 == 0 {
					_, err := s.store.Sweep(s.ctx, r.partition)
					return err
				}
				_, err := s.store.Promote(s.ctx, r.partition)
				return err
			})
			return r.record().Counts.Pending == 32
		})
		s.Len(w.drain(wellDone), 32, "each once")
		r.counts(store.Counts{Succeeded: 32}, "all ran")
	}},
}

// diary plays the whole life of some jobs and records the replies, without data that differs
// between two plays: times, run numbers and leases.
func diary(s *scene) (lines []string) {
	note := func(step string, r *run) {
		rec := r.record()
		lines = append(
			lines,
			fmt.Sprintf(
				"%s: %s %+v counters %v retried %d duplicate %d holds %d paused %t reason %q hook %q error %q result %q", step,
				rec.Status, rec.Counts, rec.Counters, rec.Retried, rec.Duplicate, rec.Holds, rec.Paused, rec.Reason,
				rec.HookError, rec.Error, rec.Result,
			),
		)
	}
	saw := func(step string, ds []store.Delivery) []store.Delivery {
		for _, d := range ds {
			lines = append(
				lines,
				fmt.Sprintf(
					"%s: %s retry %d snoozes %d crashes %d recovered task %t", step, d.Task.ID, d.Task.Retry, d.Task.Snoozes,
					d.Task.Crashes, d.Task.Recovered,
				),
			)
		}
		return ds
	}
	def := store.EnsureParams{Job: "import", Type: statuses.JobPeriodic, Definition: []byte("v1"), Revision: 1}
	result, err := s.store.EnsureJob(s.ctx, def)
	s.NoError(err)
	lines = append(lines, "ensure: "+string(result))
	s.NoError(s.store.SetJobDisabled(s.ctx, "import", true))
	_, err = s.store.StartRun(s.ctx, s.params(store.StartParams{Job: "import", Declared: true}))
	s.ErrorIs(err, store.ErrJobDisabled)
	s.NoError(s.store.SetJobDisabled(s.ctx, "import", false))

	r := s.start(
		store.StartParams{Job: "import", Declared: true, PreJob: hook(preJob), PostJob: hook(postJob), FailureCap: 2},
	)
	p, w := r.producer(), r.worker()
	note("start", r)
	w.settle(plain(w.one(), verdicts.Begin))
	note("begin", r)
	s.NoError(p.hold(r, "upload"))
	p.add(r, append(tasks(scan, "t", 9), delayed(scan, "d", never))...)
	note("enqueue", r)
	for _, res := range p.offer(r, claimed(file, "mine", 0), claimed(file, "mine", 0)) {
		lines = append(lines, fmt.Sprintf("claim: %+v", res))
	}
	note("claim", r)
	s.NoError(r.s.store.SetRunPaused(s.ctx, r.id, true))
	note("pause", r)
	s.NoError(r.s.store.SetRunPaused(s.ctx, r.id, false))

	w.queues = only(scan)
	root := saw("root", w.take(1))[0]
	for i := range 3 {
		s.NoError(w.stage(root, file, 10*i, tasks(file, fmt.Sprintf("staged/%d", i), 10)...))
	}
	w.settle(
		counting(
			withStaged(success(root, tasks(file, "inline", 5)...), staged(file, 30)),
			map[string]int64{"scans": 1, "bytes": 1 << 60},
		),
	)
	note("fan-out", r)
	ds := saw("fetch", w.take(8))
	w.settle(
		counting(success(ds[0]), map[string]int64{"scans": 1, "bytes": -1}),
		counting(retried(ds[1], never), map[string]int64{"scans": 1}), snoozed(ds[2], never), failed(ds[3]),
		failed(ds[4]), failed(ds[5]), plain(ds[6], verdicts.Release),
	)
	note("settle", r)
	w.close() // with one task held
	note("close", r)
	heir := r.worker()
	heir.queues = only(scan)
	saw("heir", heir.drain(wellDone))
	note("scans done", r)
	heir.queues = everything()
	got := heir.drain(wellDone)
	lines = append(lines, "files: "+strings.Join(ids(got), " "))
	note("files done", r)
	failures, err := s.store.Failures(s.ctx, store.FailuresParams{Run: r.id, Limit: 10})
	s.NoError(err)
	for _, f := range failures {
		lines = append(lines, "dead letter: "+f.Task.ID+" "+f.Error)
	}
	s.NoError(p.release(r, "upload"))
	in := r.inspect()
	slices.SortFunc(in.Lanes, func(a, b store.LaneRecord) int { return strings.Compare(a.Route.Kind, b.Route.Kind) })
	for _, l := range in.Lanes {
		lines = append(
			lines, fmt.Sprintf("lane %s: %d %d %d %d", l.Route.Kind, l.Waiting, l.Recovered, l.Staged, l.Delayed),
		)
	}
	r.stop(false)
	note("stop", r)
	s.NoError(s.store.DeleteRun(s.ctx, r.id))

	hooked := s.start(store.StartParams{Job: "import", Declared: true, PostJob: hook(postJob)})
	heir.succeed(heir.one())
	note("finishing", hooked)
	heir.settle(retried(heir.one(), 0))
	gaveUp := hookDone(heir.one(), "mail server is down")
	gaveUp.Result = []byte(`{"sent":false}`)
	heir.settle(gaveUp)
	note("hook", hooked)
	s.NoError(s.store.DeleteJob(s.ctx, "import"))
	_, err = s.store.Job(s.ctx, "import")
	s.ErrorIs(err, store.ErrJobNotFound)
	return lines
}
