package memstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

func TestNothingThatPassesTheBoundaryIsShared(t *testing.T) {
	k := newKit(t, nil)
	spoil := func(it *store.Item) {
		it.Task.Payload[0], it.Task.Attributes[0], it.Task.Headers["h"] = 'X', 'X', "X"
	}
	fresh := func(id string) store.Item {
		it := store.Item{Route: path, Task: store.Task{ID: id}}
		it.Task.Payload, it.Task.Attributes, it.Task.Headers = []byte("p"), []byte("a"), map[string]string{"h": "v"}
		return it
	}
	root, outside, child, staged := fresh("root"), fresh("outside"), fresh("child"), fresh("staged")
	args, headers := []byte("args"), map[string]string{"h": "v"}
	run := k.start(store.StartParams{Root: &root, Args: args, Headers: headers})
	spoil(&root)
	args[0], headers["h"] = 'X', "X"
	entries := []store.Entry{{Run: run, Item: outside}}
	k.enqueue(entries...)
	spoil(&outside)
	entries[0] = store.Entry{}

	rec := k.record(run)
	require.Equal(t, "args", string(rec.Args))
	require.Equal(t, "v", rec.Headers["h"])
	rec.Args[0], rec.Headers["h"] = 'X', "X"
	require.Equal(t, "args", string(k.record(run).Args))
	require.Equal(t, "v", k.record(run).Headers["h"])

	w := k.worker()
	intact := func(ds []store.Delivery) {
		for i := range ds {
			ds[i].Task.Ready = time.Time{} // it says when it came back
			require.Equal(t, fresh(ds[i].Task.ID).Task, ds[i].Task)
			spoil(&store.Item{Task: ds[i].Task})
		}
	}
	ds := w.fetch(2)
	intact(ds)
	w.fetched--
	ds = w.fetch(2)
	intact(ds)
	ds[1].Task = fresh(ds[1].Task.ID).Task // it is stored again as the outcome has it
	require.NoError(t, w.Stage(w.ctx, store.StageParams{Session: w.session, Lease: ds[0].Lease, Route: path, Items: []store.Item{staged}}))
	spoil(&staged)
	o := with(ds[0], verdicts.Success)
	o.Staged, o.Children = []store.Staged{{Route: path, Count: 1}}, []store.Item{child}
	w.settle(o, with(ds[1], verdicts.Retry))
	spoil(&child)
	ds = w.fetch(3)
	require.Len(t, ds, 3)
	intact(ds)
	ds[0].Task = fresh(ds[0].Task.ID).Task
	w.settle(with(ds[0], verdicts.Fail))
	for range 2 {
		failures, err := k.Failures(k.ctx, store.FailuresParams{Run: run, Limit: 1})
		require.NoError(t, err)
		intact([]store.Delivery{{Task: failures[0].Task}})
	}
}

func TestACallWhoseContextHasEndedDoesNothing(t *testing.T) {
	k := newKit(t, nil)
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	for name, err := range everyCall(ctx, k) {
		require.ErrorIs(t, err, context.Canceled, name)
	}
	require.Empty(t, k.inside.Leftovers())
}

func TestAClosedStoreRefusesEveryCall(t *testing.T) {
	k := newKit(t, nil)
	require.NoError(t, k.Close())
	require.NoError(t, k.Close())
	for name, err := range everyCall(k.ctx, k) {
		require.ErrorIs(t, err, store.ErrClosed, name)
	}
}

// everyCall makes every call that can fail, with parameters that are valid.
func everyCall(ctx context.Context, k *kit) map[string]error {
	errs := map[string]error{}
	run, session := store.RunID{Job: "import", Number: 1}, store.SessionID{ID: "s"}
	_, errs["EnsureJob"] = k.EnsureJob(ctx, store.EnsureParams{Job: "import", Type: statuses.JobPeriodic})
	errs["SetJobDisabled"] = k.SetJobDisabled(ctx, "import", true)
	_, errs["Job"] = k.Job(ctx, "import")
	_, errs["ListJobs"] = k.ListJobs(ctx, store.ListParams{Limit: 1})
	_, errs["JobRuns"] = k.JobRuns(ctx, "import")
	errs["DeleteJob"] = k.DeleteJob(ctx, "import")
	_, errs["StartRun"] = k.StartRun(ctx, complete(store.StartParams{Open: true}))
	_, errs["Run"] = k.Run(ctx, run)
	errs["StopRun"] = k.StopRun(ctx, store.StopParams{Run: run})
	errs["SetRunPaused"] = k.SetRunPaused(ctx, run, true)
	_, errs["Failures"] = k.Failures(ctx, store.FailuresParams{Run: run, Limit: 1})
	_, errs["Inspect"] = k.Inspect(ctx, run)
	errs["DeleteRun"] = k.DeleteRun(ctx, run)
	errs["OpenProducer"] = k.OpenProducer(ctx, 0, "p")
	_, errs["Enqueue"] = k.Enqueue(ctx, store.EnqueueParams{Stream: "stream", Number: 1})
	errs["OpenSession"] = k.OpenSession(ctx, session, store.WorkerInfo{}, time.Second)
	_, errs["Fetch"] = k.Fetch(ctx, store.FetchParams{Session: session, Number: 1, Max: 1})
	_, errs["Settle"] = k.Settle(ctx, store.SettleParams{Session: session, Number: 1})
	errs["Stage"] = k.Stage(ctx, store.StageParams{
		Session: session, Lease: store.Lease{Lane: store.Lane{Run: run, Route: path}}, Route: path,
	})
	_, errs["Heartbeat"] = k.Heartbeat(ctx, store.HeartbeatParams{Session: session, Lease: time.Second})
	_, errs["Held"] = k.Held(ctx, session, nil)
	errs["CloseSession"] = k.CloseSession(ctx, session)
	_, errs["LiveSessions"] = k.LiveSessions(ctx, 0)
	_, errs["QueueStats"] = k.QueueStats(ctx, 0)
	_, errs["ReadHistory"] = k.ReadHistory(ctx, store.HistoryParams{From: time.Unix(0, 0), To: time.Unix(60, 0)})
	_, errs["Promote"] = k.Promote(ctx, 0)
	_, errs["Sweep"] = k.Sweep(ctx, 0)
	errs["Ping"] = k.Ping(ctx)
	return errs
}

func TestCountsStayExactWhileEverybodyCallsAtOnce(t *testing.T) {
	const workers, perWorker = 8, 300
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			stream := fmt.Sprint("stream-", i)
			if err := k.OpenProducer(k.ctx, 0, stream); err != nil {
				t.Error(err)
			}
			for n := range perWorker {
				_, err := k.Enqueue(k.ctx, store.EnqueueParams{
					Stream: stream, Number: int64(n + 1),
					Entries: []store.Entry{{Run: run, Item: task("t")}},
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		session := store.SessionID{ID: fmt.Sprint("parallel-", i)}
		all.Go(func() {
			if err := k.OpenSession(k.ctx, session, store.WorkerInfo{}, time.Hour); err != nil {
				t.Error(err)
			}
			settled := 0
			for n := int64(1); settled < perWorker; n++ {
				reply, err := k.Fetch(
					k.ctx, store.FetchParams{Session: session, Number: n, Max: min(7, perWorker-settled), Queues: everything},
				)
				if err != nil {
					t.Error(err)
					return
				}
				outcomes := make([]store.Outcome, len(reply.Deliveries))
				for i, d := range reply.Deliveries {
					outcomes[i] = with(d, verdicts.Success)
				}
				lost, err := k.Settle(k.ctx, store.SettleParams{Session: session, Number: n, Outcomes: outcomes})
				if err != nil || len(lost.Lost) > 0 {
					t.Error(err, lost)
					return
				}
				settled += len(outcomes)
				rec, err := k.Run(k.ctx, run)
				if err != nil || !rec.Counts.Balanced() {
					t.Error(err, rec.Counts)
				}
			}
		})
	}
	all.Wait()
	k.requireCounts(run, store.Counts{Succeeded: workers * perWorker})
}
