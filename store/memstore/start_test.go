package memstore_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

func TestRunNumbersAreMicrosecondsAndGrowWhenTheClockStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		first := k.start(store.StartParams{Job: "a", Open: true})
		second := k.start(store.StartParams{Job: "b", Open: true})
		require.Equal(t, time.Now().UnixMicro(), first.Number)
		require.Equal(t, first.Number+1, second.Number, "the clock of the bubble stands still")
		time.Sleep(time.Second)
		third := k.start(store.StartParams{Job: "c", Open: true})
		require.Equal(t, time.Now().UnixMicro(), third.Number)
	})
}

func TestRunNumbersGrowAlsoWhenTheClockGoesBack(t *testing.T) {
	k := newKit(t, nil)
	first := k.start(store.StartParams{Job: "a", Open: true})
	k.inside.SetClock(func() time.Time { return time.Now().Add(-time.Hour) })
	second := k.start(store.StartParams{Job: "b", Open: true})
	require.Equal(t, first.Number+1, second.Number)
}

func TestStartIsRefusedWithEveryBadFieldNamed(t *testing.T) {
	k := newKit(t, nil)
	_, err := k.StartRun(k.ctx, store.StartParams{Job: " ", Weight: math.NaN(), Retention: -1})
	require.ErrorIs(t, err, store.ErrInvalid)
	for _, field := range []string{"Name", "Root", "Weight", "Retention", "FailureCap"} {
		require.ErrorContains(t, err, field)
	}
	var fe *store.FieldError
	require.ErrorAs(t, err, &fe)
	page, err := k.ListJobs(k.ctx, store.ListParams{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page.Jobs, "nothing was written")
}

func TestTheSameTokenGivesTheSameRunAlsoWhenItHasEnded(t *testing.T) {
	k := newKit(t, nil)
	root := task("root")
	p := complete(store.StartParams{Token: "upload-9", Root: &root})
	first, err := k.StartRun(k.ctx, p)
	require.NoError(t, err)
	require.False(t, first.Existing)

	again, err := k.StartRun(k.ctx, p)
	require.NoError(t, err)
	require.Equal(t, store.StartReply{Run: first.Run, Existing: true}, again)

	k.stop(first.Run)
	again, err = k.StartRun(k.ctx, p)
	require.NoError(t, err)
	require.Equal(t, store.StartReply{Run: first.Run, Existing: true}, again)

	require.NoError(t, k.DeleteRun(k.ctx, first.Run))
	fresh, err := k.StartRun(k.ctx, p)
	require.NoError(t, err)
	require.False(t, fresh.Existing)
	require.Greater(t, fresh.Run.Number, first.Run.Number)
}

func TestStartingAnActiveNameReturnsTheActiveRun(t *testing.T) {
	k := newKit(t, nil)
	active := k.start(store.StartParams{Open: true})
	_, err := k.StartRun(k.ctx, complete(store.StartParams{Open: true}))
	require.ErrorIs(t, err, store.ErrJobExists)
	var exists *store.JobExistsError
	require.ErrorAs(t, err, &exists)
	require.Equal(t, active, exists.Active)

	k.stop(active)
	k.start(store.StartParams{Open: true})
}

func TestADisabledJobIsNotStartedInAnyWay(t *testing.T) {
	k := newKit(t, nil)
	_, err := k.EnsureJob(k.ctx, store.EnsureParams{Job: "import", Type: statuses.JobPeriodic})
	require.NoError(t, err)
	require.NoError(t, k.SetJobDisabled(k.ctx, "import", true))
	_, err = k.StartRun(k.ctx, complete(store.StartParams{Open: true, Declared: true}))
	require.ErrorIs(t, err, store.ErrJobDisabled)
	_, err = k.StartRun(k.ctx, complete(store.StartParams{Open: true}))
	require.ErrorIs(t, err, store.ErrJobExists)
	require.NoError(t, k.SetJobDisabled(k.ctx, "import", false))
	k.start(store.StartParams{Open: true, Declared: true})
	require.ErrorIs(t, k.SetJobDisabled(k.ctx, "unknown", true), store.ErrJobNotFound)
}

func TestARootIsVisibleAtOnceWithoutAPreJobHook(t *testing.T) {
	k := newKit(t, nil)
	root := task("root")
	run := k.start(store.StartParams{Root: &root})
	k.requireStatus(run, statuses.Running)
	k.requireCounts(run, store.Counts{Pending: 1})
	require.Equal(t, "root", k.worker().one().Task.ID)
}

func TestADelayedRootWaitsForItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		root := delayed("root", time.Minute)
		run := k.start(store.StartParams{Root: &root})
		k.requireCounts(run, store.Counts{Delayed: 1})
		w := k.worker()
		require.Empty(t, w.fetch(1))
		time.Sleep(time.Minute)
		require.Equal(t, 1, k.promote().Promoted)
		w.one()
	})
}

func TestThePreJobHookHoldsBackTheRootAndWhatIsEnqueuedMeanwhile(t *testing.T) {
	k := newKit(t, nil)
	root := task("root")
	run := k.start(store.StartParams{Root: &root, PreJob: hook(preJob)})
	k.add(run, task("outside"))
	k.requireStatus(run, statuses.Starting)
	k.requireCounts(run, store.Counts{Pending: 2})

	w := k.worker()
	ds := w.fetch(10)
	require.Equal(t, []string{store.KindPreJob}, idsOf(ds))
	require.Empty(t, w.fetch(10))
	w.settleAll(ds, verdicts.Begin)
	k.requireStatus(run, statuses.Running)
	require.ElementsMatch(t, []string{"root", "outside"}, idsOf(w.fetch(10)))
	k.requireCounts(run, store.Counts{Running: 2})
}

func TestADelayOfTheRootBeginsWhenThePreJobHookHasPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		root := delayed("root", time.Minute)
		run := k.start(store.StartParams{Root: &root, PreJob: hook(preJob)})
		w := k.worker()
		d := w.one()
		time.Sleep(2 * time.Minute)
		w.settle(with(d, verdicts.Begin))
		k.requireCounts(run, store.Counts{Delayed: 1})
		require.Equal(t, time.Now().Add(time.Minute).UTC(), k.promote().Next)
	})
}

func TestAnOpenRunWithAHookAndNothingToDoEndsWhenTheHookHasPassed(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true, PreJob: hook(preJob)})
	k.seal(run)
	k.requireStatus(run, statuses.Starting)
	w := k.worker()
	reply := w.settle(with(w.one(), verdicts.Begin))
	require.Equal(t, []store.RunID{run}, reply.Ended)
	k.requireStatus(run, statuses.Succeeded)
}

func TestADeclinedOrAbortedStartCancelsEverything(t *testing.T) {
	for verdict, want := range map[verdicts.Verdict]statuses.Status{
		verdicts.Skip:  statuses.Skipped,
		verdicts.Abort: statuses.Failed,
		verdicts.Fail:  statuses.Failed, // a hook that is given up is an aborted start
	} {
		k := newKit(t, nil)
		root := task("root")
		run := k.start(store.StartParams{Root: &root, Open: true, PreJob: hook(preJob), PostJob: hook(postJob)})
		k.add(run, task("outside"), delayed("later", time.Hour))
		w := k.worker()
		o := with(w.one(), verdict)
		o.Error = "why"
		require.Equal(t, []store.RunID{run}, w.settle(o).Ended)
		rec := k.record(run)
		require.Equal(t, want, rec.Status)
		require.Equal(t, "why", rec.Error+rec.Reason)
		k.requireCounts(run, store.Counts{Cancelled: 3})
		require.Empty(t, w.fetch(10), "neither tasks nor a post-job hook")
	}
}

func TestAPreJobHookIsRetriedReleasedAndReclaimedLikeATask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		root := task("root")
		run := k.start(store.StartParams{Root: &root, PreJob: hook(preJob)})
		dying, w := k.workerFor(time.Second), k.worker()

		d := w.one()
		d.Task.Retry = 1
		o := with(d, verdicts.Retry)
		o.Delay = time.Minute
		w.settle(o)
		require.Empty(t, w.fetch(1))
		time.Sleep(time.Minute)
		k.promote()
		d = dying.one()
		require.Equal(t, 1, d.Task.Retry)
		time.Sleep(time.Second)
		require.Equal(t, store.SweepReply{Sessions: 1, Reclaimed: 1}, k.sweep())

		d = w.one()
		require.True(t, d.Task.Recovered)
		w.settle(with(d, verdicts.Release))
		d = w.one()
		require.True(t, d.Task.Recovered, "it was given back untouched")
		k.requireCounts(run, store.Counts{Pending: 1})
		w.settle(with(d, verdicts.Begin))
		k.requireStatus(run, statuses.Running)
	})
}

func TestPartitionsAreIndependentAndChecked(t *testing.T) {
	k := newKit(t, &memstore.Options{Partitions: 3})
	require.Equal(t, 3, k.Partitions())
	for _, bad := range []int{-1, 3} {
		_, err := k.Sweep(k.ctx, bad)
		var fe *store.FieldError
		require.ErrorAs(t, err, &fe)
		require.Equal(t, "Partition", fe.Field)
	}
	seen := 0
	for _, job := range []string{"a", "b", "c", "d"} {
		k.start(store.StartParams{Job: job, Open: true})
	}
	for p := range 3 {
		page, err := k.ListJobs(k.ctx, store.ListParams{Partition: p, Limit: 10})
		require.NoError(t, err)
		for _, e := range page.Jobs {
			require.Equal(t, p, store.PartitionOf(e.Job.Name, 3))
			seen++
		}
	}
	require.Equal(t, 4, seen)
}
