package memstore_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

func TestStopCancelsAMillionWaitingTasksWithoutTouchingThem(t *testing.T) {
	const n = 1_000_000
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	it := task("t")
	it.Task.Payload = nil
	entries := make([]store.Entry, 250)
	for i := range entries {
		entries[i] = store.Entry{Run: run, Item: it}
	}
	for range n / len(entries) {
		k.enqueue(entries...)
	}
	k.requireCounts(run, store.Counts{Pending: n})

	// Work that grows with the tasks would allocate or show up as objects that
	// are still reachable; a stop makes all of them garbage at once.
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	k.stop(run)
	runtime.ReadMemStats(&after)
	require.Less(t, after.Mallocs-before.Mallocs, uint64(1000))
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, after.HeapAlloc, before.HeapAlloc/2, "nothing of it is kept")

	k.requireStatus(run, statuses.Stopped)
	k.requireCounts(run, store.Counts{Cancelled: n})
	require.Empty(t, k.worker().fetch(10))
}

func TestRunningTasksOfAStoppingRunSettleOnceAndEndIt(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true, PostJob: hook(postJob)})
	k.add(run, tasks(6)...)
	k.add(run, delayed("later", time.Hour))
	w := k.worker()
	ds := w.fetch(5)
	k.stop(run)
	rec := k.record(run)
	require.Equal(t, statuses.Stopping, rec.Status)
	require.Zero(t, rec.Ended)
	require.Zero(t, rec.Holds)
	k.requireCounts(run, store.Counts{Running: 5, Cancelled: 2})
	require.ErrorIs(t, k.enqueue(store.Entry{Run: run, Item: task("late")}).Entries[0].Err, store.ErrJobStopped)

	success := with(ds[0], verdicts.Success)
	success.Children = tasks(3)
	reply := w.settle(success, with(ds[1], verdicts.Fail), with(ds[2], verdicts.Retry), with(ds[3], verdicts.Release))
	require.Empty(t, reply.Ended)
	reply = w.settle(with(ds[4], verdicts.StopRun))
	require.Equal(t, []store.RunID{run}, reply.Ended)
	k.requireCounts(run, store.Counts{Succeeded: 1, Failed: 1, Cancelled: 5})
	rec = k.record(run)
	require.Equal(t, statuses.Stopped, rec.Status)
	require.Equal(t, "enough", rec.Reason)
	require.Zero(t, rec.Retried)
	require.NotZero(t, rec.Ended)
	require.Empty(t, w.fetch(10), "no post-job hook after a stop")
	require.ErrorIs(t, k.enqueue(store.Entry{Run: run, Item: task("late")}).Entries[0].Err, store.ErrJobStopped)
}

func TestAStopThatIsNotGracefulOverridesOneThatIs(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	k.add(run, task("t"))
	w := k.worker()
	d := w.one()
	for _, step := range []struct{ ask, want bool }{{true, true}, {true, true}, {false, false}, {true, false}} {
		require.NoError(t, k.StopRun(k.ctx, store.StopParams{Run: run, Graceful: step.ask}))
		require.Equal(t, step.want, k.record(run).Graceful)
		reply, err := k.Heartbeat(
			k.ctx, store.HeartbeatParams{Session: w.session, Lease: time.Hour, Runs: []store.RunID{run, {Job: "gone"}}},
		)
		require.NoError(t, err)
		require.Equal(t, []store.RunSignal{
			{Run: run, Status: statuses.Stopping, Graceful: step.want},
			{Run: store.RunID{Job: "gone"}},
		}, reply.Runs)
		require.Equal(t, 1, reply.Held)
	}
	w.settle(with(d, verdicts.Success))
	k.requireStatus(run, statuses.Stopped)
}

func TestARepeatedStopAnswersAsTheFirstTime(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	k.stop(run)
	k.stop(run)
	k.requireStatus(run, statuses.Stopped)

	root := task("root")
	finished := k.start(store.StartParams{Root: &root})
	w := k.worker()
	w.settleAll(w.fetch(1), verdicts.Success)
	require.ErrorIs(t, k.StopRun(k.ctx, store.StopParams{Run: finished}), store.ErrRunFinished)
	require.ErrorIs(t, k.StopRun(k.ctx, store.StopParams{Run: store.RunID{Job: "import"}}), store.ErrRunNotFound)
}

func TestAStopWhileStartingEndsTheRunAtOnce(t *testing.T) {
	k := newKit(t, nil)
	root := task("root")
	run := k.start(store.StartParams{Root: &root, PreJob: hook(preJob)})
	w := k.worker()
	d := w.one()
	k.stop(run)
	k.requireStatus(run, statuses.Stopped)
	k.requireCounts(run, store.Counts{Cancelled: 1})
	require.Equal(t, store.SettleReply{}, w.settle(with(d, verdicts.Begin)), "the hook in flight changes nothing")
	k.requireStatus(run, statuses.Stopped)
	require.Empty(t, w.fetch(10))
	held, err := k.Held(k.ctx, w.session, nil)
	require.NoError(t, err)
	require.Empty(t, held)
}

func TestAStopWhileFinishingGivesUpTheHook(t *testing.T) {
	k := newKit(t, nil)
	root := task("root")
	run := k.start(store.StartParams{Root: &root, PostJob: hook(postJob)})
	w := k.worker()
	w.settleAll(w.fetch(1), verdicts.Fail)
	require.Equal(t, postJob, w.one().Lease.Lane.Route)
	k.stop(run)
	rec := k.record(run)
	require.Equal(t, statuses.Failed, rec.Status, "the outcome stands")
	require.Equal(t, "stopped", rec.HookError)
	k.stop(run)
	require.NoError(t, k.CloseSession(k.ctx, w.session))
	require.Empty(t, k.worker().fetch(10), "the hook in flight does not come back")
}

func TestTasksOfADeadSessionAreCancelledWhileTheirRunStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		run := k.start(store.StartParams{Open: true})
		k.add(run, tasks(3)...)
		k.workerFor(time.Second).fetch(3)
		k.stop(run)
		k.requireStatus(run, statuses.Stopping)
		time.Sleep(time.Second)
		require.Equal(t, 3, k.sweep().Reclaimed)
		k.requireStatus(run, statuses.Stopped)
		k.requireCounts(run, store.Counts{Cancelled: 3})
	})
}
