package memstore_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

func enqueuedAt(it store.Item, at time.Time) store.Item {
	it.Task.Enqueued = at
	return it
}

func TestInspectShowsWhereEveryTaskIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		now := time.Now().UTC()
		run := k.start(store.StartParams{Open: true})
		dead, w := k.worker(), k.worker()
		k.add(run, enqueuedAt(task("recovered"), now.Add(-time.Hour)))
		dead.one()
		require.NoError(t, k.CloseSession(k.ctx, dead.session))
		k.add(run, enqueuedAt(task("a"), now), task("b"), delayed("d", time.Minute), onRoute(file, task("copy")))
		w.ask(store.FetchParams{Max: 1, Queues: everything[1:]})

		in, err := k.Inspect(k.ctx, run)
		require.NoError(t, err)
		require.Equal(t, store.Inspection{
			Run:    k.record(run),
			Stable: true,
			Holds:  []store.HoldRecord{{Name: store.HoldOpen, Since: now}},
			Lanes: []store.LaneRecord{
				{Route: file},
				{Route: path, Waiting: 2, Recovered: 1, Delayed: 1, NextDue: now.Add(time.Minute), Oldest: now},
			},
			Held: []store.HeldRecord{{Session: w.session.ID, Route: file, Held: 1}},
		}, in)
		_, err = k.Inspect(k.ctx, store.RunID{Job: "import"})
		require.ErrorIs(t, err, store.ErrRunNotFound)
	})
}

func TestInspectCountsARootThatIsSetAsideAsWaiting(t *testing.T) {
	k := newKit(t, nil)
	root := task("root")
	run := k.start(store.StartParams{Root: &root, PreJob: hook(preJob)})
	in, err := k.Inspect(k.ctx, run)
	require.NoError(t, err)
	require.Equal(t, []store.LaneRecord{{Route: preJob, Waiting: 1}, {Route: path, Waiting: 1}}, in.Lanes)
	k.add(run, task("outside"))
	in, err = k.Inspect(k.ctx, run)
	require.NoError(t, err)
	require.Equal(t, int64(2), in.Lanes[1].Waiting)
}

func TestQueueStatsAddUpWhatWaitsAndRunsByRoute(t *testing.T) {
	k := newKit(t, nil)
	old := time.Now().UTC().Add(-time.Hour)
	a := k.start(store.StartParams{Job: "a", Open: true})
	b := k.start(store.StartParams{Job: "b", Open: true})
	k.add(a, tasks(3)...)
	k.add(b, enqueuedAt(task("old"), old), onRoute(file, task("copy")))
	w := k.worker()
	w.ask(store.FetchParams{Max: 1, Queues: everything[1:]})
	stats, err := k.QueueStats(k.ctx, 0)
	require.NoError(t, err)
	require.Equal(t, []store.QueueRecord{
		{Route: file, Running: 1, Enqueued: 1, Started: 1},
		{Route: path, Waiting: 4, Runs: 2, Oldest: old, Enqueued: 4},
	}, stats)
}

func TestFiguresAreForgottenOfTheRoutesThatWereIdleForLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		run := k.start(store.StartParams{Open: true})
		const n = bounds.MaxIdleRoutes + 5
		items := make([]store.Item, n)
		for i := range items {
			items[i] = onRoute(store.Route{Queue: "q", Set: "s", Kind: strconv.Itoa(i)}, task("a"))
		}
		k.add(run, items...)
		kept := func() map[string]bool {
			stats, err := k.QueueStats(k.ctx, 0)
			require.NoError(t, err)
			kinds := make(map[string]bool)
			for _, q := range stats {
				kinds[q.Route.Kind] = true
			}
			return kinds
		}
		k.sweep()
		require.Len(t, kept(), n, "those with tasks are kept")
		k.stop(run)
		for k.sweep().More {
		}
		require.Len(t, kept(), bounds.MaxIdleRoutes)
		require.False(t, kept()["0"])
		require.True(t, kept()[strconv.Itoa(n-1)])
	})
}
