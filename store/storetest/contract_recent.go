package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var recentContract = []testCase{
	{"runs are listed by each of their states, and by several", func(s *scene) {
		all := s.oneOfEach()
		for status, r := range all {
			s.Equal([]string{r.id.Job}, s.listedJobRuns(store.RunsParams{Statuses: []statuses.Status{status}}), "%s", status)
		}
		var active, final []string
		for _, status := range statuses.Active {
			active = append(active, all[status].id.Job)
		}
		for _, status := range statuses.Final {
			final = append(final, all[status].id.Job)
		}
		s.ElementsMatch(active, s.listedJobRuns(store.RunsParams{Statuses: statuses.Active}))
		s.ElementsMatch(final, s.listedJobRuns(store.RunsParams{Statuses: statuses.Final}))
		s.ElementsMatch(slices.Concat(active, final), s.listedJobRuns(store.RunsParams{}))
	}},
	{"a run that is stopped while a task of it runs is listed as stopping, whoever stopped it", func(s *scene) {
		stopped := s.start(store.StartParams{Job: s.name("by a caller")})
		stopped.worker().one()
		stopped.stop(false)
		failing := s.start(store.StartParams{Job: s.name("by a task"), Open: true})
		w := failing.worker()
		failing.producer().add(failing, tasks(scan, "t", 2)...)
		w.settle(plain(w.take(2)[0], verdicts.StopRun))
		idle := s.start(store.StartParams{Job: s.name("by time"), Open: true, StopAfter: brief})
		idle.producer().add(idle, task(scan, "t"))
		idle.worker().of(idle)
		s.until(idle.partition, "the idle run is stopping", func() bool {
			s.promote(idle.partition)
			return idle.record().Status == statuses.Stopping
		})
		stopping := []statuses.Status{statuses.Stopping}
		for _, r := range []*run{stopped, failing, idle} {
			r.status(statuses.Stopping)
			s.Contains(s.listedJobRuns(store.RunsParams{Statuses: stopping}), r.id.Job)
			s.Contains(s.listJobs(store.ListParams{Partition: r.partition, Statuses: stopping}), r.id.Job)
		}
		s.Len(s.listedJobRuns(store.RunsParams{Statuses: stopping}), 3)
	}},
	{"a run tells when its pre-job hook passed and when it was stopped", func(s *scene) {
		check := func(r *run, passed, stops bool) {
			rec := r.record()
			s.Equal(passed, !rec.HookPassed.IsZero(), "%s: the hook passed %v", rec.Status, rec.HookPassed)
			s.Equal(stops, !rec.StopBegan.IsZero(), "%s: the stop began %v", rec.Status, rec.StopBegan)
		}
		for status, r := range s.oneOfEach() {
			check(r, false, status == statuses.Stopping || status == statuses.Stopped)
		}
		r := s.start(store.StartParams{Job: s.name("hook"), PreJob: hook(preJob), StopAfter: never})
		w := r.worker()
		s.h.Advance(s.tb, 2*time.Millisecond)
		w.settle(plain(w.of(r), verdicts.Begin))
		check(r, true, false)
		began := r.record()
		s.True(began.HookPassed.After(began.Created))
		s.False(began.HookPassed.Truncate(time.Millisecond).After(began.Changed))
		d := w.of(r)
		s.h.Advance(s.tb, 2*time.Millisecond)
		s.NoError(s.store.SetRunPaused(s.ctx, r.id, true))
		check(r, true, false)
		w.settle(plain(d, verdicts.StopRun))
		check(r, true, true)
		s.True(r.record().HookPassed.Equal(began.HookPassed))
		s.True(r.record().StopBegan.After(began.HookPassed))
	}},
	{"the run that changed last is listed first: it began, moved to a state, was paused or resumed", func(s *scene) {
		var runs []*run
		for len(runs) < 4 {
			if name := s.name("job"); s.partition(name) == 0 {
				runs = append(runs, s.start(store.StartParams{Job: name, PreJob: hook(preJob), PostJob: hook(postJob)}))
				s.h.Advance(s.tb, 2*time.Millisecond)
			}
		}
		w := runs[0].worker()
		order := func() (jobs []string) {
			for _, e := range s.listRuns(store.RunsParams{}) {
				jobs = append(jobs, e.Run.ID.Job)
			}
			return jobs
		}
		first := func(what string, change func(r *run)) {
			s.tb.Helper()
			last := order()[len(runs)-1]
			i := slices.IndexFunc(runs, func(r *run) bool { return r.id.Job == last })
			change(runs[i])
			s.Equal(last, order()[0], what)
			s.Equal(runs[i].record().Status, s.listRuns(store.RunsParams{})[0].Run.Status)
			before := runs[i].record().Changed
			s.h.Advance(s.tb, 2*time.Millisecond)
			s.True(runs[i].record().Changed.Equal(before))
		}
		s.Equal([]string{runs[3].id.Job, runs[2].id.Job, runs[1].id.Job, runs[0].id.Job}, order())
		first("paused", func(r *run) { r.pause(true) })
		first("paused", func(r *run) { r.pause(true) })
		first("paused", func(r *run) { r.pause(true) })
		first("paused", func(r *run) { r.pause(true) })
		before := order()
		for _, r := range runs {
			r.pause(true)
		}
		s.Equal(before, order(), "a repeat changes nothing")
		first("resumed", func(r *run) { r.pause(false) })
		first("resumed", func(r *run) { r.pause(false) })
		first("resumed", func(r *run) { r.pause(false) })
		first("resumed", func(r *run) { r.pause(false) })
		ds := make(map[store.RunID]store.Delivery)
		for range runs {
			d := w.one()
			ds[d.Lease.Lane.Run] = d
		}
		for range runs {
			first("begun", func(r *run) { w.settle(plain(ds[r.id], verdicts.Begin)) })
		}
		for range runs {
			d := w.one()
			ds[d.Lease.Lane.Run] = d
		}
		before = order()
		p := runs[0].producer()
		for _, r := range runs {
			p.add(r, task(file, "more"))
		}
		s.Equal(before, order(), "what is enqueued and settled is no change")
		first("stopping", func(r *run) { r.stop(true) })
		first("stopping", func(r *run) { r.stop(true) })
		first("stopping", func(r *run) { r.stop(true) })
		first("stopped", func(r *run) { r.stop(true) })
		for range 4 {
			first("ended", func(r *run) { w.succeed(ds[r.id]) })
		}
	}},
	{"pages of any size have the same runs, and go on behind any of them, from either end", func(s *scene) {
		s.oneOfEach()
		starts := make([]store.StartParams, 40)
		for i := range starts {
			starts[i] = s.params(store.StartParams{Job: s.name("open"), Open: true})
		}
		s.together(len(starts), func(i int) error { // many in the same ms
			_, err := s.store.StartRun(s.ctx, starts[i])
			return err
		})
		for partition := range s.store.Partitions() {
			for _, p := range []store.RunsParams{{}, {Oldest: true}, {Statuses: statuses.Active}} {
				p.Partition = partition
				whole := s.listRuns(p)
				for _, limit := range []int{1, 2, 3, 7, len(whole), len(whole) + 1} {
					p.Limit = limit
					s.Equal(whole, s.listRuns(p), "by %d", limit)
				}
				for i := 0; i < len(whole); i += 3 {
					e := whole[i]
					p.Limit, p.After = 0, e.Place
					s.Equal(whole, append(whole[:i+1:i+1], s.listRuns(p)...), "behind %v", e.Run.ID)
				}
			}
		}
	}},
	{"a listing selects by job, prefix, set and labels", func(s *scene) {
		label := func(tenant, owner string) map[string]string {
			return map[string]string{"tenant": tenant, "owner": owner, "empty": ""}
		}
		s.start(store.StartParams{Job: "a/1", Labels: label("x", "me")})
		s.start(store.StartParams{Job: "a/2", Labels: label("y", "me")})
		s.start(store.StartParams{Job: "b/1", Labels: label("x", "you"), Set: "other"})
		s.start(store.StartParams{Job: "a/1/x"}).stop(false)
		check := func(p store.RunsParams, want ...string) {
			s.tb.Helper()
			for _, p.Limit = range []int{0, 1} {
				s.ElementsMatch(want, s.listedJobRuns(p))
			}
		}
		check(store.RunsParams{Prefix: "a/"}, "a/1", "a/2", "a/1/x")
		check(store.RunsParams{Prefix: "a/1"}, "a/1", "a/1/x")
		check(store.RunsParams{Set: "other"}, "b/1")
		check(store.RunsParams{Labels: map[string]string{"tenant": "x"}}, "a/1", "b/1")
		check(store.RunsParams{Labels: map[string]string{"tenant": "x", "owner": "you"}}, "b/1")
		check(store.RunsParams{Labels: map[string]string{"empty": ""}}, "a/1", "a/2", "b/1")
		check(store.RunsParams{Labels: map[string]string{"none": ""}})
		check(store.RunsParams{Labels: map[string]string{"tenant": "x"}, Prefix: "a", Statuses: statuses.Final})
		p := store.RunsParams{Partition: s.partition("a/1"), Job: "a/1"}
		second := s.listRuns(p)
		s.Len(second, 1)
		s.Equal(label("x", "me"), second[0].Run.Labels)
	}},
	{"runs of a job are listed newest first, or oldest", func(s *scene) {
		var want []int64
		for range 5 {
			r := s.start(store.StartParams{Job: "nightly"})
			want = slices.Insert(want, 0, r.id.Number)
			r.stop(false)
		}
		s.open(s.jobBeside("nightly"))
		for _, oldest := range []bool{false, true} {
			for limit := range 7 {
				var got []int64
				p := store.RunsParams{Partition: s.partition("nightly"), Job: "nightly", Oldest: oldest, Limit: limit}
				for _, e := range s.listRuns(p) {
					got = append(got, e.Run.ID.Number)
				}
				s.Equal(want, got)
			}
			slices.Reverse(want)
		}
		s.Empty(s.listRuns(store.RunsParams{Partition: s.partition("unknown"), Job: "unknown"}))
	}},
	{"arguments, headers, counters, results and reports come where they are asked for", func(s *scene) {
		r := s.start(store.StartParams{
			Job: "import", Args: []byte("args"), Headers: map[string]string{"h": "v"}, PostJob: hook(postJob),
		})
		w := r.worker()
		o := success(w.one())
		o.Counters = map[string]int64{"n": 3}
		w.settle(o)
		o = plain(w.one(), verdicts.HookDone)
		o.Result = []byte(`"result"`)
		w.settle(o)
		p := store.RunsParams{Partition: r.partition}
		slim := s.listRuns(p)[0].Run
		s.Nil(slim.Args)
		s.Nil(slim.Headers)
		s.Nil(slim.Counters)
		s.Nil(slim.Result)
		p.Details = true
		whole := s.listRuns(p)[0].Run
		s.Equal(r.record(), whole)
		s.Equal("args", string(whole.Args))
		s.Equal(int64(3), whole.Counters["n"])
		whole.Trim()
		s.Equal(whole, slim)
	}},
	{"runs with large arguments are listed by pages, where these are asked for", func(s *scene) {
		started := make(map[string]bool)
		for i := range largeItems {
			r := s.start(store.StartParams{Job: s.name("job"), Args: large(i), Open: true})
			started[r.id.Job] = true
		}
		for partition := range s.store.Partitions() {
			s.LessOrEqual(len(s.listRuns(store.RunsParams{Partition: partition})), largeItems)
			for after := (store.Place{}); ; {
				page, err := s.store.ListRuns(
					s.ctx, store.RunsParams{Partition: partition, After: after, Limit: 100, Details: true},
				)
				s.NoError(err)
				s.LessOrEqual(len(page.Runs), 3, "a page is bounded by bytes")
				for _, e := range page.Runs {
					s.NotEmpty(e.Run.Args)
					delete(started, e.Run.ID.Job)
				}
				if after = page.Next; after == (store.Place{}) {
					break
				}
			}
		}
		s.Empty(started)
	}},
	{"a listing finds what stands still", func(s *scene) {
		still, moves := s.open("still"), s.open("moves")
		s.start(store.StartParams{Job: "ended"}).stop(false)
		s.h.Advance(s.tb, 700*time.Millisecond)
		moves.producer().add(moves, task(scan, "t"))
		s.True(moves.record().Moved.After(moves.record().Changed))
		s.Equal([]string{"still"}, s.listedJobRuns(store.RunsParams{Still: 450 * time.Millisecond}))
		s.Empty(s.listedJobRuns(store.RunsParams{Still: never}))
		still.pause(true)
		s.Empty(s.listedJobRuns(store.RunsParams{Still: 450 * time.Millisecond}), "a pause is a change")
		s.h.Advance(s.tb, 700*time.Millisecond)
		s.Subset([]string{"still", "moves"}, s.listedJobRuns(store.RunsParams{Still: 450 * time.Millisecond}))
		s.Contains(s.listedJobRuns(store.RunsParams{Still: 450 * time.Millisecond, Oldest: true, Limit: 1}), "still")
	}},
	{"jobs are listed by the states of their newest runs, the last that changed first", func(s *scene) {
		var names []string
		for len(names) < 4 {
			if name := s.name("job"); s.partition(name) == 0 {
				names = append(names, name)
			}
		}
		last := func(name string) {
			s.tb.Helper()
			for _, limit := range []int{0, 1} {
				got := s.listJobs(store.ListParams{Limit: limit})
				s.Equal(name, got[0])
			}
			s.h.Advance(s.tb, 2*time.Millisecond)
		}
		of := func(in ...statuses.Status) []string { return s.listJobs(store.ListParams{Statuses: in}) }
		declare := func(definition string) {
			_, err := s.store.EnsureJob(
				s.ctx, store.EnsureParams{Job: names[0], Type: statuses.JobStanding, Definition: []byte(definition)},
			)
			s.NoError(err)
		}
		declare("1")
		last(names[0])
		runs := make(map[string]*run)
		for _, name := range names[1:] {
			runs[name] = s.open(name)
			last(name)
		}
		declare("2")
		last(names[0])
		runs[names[2]].stop(false)
		last(names[2])
		declare("2")
		last(names[2]) // nothing changed
		s.NoError(s.store.SetJobDisabled(s.ctx, names[0], true))
		last(names[0])
		runs[names[1]].pause(true)
		last(names[1])
		s.NoError(s.store.SetJobDisabled(s.ctx, names[0], true))
		last(names[1])
		s.NoError(s.store.SetJobDisabled(s.ctx, names[0], false))
		last(names[0])
		s.Equal([]string{names[1], names[3]}, of(statuses.Active...))
		s.Equal([]string{names[2]}, of(statuses.Final...))
		s.Equal([]string{names[2]}, of(statuses.Stopped))
		s.Empty(of(statuses.Failed))
		again := s.open(names[2])
		last(names[2])
		s.Empty(of(statuses.Final...), "its newest run is active")
		again.stop(false)
		last(names[2])

		first := s.start(store.StartParams{Job: names[0], Declared: true})
		first.stop(false)
		last(names[0])
		before := s.listJobs(store.ListParams{})
		s.NoError(s.store.DeleteRun(s.ctx, first.id))
		s.Equal(before, s.listJobs(store.ListParams{}), "it stays where it was, without a run")
		s.Equal([]string{names[2]}, of(statuses.Final...))
		s.NoError(s.store.DeleteJob(s.ctx, names[0]))
		s.Equal(before[1:], s.listJobs(store.ListParams{}))
	}},
	{"what expired, or was deleted, is listed no longer", func(s *scene) {
		kept := s.start(store.StartParams{Job: "kept"})
		kept.stop(false)
		gone := s.start(store.StartParams{Job: "gone"})
		gone.stop(false)
		brief := s.start(store.StartParams{Job: "brief", Retention: tick})
		brief.stop(false)
		s.ElementsMatch([]string{"kept", "gone", "brief"}, s.listedJobRuns(store.RunsParams{}))
		s.NoError(s.store.DeleteRun(s.ctx, gone.id))
		s.until(brief.partition, "it has expired", func() bool {
			return fmt.Sprint(s.listedJobRuns(store.RunsParams{})) == "[kept]"
		})
		s.NoError(s.store.DeleteJob(s.ctx, "kept"))
		s.Empty(s.listedJobRuns(store.RunsParams{}))
	}},
}
