package memstore_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

func TestASessionLivesAsLongAsItIsHeardFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		run := k.start(store.StartParams{Open: true})
		k.add(run, task("t"))
		w := k.workerFor(3 * time.Second)
		d := w.one()
		for range 10 {
			time.Sleep(2 * time.Second)
			_, err := k.Heartbeat(k.ctx, store.HeartbeatParams{Session: w.session, Lease: 3 * time.Second})
			require.NoError(t, err)
			require.Zero(t, k.sweep())
		}
		time.Sleep(3*time.Second - 1)
		require.Zero(t, k.sweep())
		time.Sleep(1)
		require.Equal(t, store.SweepReply{Sessions: 1, Reclaimed: 1}, k.sweep())
		_, err := k.Settle(
			k.ctx,
			store.SettleParams{Session: w.session, Number: 1, Outcomes: []store.Outcome{with(d, verdicts.Success)}},
		)
		require.ErrorIs(t, err, store.ErrLeaseLost)
		k.requireCounts(run, store.Counts{Pending: 1})
	})
}

func TestTheSweepIsTheFenceNotTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		run := k.start(store.StartParams{Open: true})
		k.add(run, task("t"))
		w := k.workerFor(time.Second)
		d := w.one()
		time.Sleep(time.Minute)
		require.Empty(t, w.settle(with(d, verdicts.Success)).Lost, "nobody swept: nobody else can have it")
		k.requireCounts(run, store.Counts{Succeeded: 1})
	})
}

func TestALongTimeWithoutASweepExtendsEveryLeaseOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, &memstore.Options{SweepInterval: time.Second})
		run := k.start(store.StartParams{Open: true})
		k.add(run, task("t"))
		k.workerFor(2 * time.Second).one()
		k.sweep()
		time.Sleep(3*time.Second + 1)
		require.Zero(t, k.sweep(), "everybody may have stood still")
		time.Sleep(2*time.Second - 1)
		require.Zero(t, k.sweep())
		time.Sleep(1)
		require.Equal(t, store.SweepReply{Sessions: 1, Reclaimed: 1}, k.sweep())
	})
}

func TestAClockThatGoesBackExtendsEveryLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		w := k.workerFor(time.Second)
		k.sweep()
		k.inside.SetClock(func() time.Time { return time.Now().Add(-time.Hour) })
		require.Zero(t, k.sweep())
		live, err := k.LiveSessions(k.ctx, 0)
		require.NoError(t, err)
		require.Equal(t, w.session.ID, live[0].ID)
		require.Equal(t, time.Now().Add(time.Second-time.Hour).UTC(), live[0].Expires)
		time.Sleep(time.Second)
		require.Equal(t, 1, k.sweep().Sessions)
	})
}

func TestHeartbeatsSayWhenASweepIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		w := k.worker()
		due := func() bool {
			reply, err := k.Heartbeat(k.ctx, store.HeartbeatParams{Session: w.session, Lease: time.Hour})
			require.NoError(t, err)
			return reply.SweepDue
		}
		require.True(t, due())
		k.sweep()
		require.False(t, due())
		time.Sleep(memstore.DefaultSweepInterval - 1)
		require.False(t, due())
		time.Sleep(1)
		require.True(t, due())
	})
}

func TestAnIdleOpenRunIsSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		idle := k.start(store.StartParams{Job: "idle", Open: true, SealAfter: time.Minute})
		for range 3 {
			time.Sleep(time.Minute - 1)
			k.promote()
			k.add(idle, task("t"))
		}
		w := k.workerFor(time.Hour)
		w.settleAll(w.fetch(3), verdicts.Success)
		k.requireStatus(idle, statuses.Running)
		forever := k.start(store.StartParams{Job: "forever", Open: true})
		time.Sleep(time.Minute - 1)
		require.Equal(t, time.Now().Add(1).UTC(), k.promote().Next)
		k.requireStatus(idle, statuses.Running)
		time.Sleep(1)
		require.Zero(t, k.promote().Next)
		k.requireStatus(idle, statuses.Succeeded)
		k.requireStatus(forever, statuses.Running)
	})
}

func TestASummaryIsKeptForItsRetentionAndThenNothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		w := k.workerFor(24 * time.Hour)
		before := k.inside.Leftovers()
		root := task("root")
		run := k.start(store.StartParams{Root: &root, Token: "token", Retention: time.Minute, PostJob: hook(postJob)})
		o := with(w.one(), verdicts.Success)
		o.Children = []store.Item{onRoute(file, task("copy")), delayed("later", time.Second)}
		w.settle(o)
		w.settleAll(w.fetch(1), verdicts.Fail)
		time.Sleep(time.Second)
		k.promote()
		w.settleAll(w.fetch(1), verdicts.Success)
		w.settleAll(w.fetch(1), verdicts.HookDone)
		k.requireStatus(run, statuses.Failed)

		time.Sleep(time.Minute - 1)
		require.Zero(t, k.sweep().Purged)
		k.requireStatus(run, statuses.Failed)
		time.Sleep(1)
		require.Equal(t, 1, k.sweep().Purged)
		_, err := k.Run(k.ctx, run)
		require.ErrorIs(t, err, store.ErrRunNotFound)
		_, err = k.Job(k.ctx, "import")
		require.ErrorIs(t, err, store.ErrJobNotFound, "a job that was never declared goes with its last run")
		require.Equal(t, before, k.inside.Leftovers())
	})
}

func TestARunThatEndedKeepsOnlyItsSummary(t *testing.T) {
	k := newKit(t, nil)
	root := task("root")
	end := map[string]func(w *worker, run store.RunID){
		"completed": func(w *worker, _ store.RunID) { w.settleAll(w.fetch(1), verdicts.Success) },
		"stopped": func(w *worker, run store.RunID) {
			k.add(run, claimed("a", time.Hour), delayed("later", time.Hour))
			k.stop(run)
			w.settleAll(w.fetch(1), verdicts.Fail)
		},
	}
	for job, how := range end {
		run := k.start(store.StartParams{Job: job, Root: &root})
		how(k.worker(), run)
		require.True(t, k.record(run).Status.Final())
		require.Contains(t, k.inside.Leftovers(), fmt.Sprintf("run %d lanes=0 accounts=0 holds=0 ids=0 kept=0 results=0", run.Number))
		require.NoError(t, k.DeleteRun(k.ctx, run))
		require.Empty(t, k.inside.Leftovers())
	}
}

func TestASweepDoesABoundedSliceAndSaysThatThereIsMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		_, err := k.EnsureJob(k.ctx, store.EnsureParams{Job: "import", Type: statuses.JobPeriodic})
		require.NoError(t, err)
		const n = 5000
		for range n {
			k.stop(k.start(store.StartParams{Open: true, Declared: true, Retention: time.Second}))
		}
		time.Sleep(time.Second)
		first := k.sweep()
		require.True(t, first.More)
		second := k.sweep()
		require.False(t, second.More)
		require.Equal(t, n, first.Purged+second.Purged)
		job, err := k.Job(k.ctx, "import")
		require.NoError(t, err)
		require.NotZero(t, job.LastRun)
	})
}

func TestASessionIsDescribedWhileItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		run := k.start(store.StartParams{Open: true})
		k.add(run, tasks(2)...)
		w := k.worker()
		ds := w.fetch(2)
		running := []store.RunningTask{{Run: run, ID: "t0", Since: time.Now().UTC()}}
		_, err := k.Heartbeat(k.ctx, store.HeartbeatParams{Session: w.session, Lease: time.Minute, Running: running})
		require.NoError(t, err)
		live, err := k.LiveSessions(k.ctx, 0)
		require.NoError(t, err)
		require.Equal(t, []store.SessionRecord{{
			ID: w.session.ID, Worker: store.WorkerInfo{Name: "w"}, Held: 2, Running: running,
			Expires: time.Now().Add(time.Minute).UTC(),
		}}, live)
		w.settleAll(ds, verdicts.Success)
		require.NoError(t, k.CloseSession(k.ctx, w.session))
		live, err = k.LiveSessions(k.ctx, 0)
		require.NoError(t, err)
		require.Empty(t, live)
		require.ErrorIs(t, k.OpenSession(k.ctx, store.SessionID{}, store.WorkerInfo{}, time.Second), store.ErrInvalid)
		require.ErrorIs(t, k.OpenSession(k.ctx, w.session, store.WorkerInfo{}, 0), store.ErrInvalid)
	})
}
