package storetest

import (
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var jobsContract = []testCase{
	{"a job that was disabled stays with its last run gone, until it is deleted", func(s *scene) {
		r := s.open("import")
		s.NoError(s.store.SetJobDisabled(s.ctx, "import", true))
		r.stop(false)
		s.NoError(s.store.DeleteRun(s.ctx, r.id))
		rec, err := s.store.Job(s.ctx, "import")
		s.NoError(err)
		s.True(rec.Disabled)
		s.NoError(s.store.DeleteJob(s.ctx, "import"))
	}},
	{"declaring says what it did", func(s *scene) {
		ensure := func(def string, revision int64) verdicts.Ensure {
			s.tb.Helper()
			result, err := s.store.EnsureJob(
				s.ctx,
				store.EnsureParams{
					Job:        "nightly",
					Type:       statuses.JobPeriodic,
					Definition: []byte(def),
					Revision:   revision,
				},
			)
			s.NoError(err)
			return result
		}
		s.Equal(verdicts.EnsureCreated, ensure("v1", 1))
		s.Equal(verdicts.EnsureUnchanged, ensure("v1", 1))
		s.Equal(verdicts.EnsureUpdated, ensure("v1 again", 1), "the same revision may change the definition")
		s.Equal(verdicts.EnsureUpdated, ensure("v3", 3))
		s.Equal(verdicts.EnsureUnchanged, ensure("v3", 3))
		s.Equal(verdicts.EnsureKept, ensure("v2", 2), "a lower revision never overwrites a higher one")
		job, err := s.store.Job(s.ctx, "nightly")
		s.NoError(err)
		s.Equal("v3", string(job.Definition))
		s.Equal(int64(3), job.Revision)
		s.Equal(statuses.JobPeriodic, job.Type)
		s.Zero(job.LastRun)
		s.False(job.Created.IsZero())
	}},
	{"disabling is kept apart from the definition", func(s *scene) {
		def := store.EnsureParams{Job: "nightly", Type: statuses.JobStanding, Definition: []byte("v1")}
		disabled := func() bool {
			job, err := s.store.Job(s.ctx, "nightly")
			s.NoError(err)
			return job.Disabled
		}
		_, err := s.store.EnsureJob(s.ctx, def)
		s.NoError(err)
		s.False(disabled())
		s.NoError(s.store.SetJobDisabled(s.ctx, "nightly", true))
		s.True(disabled())
		def.Definition = []byte("v2")
		_, err = s.store.EnsureJob(s.ctx, def)
		s.NoError(err)
		s.True(disabled(), "declaring never clears it")
		s.NoError(s.store.SetJobDisabled(s.ctx, "nightly", false))
		s.False(disabled())
	}},
	{"a declared job is kept when its runs have expired", func(s *scene) {
		_, err := s.store.EnsureJob(
			s.ctx, store.EnsureParams{Job: "nightly", Type: statuses.JobPeriodic, Definition: []byte("d")},
		)
		s.NoError(err)
		r := s.start(store.StartParams{Job: "nightly", Declared: true, Retention: tick})
		job, err := s.store.Job(s.ctx, "nightly")
		s.NoError(err)
		s.Equal(r.id.Number, job.LastRun)
		s.Equal(statuses.JobPeriodic, job.Type)
		r.worker().drain(wellDone)
		s.until(r.partition, "its run has expired", func() bool {
			runs, err := s.store.JobRuns(s.ctx, "nightly")
			s.NoError(err)
			return len(runs) == 0
		})
		job, err = s.store.Job(s.ctx, "nightly")
		s.NoError(err)
		s.Equal("d", string(job.Definition))
	}},
	{"jobs are listed in the order of their names, page by page, with their newest run", func(s *scene) {
		want := make(map[int][]string)
		newest := make(map[string]store.RunID)
		declared := []statuses.JobType{statuses.JobStanding, statuses.JobPeriodic}
		for i := range 25 {
			name := fmt.Sprintf("job/%02d", (i*7)%25)
			want[s.partition(name)] = append(want[s.partition(name)], name)
			if i%5 == 0 {
				_, err := s.store.EnsureJob(
					s.ctx, store.EnsureParams{Job: name, Type: declared[i%2], Definition: []byte("d")},
				)
				s.NoError(err)
				continue
			}
			s.start(store.StartParams{Job: name}).stop(false)
			newest[name] = s.start(store.StartParams{Job: name}).id
		}
		for partition := range s.store.Partitions() {
			slices.Sort(want[partition])
			var got []string
			for after := ""; ; {
				page, err := s.store.ListJobs(s.ctx, store.ListParams{Partition: partition, After: after, Limit: 4})
				s.NoError(err)
				s.LessOrEqual(len(page.Jobs), 4)
				for _, e := range page.Jobs {
					got = append(got, e.Job.Name)
					id, ran := newest[e.Job.Name]
					s.Equal(ran, e.Run != nil, e.Job.Name)
					if ran {
						s.Equal(id, e.Run.ID)
						s.Equal(id.Number, e.Job.LastRun)
						s.Equal(statuses.Running, e.Run.Status)
					}
				}
				if after = page.Next; after == "" {
					break
				}
			}
			s.Equal(want[partition], got)
		}
	}},
	{"periodic jobs are listed by name, and others are not", func(s *scene) {
		declare := func(name string, t statuses.JobType) {
			_, err := s.store.EnsureJob(s.ctx, store.EnsureParams{Job: name, Type: t, Definition: []byte(t)})
			s.NoError(err)
		}
		listed := func(of store.ListParams) (names []string) {
			for of.Partition = range s.store.Partitions() {
				for of.After, of.Limit = "", 2; ; {
					page, err := s.store.ListJobs(s.ctx, of)
					s.NoError(err)
					for _, e := range page.Jobs {
						names = append(names, e.Job.Name)
					}
					if of.After = page.Next; of.After == "" {
						break
					}
				}
			}
			slices.Sort(names)
			return names
		}
		periodic := store.ListParams{Periodic: true}
		s.Empty(listed(periodic))
		var want, all []string
		for i := range 12 {
			name := fmt.Sprintf("job/%02d", i)
			if all = append(all, name); i%2 == 0 {
				want = append(want, name)
				declare(name, statuses.JobPeriodic)
				continue
			}
			declare(name, statuses.JobStanding)
		}
		s.start(store.StartParams{Job: "single"}).stop(false)
		all = append(all, "single")
		s.Equal(want, listed(periodic))
		s.Equal(all, listed(store.ListParams{}), "each once")
		declare(want[0], statuses.JobStanding)
		declare(all[1], statuses.JobPeriodic)
		s.NoError(s.store.SetJobDisabled(s.ctx, want[1], true))
		want[0] = all[1]
		s.Equal(want, listed(periodic), "as their types are now")
		s.NoError(s.store.DeleteJob(s.ctx, want[2]))
		all = slices.DeleteFunc(all, func(name string) bool { return name == want[2] })
		want = slices.Delete(want, 2, 3)
		s.Equal(want, listed(periodic))
		s.Equal(all, listed(store.ListParams{}))
	}},
	{"runs of a job are listed newest first", func(s *scene) {
		var want []int64
		for range 5 {
			r := s.start(store.StartParams{Job: "import"})
			want = slices.Insert(want, 0, r.id.Number)
			r.stop(false)
		}
		got, err := s.store.JobRuns(s.ctx, "import")
		s.NoError(err)
		s.Equal(want, got)
	}},
	{"a deleted run is gone, the others stay", func(s *scene) {
		first := s.start(store.StartParams{Job: "import"})
		first.stop(false)
		second := s.start(store.StartParams{Job: "import"})
		second.stop(false)
		s.NoError(s.store.DeleteRun(s.ctx, first.id))
		_, err := s.store.Run(s.ctx, first.id)
		s.ErrorIs(err, store.ErrRunNotFound)
		s.ErrorIs(s.store.DeleteRun(s.ctx, first.id), store.ErrRunNotFound)
		runs, err := s.store.JobRuns(s.ctx, "import")
		s.NoError(err)
		s.Equal([]int64{second.id.Number}, runs)
		second.status(statuses.Stopped)
	}},
	{"a deleted job is gone with its definition and runs", func(s *scene) {
		partition := s.partition("nightly")
		before := s.leftovers()
		_, err := s.store.EnsureJob(
			s.ctx, store.EnsureParams{Job: "nightly", Type: statuses.JobPeriodic, Definition: []byte("d")},
		)
		s.NoError(err)
		var last *run
		for range 3 {
			last = s.start(store.StartParams{Job: "nightly", Declared: true})
			last.stop(false)
		}
		s.NoError(s.store.DeleteJob(s.ctx, "nightly"))
		_, err = s.store.Job(s.ctx, "nightly")
		s.ErrorIs(err, store.ErrJobNotFound)
		_, err = s.store.Run(s.ctx, last.id)
		s.ErrorIs(err, store.ErrRunNotFound)
		s.ErrorIs(s.store.DeleteJob(s.ctx, "nightly"), store.ErrJobNotFound)
		unlisted, err := s.store.ListJobs(s.ctx, store.ListParams{Partition: partition, Limit: 10})
		s.NoError(err)
		s.Empty(unlisted.Jobs)
		s.nothingBeyond(before, partition)
		again := s.start(store.StartParams{Job: "nightly"})
		s.Greater(again.id.Number, last.id.Number, "run numbers never repeat")
	}},
}
