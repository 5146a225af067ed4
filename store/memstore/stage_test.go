package memstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// stage parks a chunk of children under the delivery.
func (w *worker) stage(d store.Delivery, route store.Route, offset int, items ...store.Item) error {
	for i := range items {
		items[i].Route = route
	}
	return w.Stage(w.ctx, store.StageParams{Session: w.session, Lease: d.Lease, Route: route, Offset: offset, Items: items})
}

// rootOnly is a run whose only task, the root, is running.
func rootOnly(t *testing.T) (*kit, store.RunID, *worker, store.Delivery) {
	t.Helper()
	k := newKit(t, nil)
	root := task("root")
	run := k.start(store.StartParams{Root: &root})
	w := k.worker()
	return k, run, w, w.one()
}

func TestStagedChildrenAppearWithTheirParentsSuccessInOrder(t *testing.T) {
	k, run, w, d := rootOnly(t)
	require.NoError(t, w.stage(d, path, 0, tasks(3)...))
	require.NoError(t, w.stage(d, path, 3, claimed("c", 0), delayed("later", time.Hour), claimed("c", 0), task("last")))
	require.NoError(t, w.stage(d, file, 0, task("copy")))
	require.Empty(t, w.fetch(10), "invisible until then")
	k.requireCounts(run, store.Counts{Running: 1})

	o := with(d, verdicts.Success)
	o.Staged = []store.Staged{{Route: path, Count: 7}, {Route: file, Count: 1}}
	o.Children = []store.Item{task("inline")}
	w.settle(o)
	k.requireCounts(run, store.Counts{Pending: 7, Delayed: 1, Succeeded: 1})
	require.Equal(t, int64(1), k.record(run).Duplicate)
	require.Equal(t, []string{"t0", "t1", "t2", "c", "last", "inline", "copy"}, idsOf(w.fetch(10)))
}

func TestARepeatedChunkIsRecognisedAndAGapRefused(t *testing.T) {
	k, run, w, d := rootOnly(t)
	require.NoError(t, w.stage(d, path, 0, tasks(3)...))
	require.NoError(t, w.stage(d, path, 0, tasks(3)...))
	require.NoError(t, w.stage(d, path, 3, task("more")))
	require.NoError(t, w.stage(d, path, 0, tasks(3)...))
	require.ErrorIs(t, w.stage(d, path, 9, task("gap")), store.ErrChildrenLost)
	require.ErrorIs(t, w.stage(d, path, 2, tasks(5)...), store.ErrInvalid)
	require.ErrorIs(
		t, w.Stage(w.ctx, store.StageParams{Session: w.session, Lease: d.Lease, Route: file, Items: tasks(1)}),
		store.ErrInvalid,
	)
	o := with(d, verdicts.Success)
	o.Staged = []store.Staged{{Route: path, Count: 4}}
	w.settle(o)
	k.requireCounts(run, store.Counts{Pending: 4, Succeeded: 1})
}

func TestStagedChildrenVanishUnlessTheirParentSucceeds(t *testing.T) {
	k, run, w, d := rootOnly(t)
	require.NoError(t, w.stage(d, path, 0, tasks(3)...))
	o := with(d, verdicts.Retry)
	o.Staged = []store.Staged{{Route: path, Count: 3}}
	w.settle(o)
	k.requireCounts(run, store.Counts{Pending: 1})

	dead := k.worker()
	d = dead.one()
	require.NoError(t, dead.stage(d, path, 0, tasks(3)...))
	require.NoError(t, k.CloseSession(k.ctx, dead.session))
	k.requireCounts(run, store.Counts{Pending: 1})

	d = w.one()
	require.NoError(t, w.stage(d, path, 0, tasks(2)...), "the next attempt begins at zero")
	o = with(d, verdicts.Success)
	o.Staged = []store.Staged{{Route: path, Count: 2}}
	w.settle(o)
	k.requireCounts(run, store.Counts{Pending: 2, Succeeded: 1})
}

func TestStagingEndsWithTheLeaseAndWithTheRun(t *testing.T) {
	k, run, w, d := rootOnly(t)
	k.stop(run)
	require.ErrorIs(t, w.stage(d, path, 0, tasks(1)...), store.ErrJobStopped)
	w.settle(with(d, verdicts.Success))
	require.ErrorIs(t, w.stage(d, path, 0, tasks(1)...), store.ErrLeaseLost)
	k.requireCounts(run, store.Counts{Succeeded: 1})
}
