package memstore_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

func TestARepeatedFetchReturnsWhatIsStillHeldOfIt(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	k.add(run, tasks(5)...)
	w := k.worker()
	ds := w.fetch(3)
	require.Equal(t, []string{"t0", "t1", "t2"}, idsOf(ds))
	w.fetched--
	require.Equal(t, ds, w.fetch(3))
	w.settle(with(ds[1], verdicts.Success))
	w.fetched--
	require.Equal(t, []store.Delivery{ds[0], ds[2]}, w.fetch(3))
	k.requireCounts(run, store.Counts{Pending: 2, Running: 2, Succeeded: 1})

	held, err := k.Held(k.ctx, w.session, nil)
	require.NoError(t, err)
	require.Equal(t, []store.Delivery{ds[0], ds[2]}, held)
}

func TestAFetchNumberIsConsumedOnlyByADelivery(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	w := k.worker()
	require.Empty(t, w.fetch(1))
	w.fetched--
	k.add(run, task("t"))
	require.Len(t, w.fetch(1), 1, "the same number, now with work")
	_, err := w.Fetch(w.ctx, store.FetchParams{Session: w.session, Number: 2, Max: 1})
	require.NoError(t, err)
	_, err = w.Fetch(w.ctx, store.FetchParams{Session: w.session, Number: 1, Max: 1})
	require.NoError(t, err, "the empty fetch consumed nothing")

	k.add(run, task("u"))
	w.fetched = 6
	require.Len(t, w.fetch(1), 1)
	_, err = w.Fetch(w.ctx, store.FetchParams{Session: w.session, Number: 6, Max: 1})
	require.ErrorIs(t, err, store.ErrStale)
}

func TestAFetchIsBoundedByCountAndBytesButDeliversAtLeastOne(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	for range 4 {
		it := task("t")
		it.Task.Payload = make([]byte, 100)
		k.add(run, it)
	}
	w := k.worker()
	ask := func(n, size int) int {
		return len(w.ask(store.FetchParams{Max: n, MaxBytes: size, Queues: everything}))
	}
	require.Equal(t, 1, ask(10, 1))
	require.Equal(t, 2, ask(10, 200))
	require.Equal(t, 1, ask(1, 1000))
	for _, n := range []int{0, bounds.MaxBatch + 1} {
		_, err := w.Fetch(w.ctx, store.FetchParams{Session: w.session, Number: 9, Max: n})
		require.ErrorIs(t, err, store.ErrInvalid)
	}
}

func TestOnlyRoutesThatWereAskedForAreDelivered(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	k.add(run, task("scan"), onRoute(file, task("copy")))
	w := k.worker()
	only := store.FetchQueue{Queue: "file", Routes: []store.Route{file, path}}
	_, err := k.Fetch(k.ctx, store.FetchParams{Session: w.session, Number: 1, Max: 10, Queues: []store.FetchQueue{only}})
	require.ErrorIs(t, err, store.ErrInvalid, "a route of another queue")
	only.Routes = only.Routes[:1]
	require.Equal(t, []string{"copy"}, idsOf(w.ask(store.FetchParams{Max: 10, Queues: []store.FetchQueue{only}})))
}

func TestQueuesAreTriedInTheOrderGiven(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	k.add(run, tasks(3)...)
	k.add(run, onRoute(file, task("copy")))
	w := k.worker()
	queues := []store.FetchQueue{everything[1], everything[0]}
	require.Equal(t, []string{"copy", "t0"}, idsOf(w.ask(store.FetchParams{Max: 2, Queues: queues})))
}

func TestAPausedRunIsNotDeliveredAndDoesNotBlockOthers(t *testing.T) {
	k := newKit(t, nil)
	paused := k.start(store.StartParams{Job: "paused", Open: true})
	other := k.start(store.StartParams{Job: "other", Open: true})
	w := k.worker()
	k.add(paused, tasks(3)...)
	d := w.one()
	require.NoError(t, k.SetRunPaused(k.ctx, paused, true))
	require.NoError(t, k.SetRunPaused(k.ctx, paused, true))
	k.add(paused, task("more"))
	k.add(other, task("t"))
	require.Equal(t, map[string]int{"other": 1}, tally(w.fetch(10)))
	w.settle(with(d, verdicts.Retry))
	require.Empty(t, w.fetch(10), "what comes back waits too")
	require.True(t, k.record(paused).Paused)

	require.NoError(t, k.SetRunPaused(k.ctx, paused, false))
	require.Len(t, w.fetch(10), 4)
	require.ErrorIs(t, k.SetRunPaused(k.ctx, store.RunID{Job: "x", Number: 1}, true), store.ErrRunNotFound)
	k.stop(other)
}

func TestAPausedRunNeitherBeginsNorFinishes(t *testing.T) {
	k := newKit(t, nil)
	root := task("root")
	run := k.start(store.StartParams{Root: &root, PreJob: hook(preJob), PostJob: hook(postJob)})
	w := k.worker()
	for _, step := range []struct {
		verdict verdicts.Verdict
		then    statuses.Status
	}{
		{verdicts.Begin, statuses.Running},
		{verdicts.Success, statuses.Finishing},
		{verdicts.HookDone, statuses.Succeeded},
	} {
		require.NoError(t, k.SetRunPaused(k.ctx, run, true))
		require.Empty(t, w.fetch(1))
		require.NoError(t, k.SetRunPaused(k.ctx, run, false))
		ds := w.fetch(1)
		require.NoError(t, k.SetRunPaused(k.ctx, run, true))
		w.settleAll(ds, step.verdict)
		k.requireStatus(run, step.then)
	}
	require.ErrorIs(t, k.SetRunPaused(k.ctx, run, false), store.ErrRunFinished)
}

func TestRecoveredComeOneAtATimeAndOnlyWhenAskedFor(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	k.add(run, tasks(3)...)
	dead, w := k.worker(), k.worker()
	dead.fetch(3)
	require.NoError(t, k.CloseSession(k.ctx, dead.session))
	k.add(run, task("fresh"))

	careful := store.FetchParams{Max: 10, Queues: everything}
	require.Equal(t, []string{"fresh"}, idsOf(w.ask(careful)))
	require.Empty(t, w.ask(careful))
	first := w.fetch(10)
	require.Equal(t, []string{"t0"}, idsOf(first))
	require.True(t, first[0].Task.Recovered)
	require.Zero(t, first[0].Task.Crashes)
	require.Equal(t, []string{"t1"}, idsOf(w.fetch(10)))
}

func TestOnlyADeliveredRecoveredIsChargedWithACrash(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	k.add(run, task("poison"), task("bystander"))
	dead := k.worker()
	dead.fetch(2)
	require.NoError(t, k.CloseSession(k.ctx, dead.session))
	for crashes := range 3 {
		next := k.worker()
		d := next.one()
		if d.Task.ID == "bystander" {
			next.settle(with(d, verdicts.Success))
			d = next.one()
		}
		require.Equal(t, "poison", d.Task.ID)
		require.Equal(t, crashes, d.Task.Crashes)
		require.NoError(t, k.CloseSession(k.ctx, next.session))
	}
	w := k.worker()
	ds := w.fetch(10)
	if ds[0].Task.ID == "bystander" {
		w.settleAll(ds, verdicts.Success)
		ds = w.fetch(10)
	}
	require.Equal(t, 3, ds[0].Task.Crashes)
	w.settle(with(ds[0], verdicts.Retry))
	again := w.fetch(10)[0].Task
	require.False(t, again.Recovered, "who lived through an attempt is no recovered task")
	require.Equal(t, 3, again.Crashes)
}

func TestStartedIsWhenTheFirstTaskWasFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		root := task("root")
		run := k.start(store.StartParams{Root: &root, PreJob: hook(preJob)})
		w := k.worker()
		time.Sleep(time.Second)
		w.settleAll(w.fetch(1), verdicts.Begin)
		require.Zero(t, k.record(run).Started, "hooks are no tasks")
		time.Sleep(time.Second)
		w.fetch(1)
		started := time.Now().UTC()
		time.Sleep(time.Second)
		require.Equal(t, started, k.record(run).Started)
	})
}
