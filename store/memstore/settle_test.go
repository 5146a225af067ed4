package memstore_test

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

func TestARepeatedSettlementAnswersAsTheFirstTimeAndCountsOnce(t *testing.T) {
	k := newKit(t, nil)
	root := task("root")
	run := k.start(store.StartParams{Root: &root})
	w := k.worker()
	d := w.one()
	unknown := d
	unknown.Lease.Fetch = 99
	o := with(d, verdicts.Success)
	o.Children = []store.Item{task("child")}
	first := w.settle(with(unknown, verdicts.Success), o)
	require.Equal(t, store.SettleReply{Lost: []int{0}}, first)
	w.done--
	require.Equal(t, first, w.settle(with(unknown, verdicts.Success), o))
	k.requireCounts(run, store.Counts{Pending: 1, Succeeded: 1})

	require.Equal(t, store.SettleReply{Lost: []int{0}}, w.settle(o), "a lease is redeemed once")
	_, err := w.Settle(w.ctx, store.SettleParams{Session: w.session, Number: 1})
	require.ErrorIs(t, err, store.ErrStale)
}

func TestALeaseFitsOnlyItsOwnDelivery(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	k.add(run, task("t"))
	w := k.worker()
	d := w.one()
	forge := func(change func(*store.Lease)) store.Outcome {
		o := with(d, verdicts.Success)
		change(&o.Lease)
		return o
	}
	reply := w.settle(
		forge(func(l *store.Lease) { l.Session = "other" }), forge(func(l *store.Lease) { l.Index = -1 }),
		forge(func(l *store.Lease) { l.Index = 1 }), forge(func(l *store.Lease) { l.Fetch++ }),
		forge(func(l *store.Lease) { l.Lane.Route.Kind = "other" }), forge(func(l *store.Lease) { l.Lane.Run.Number++ }),
	)
	require.Equal(t, []int{0, 1, 2, 3, 4, 5}, reply.Lost)
	gone := forge(func(l *store.Lease) { l.Index = 7 })
	released := gone
	released.Verdict = verdicts.Release
	require.Equal(t, []int{0, 1, 2}, w.settle(gone, released, gone).Lost, "in the order of the outcomes")

	w.settle(with(d, verdicts.Retry))
	again := w.one()
	require.NotEqual(t, d.Lease, again.Lease)
	require.Equal(t, []int{0}, w.settle(with(d, verdicts.Success)).Lost, "not the next delivery of the task")
	k.requireCounts(run, store.Counts{Running: 1})
}

func TestASessionThatIsGoneCanDoNothing(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	k.add(run, task("t"))
	w := k.worker()
	d := w.one()
	require.NoError(t, k.CloseSession(k.ctx, w.session))
	require.NoError(t, k.CloseSession(k.ctx, w.session), "closing one that is gone changes nothing")
	_, err := k.Settle(k.ctx, store.SettleParams{Session: w.session, Number: 1, Outcomes: []store.Outcome{with(d, verdicts.Success)}})
	require.ErrorIs(t, err, store.ErrLeaseLost)
	_, err = k.Fetch(k.ctx, store.FetchParams{Session: w.session, Number: 2, Max: 1})
	require.ErrorIs(t, err, store.ErrLeaseLost)
	_, err = k.Heartbeat(k.ctx, store.HeartbeatParams{Session: w.session, Lease: time.Second})
	require.ErrorIs(t, err, store.ErrLeaseLost)
	_, err = k.Held(k.ctx, w.session, nil)
	require.ErrorIs(t, err, store.ErrLeaseLost)
	require.ErrorIs(t, k.Stage(k.ctx, store.StageParams{Session: w.session, Lease: d.Lease, Route: path}), store.ErrLeaseLost)
	k.requireCounts(run, store.Counts{Pending: 1})
}

func TestEachVerdictMovesItsCounters(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	k.add(run, tasks(7)...)
	w := k.worker()
	ds := w.fetch(7)
	later := with(ds[2], verdicts.Retry)
	later.Delay, later.Error = time.Hour, "later"
	snooze := with(ds[3], verdicts.Snooze)
	snooze.Delay = time.Hour
	w.settle(
		with(ds[0], verdicts.Success), with(ds[1], verdicts.Retry), later, snooze,
		with(ds[4], verdicts.Fail), with(ds[5], verdicts.Cancel), with(ds[6], verdicts.Release),
	)
	k.requireCounts(run, store.Counts{Pending: 2, Delayed: 2, Succeeded: 1, Failed: 1, Cancelled: 1})
	rec := k.record(run)
	require.Equal(t, int64(2), rec.Retried)
	require.Equal(t, "later", rec.RetryError)
	require.Empty(t, rec.Error, "of the failure, which gave none")
}

func TestReleasedTasksWaitInFrontInTheirOldOrderAndRetriedOnesBehind(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	k.add(run, tasks(5)...)
	w := k.worker()
	ds := w.fetch(4)
	retry := with(ds[0], verdicts.Retry)
	retry.Task.Retry = 7
	w.settle(retry, with(ds[1], verdicts.Release), with(ds[2], verdicts.Release), with(ds[3], verdicts.Release))
	ds = w.fetch(10)
	require.Equal(t, []string{"t1", "t2", "t3", "t4", "t0"}, idsOf(ds))
	require.Equal(t, 7, ds[4].Task.Retry)
}

func TestAVerdictThatATaskCannotHaveIsRefusedWhole(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	k.add(run, tasks(2)...)
	w := k.worker()
	ds := w.fetch(2)
	for _, v := range []verdicts.Verdict{0, verdicts.Begin, verdicts.HookDone + 1} {
		_, err := w.Settle(w.ctx, store.SettleParams{Session: w.session, Number: 1, Outcomes: []store.Outcome{
			with(ds[0], verdicts.Success), with(ds[1], v),
		}})
		var fe *store.FieldError
		require.ErrorAs(t, err, &fe)
		require.Equal(t, "Outcomes[1].Verdict", fe.Field)
	}
	many := with(ds[0], verdicts.Success)
	many.Children = make([]store.Item, bounds.MaxBatch+1)
	_, err := w.Settle(w.ctx, store.SettleParams{Session: w.session, Number: 1, Outcomes: []store.Outcome{many}})
	require.ErrorIs(t, err, store.ErrInvalid)
	k.requireCounts(run, store.Counts{Running: 2})
}

func TestFailuresAreExactAndTheirSampleKeepsTheFirstAndTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		run := k.start(store.StartParams{Open: true, FailureCap: 3})
		k.add(run, tasks(5)...)
		w := k.worker()
		for i := range 5 {
			o := with(w.one(), verdicts.Fail)
			o.Error, o.Stack = fmt.Sprint("error ", i), "stack"
			w.settle(o)
		}
		k.requireCounts(run, store.Counts{Failed: 5})
		require.Equal(t, "error 4", k.record(run).Error)
		all, err := k.Failures(k.ctx, store.FailuresParams{Run: run, Limit: 100})
		require.NoError(t, err)
		require.Len(t, all, 3)
		require.Equal(t, store.Failure{
			Place: 1, Lane: store.Lane{Run: run, Route: path}, Task: task("t0").Task,
			Error: "error 0", Stack: "stack", Worker: "w", At: time.Now().UTC(),
		}, all[0])
		page, err := k.Failures(k.ctx, store.FailuresParams{Run: run, After: 1, Limit: 1})
		require.NoError(t, err)
		require.Equal(t, all[1:2], page)
		require.Equal(t, []string{"error 3", "error 4"}, []string{all[1].Error, all[2].Error})
		page, err = k.Failures(k.ctx, store.FailuresParams{Run: run, After: 9, Limit: 1})
		require.NoError(t, err)
		require.Empty(t, page)
		k.seal(run)
		k.requireStatus(run, statuses.Failed)
	})
}

func TestARunEndsWithItsLastTaskAndTheHookFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		root := task("root")
		run := k.start(store.StartParams{Root: &root, PostJob: hook(postJob)})
		w := k.worker()
		time.Sleep(time.Second)
		require.Equal(t, []store.RunID{run}, w.settle(with(w.one(), verdicts.Success)).Ended)
		ended := time.Now().UTC()
		rec := k.record(run)
		require.Equal(t, statuses.Finishing, rec.Status)
		require.Equal(t, statuses.Succeeded, rec.FinalStatus)
		require.Equal(t, ended, rec.Ended)
		_, err := k.StartRun(k.ctx, complete(store.StartParams{Open: true}))
		require.ErrorIs(t, err, store.ErrJobExists, "finishing is active")

		time.Sleep(time.Second)
		d := w.one()
		require.Equal(t, postJob, d.Lease.Lane.Route)
		w.settle(with(d, verdicts.Retry))
		done := with(w.one(), verdicts.HookDone)
		done.Error = "mail server is down"
		require.Equal(t, []store.RunID{run}, w.settle(done).Ended)
		rec = k.record(run)
		require.Equal(t, statuses.Succeeded, rec.Status)
		require.Empty(t, rec.FinalStatus)
		require.Equal(t, ended, rec.Ended)
		require.Equal(t, "mail server is down", rec.HookError)
		require.Zero(t, rec.Retried)
		k.requireCounts(run, store.Counts{Succeeded: 1})
	})
}

func TestAVerdictOfAnotherHookGivesTheHookBack(t *testing.T) {
	k := newKit(t, nil)
	root := task("root")
	run := k.start(store.StartParams{Root: &root, PreJob: hook(preJob), PostJob: hook(postJob)})
	w := k.worker()
	w.settleAll(w.fetch(1), verdicts.HookDone)
	k.requireStatus(run, statuses.Starting)
	w.settleAll(w.fetch(1), verdicts.Cancel)
	k.requireStatus(run, statuses.Starting)
	w.settleAll(w.fetch(1), verdicts.Begin)
	w.settleAll(w.fetch(1), verdicts.Success)
	w.settleAll(w.fetch(1), verdicts.Skip)
	k.requireStatus(run, statuses.Finishing)
	gaveUp := with(w.one(), verdicts.Fail)
	gaveUp.Error = "gave up"
	w.settle(gaveUp)
	k.requireStatus(run, statuses.Succeeded)
	require.Equal(t, "gave up", k.record(run).HookError)
}

func TestAHookThatAsksForAStopEndsItsRun(t *testing.T) {
	k := newKit(t, nil)
	root := task("root")
	run := k.start(store.StartParams{Root: &root, PreJob: hook(preJob)})
	w := k.worker()
	require.Equal(t, []store.RunID{run}, w.settle(with(w.one(), verdicts.StopRun)).Ended)
	k.requireStatus(run, statuses.Failed)
	k.requireCounts(run, store.Counts{Cancelled: 1})
}

func TestAChildKeepsItsRunGoing(t *testing.T) {
	k := newKit(t, nil)
	root := task("root")
	run := k.start(store.StartParams{Root: &root})
	w := k.worker()
	o := with(w.one(), verdicts.Success)
	o.Children = []store.Item{task("child"), delayed("later", time.Hour), onRoute(file, task("copy"))}
	require.Empty(t, w.settle(o).Ended)
	k.requireCounts(run, store.Counts{Pending: 2, Delayed: 1, Succeeded: 1})
}

func TestATaskCanStopItsRun(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	k.add(run, tasks(5)...)
	w := k.worker()
	ds := w.fetch(3)
	stop := with(ds[0], verdicts.StopRun)
	stop.Error = "disk is full"
	reply := w.settle(stop, with(ds[1], verdicts.Release), with(ds[2], verdicts.Retry))
	require.Equal(t, []store.RunID{run}, reply.Ended)
	rec := k.record(run)
	require.Equal(t, statuses.Stopped, rec.Status)
	require.Equal(t, "disk is full", rec.Reason)
	k.requireCounts(run, store.Counts{Cancelled: 5})
}

func TestASumThatWouldLeave64BitsIsLeftAsItWasAndItsTaskIsSettled(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	k.add(run, tasks(6)...)
	w := k.worker()
	for i, step := range []struct{ add, want int64 }{
		{math.MaxInt64, math.MaxInt64},
		{1, math.MaxInt64},
		{-7, math.MaxInt64 - 7},
		{math.MinInt64, -8},
		{math.MinInt64 + 7, -8},
		{math.MinInt64 + 8, math.MinInt64},
	} {
		o := with(w.one(), verdicts.Success)
		o.Counters = map[string]int64{"files": step.add}
		w.settle(o)
		require.Equal(t, step.want, k.record(run).Counters["files"], "step %d", i)
	}
	k.requireCounts(run, store.Counts{Succeeded: 6})
}
