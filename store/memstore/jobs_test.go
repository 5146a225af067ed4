package memstore_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

func TestDeclaringAJobIsAbsolute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		ensure := func(typ statuses.JobType, definition string, revision int64) verdicts.Ensure {
			out, err := k.EnsureJob(
				k.ctx, store.EnsureParams{Job: "nightly", Type: typ, Definition: []byte(definition), Revision: revision},
			)
			require.NoError(t, err)
			return out
		}
		require.Equal(t, verdicts.EnsureCreated, ensure(statuses.JobPeriodic, "a", 1))
		require.Equal(t, verdicts.EnsureUnchanged, ensure(statuses.JobPeriodic, "a", 1))
		require.Equal(t, verdicts.EnsureUpdated, ensure(statuses.JobPeriodic, "b", 1))
		require.Equal(t, verdicts.EnsureUnchanged, ensure(statuses.JobPeriodic, "b", 5))
		require.Equal(t, verdicts.EnsureKept, ensure(statuses.JobPeriodic, "c", 4))
		require.Equal(t, verdicts.EnsureUpdated, ensure(statuses.JobStanding, "b", 5))
		require.NoError(t, k.SetJobDisabled(k.ctx, "nightly", true))
		require.Equal(t, verdicts.EnsureUpdated, ensure(statuses.JobStanding, "d", 6))
		job, err := k.Job(k.ctx, "nightly")
		require.NoError(t, err)
		require.Equal(t, store.JobRecord{
			Name: "nightly", Type: statuses.JobStanding, Definition: []byte("d"), Revision: 6,
			Disabled: true, Created: time.Now().UTC(), Changed: time.Now().UTC(), Changes: 4,
		}, job, "declaring does not enable")
	})
}

func TestASinglePassJobIsDeclaredOnlyWhileItIsIdle(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	p := store.EnsureParams{Job: "import", Type: statuses.JobStanding}
	_, err := k.EnsureJob(k.ctx, p)
	require.ErrorIs(t, err, store.ErrJobExists)
	k.stop(run)
	out, err := k.EnsureJob(k.ctx, p)
	require.NoError(t, err)
	require.Equal(t, verdicts.EnsureCreated, out)

	for _, bad := range []store.EnsureParams{{Job: "", Type: statuses.JobStanding}, {Job: "x", Type: statuses.JobSinglePass}} {
		_, err = k.EnsureJob(k.ctx, bad)
		require.ErrorIs(t, err, store.ErrInvalid)
	}
}

func TestJobsAreListedInPagesInTheOrderOfTheirNames(t *testing.T) {
	k := newKit(t, nil)
	for i := range 25 {
		k.start(store.StartParams{Job: fmt.Sprintf("job %02d", 24-i), Open: true})
	}
	_, err := k.EnsureJob(k.ctx, store.EnsureParams{Job: "idle", Type: statuses.JobPeriodic})
	require.NoError(t, err)
	var names []string
	after := ""
	for pages := 1; ; pages++ {
		page, err := k.ListJobs(k.ctx, store.ListParams{After: after, Limit: 10})
		require.NoError(t, err)
		for _, e := range page.Jobs {
			names = append(names, e.Job.Name)
			if e.Job.Name == "idle" {
				require.Nil(t, e.Run)
				continue
			}
			require.Equal(t, e.Job.LastRun, e.Run.ID.Number)
		}
		if after = page.Next; after == "" {
			require.Equal(t, 3, pages)
			break
		}
	}
	require.Len(t, names, 26)
	require.IsIncreasing(t, names)
	page, err := k.ListJobs(k.ctx, store.ListParams{After: "job 24x", Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page.Jobs)
	for _, limit := range []int{0, 1001} {
		_, err = k.ListJobs(k.ctx, store.ListParams{Limit: limit})
		require.ErrorIs(t, err, store.ErrInvalid)
	}
}

func TestRunsOfAJobAreListedNewestFirst(t *testing.T) {
	k := newKit(t, nil)
	var want []int64
	for range 3 {
		run := k.start(store.StartParams{Open: true})
		k.stop(run)
		want = append([]int64{run.Number}, want...)
	}
	got, err := k.JobRuns(k.ctx, "import")
	require.NoError(t, err)
	require.Equal(t, want, got)
	got, err = k.JobRuns(k.ctx, "unknown")
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestOnlyWhatIsNotActiveCanBeDeleted(t *testing.T) {
	k := newKit(t, nil)
	before := k.inside.Leftovers()
	run := k.start(store.StartParams{Open: true, Token: "token"})
	require.ErrorIs(t, k.DeleteRun(k.ctx, run), store.ErrRunActive)
	require.ErrorIs(t, k.DeleteJob(k.ctx, "import"), store.ErrRunActive)
	k.stop(run)
	require.NoError(t, k.DeleteRun(k.ctx, run))
	require.ErrorIs(t, k.DeleteRun(k.ctx, run), store.ErrRunNotFound)
	require.ErrorIs(t, k.DeleteJob(k.ctx, "import"), store.ErrJobNotFound)

	_, err := k.EnsureJob(k.ctx, store.EnsureParams{Job: "import", Type: statuses.JobPeriodic})
	require.NoError(t, err)
	k.stop(k.start(store.StartParams{Open: true, Declared: true}))
	k.stop(k.start(store.StartParams{Open: true, Declared: true}))
	require.NoError(t, k.DeleteJob(k.ctx, "import"))
	require.Equal(t, before, k.inside.Leftovers())
}

func TestTheNewestRunIsNotListedOnceItIsGone(t *testing.T) {
	k := newKit(t, nil)
	_, err := k.EnsureJob(k.ctx, store.EnsureParams{Job: "import", Type: statuses.JobPeriodic})
	require.NoError(t, err)
	k.stop(k.start(store.StartParams{Open: true, Declared: true}))
	newest := k.start(store.StartParams{Open: true, Declared: true})
	k.stop(newest)
	require.NoError(t, k.DeleteRun(k.ctx, newest))
	page, err := k.ListJobs(k.ctx, store.ListParams{Limit: 1})
	require.NoError(t, err)
	require.Nil(t, page.Jobs[0].Run)
	require.Equal(t, newest.Number, page.Jobs[0].Job.LastRun)
}
