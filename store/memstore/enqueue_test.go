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

func TestARepeatedEnqueueAnswersAsTheFirstTimeAndAddsNothing(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	p := store.EnqueueParams{Stream: "stream", Number: 1, Entries: []store.Entry{
		{Run: run, Item: claimed("a", 0)},
		{Run: run, Item: claimed("a", 0)},
		{Run: store.RunID{Job: "nobody", Number: 1}, Item: task("b")},
	}, Holds: []store.HoldChange{{Run: run, Name: store.HoldOpen, Close: true}}}
	first, err := k.Enqueue(k.ctx, p)
	require.NoError(t, err)
	require.Equal(t, []store.EnqueueResult{{}, {Duplicate: true}, {Err: store.ErrRunNotFound}}, first.Entries)
	require.Equal(t, []error{nil}, first.Holds)

	k.stop(run)
	first.Entries[0].Err = store.ErrClosed // the reply is the caller's
	again, err := k.Enqueue(k.ctx, p)
	require.NoError(t, err)
	require.NoError(t, again.Entries[0].Err, "the number is looked up before the run's state")
	k.requireCounts(run, store.Counts{Cancelled: 1})
}

func TestNumbersOfAStreamAreFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		run := k.start(store.StartParams{Open: true})
		at := func(stream string, n int64) error {
			_, err := k.Enqueue(k.ctx, store.EnqueueParams{Stream: stream, Number: n, Entries: []store.Entry{{Run: run, Item: task("t")}}})
			return err
		}
		require.ErrorIs(t, at("unknown", 1), store.ErrResultUnknown)
		require.ErrorIs(t, at("stream", 0), store.ErrInvalid)
		require.NoError(t, at("stream", 5))
		require.ErrorIs(t, at("stream", 4), store.ErrStale)
		require.NoError(t, k.OpenProducer(k.ctx, 0, "stream"), "opening it again changes nothing")
		require.ErrorIs(t, at("stream", 4), store.ErrStale)
		k.requireCounts(run, store.Counts{Pending: 1})

		time.Sleep(bounds.StreamKept - 1)
		require.NoError(t, at("stream", 6))
		time.Sleep(bounds.StreamKept - 1)
		require.NoError(t, k.OpenProducer(k.ctx, 0, "stream"))
		time.Sleep(bounds.StreamKept - 1)
		require.ErrorIs(t, at("stream", 5), store.ErrStale, "opening it counted as a use")
		require.NoError(t, at("stream", 6), "a repeat does")
		time.Sleep(bounds.StreamKept)
		require.ErrorIs(t, at("stream", 7), store.ErrResultUnknown, "it is forgotten")
		k.requireCounts(run, store.Counts{Pending: 2})
	})
}

func TestABatchOverTheLimitIsRefusedWhole(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	_, err := k.Enqueue(k.ctx, store.EnqueueParams{Stream: "stream", Number: 1, Entries: make([]store.Entry, bounds.MaxBatch+1)})
	require.ErrorIs(t, err, store.ErrInvalid)
	k.requireCounts(run, store.Counts{})
}

func TestAClaimedIDIsTakenUntilItsTaskSettlesAndForKeepAfterThat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		run := k.start(store.StartParams{Open: true})
		offer := func(it store.Item) bool {
			return k.enqueue(store.Entry{Run: run, Item: it}).Entries[0].Duplicate
		}
		w := k.worker()
		require.False(t, offer(claimed("a", time.Hour)))
		require.True(t, offer(claimed("a", 0)))
		w.settle(with(w.one(), verdicts.Retry))
		require.True(t, offer(claimed("a", 0)), "a retry is not the end")
		w.settle(with(w.one(), verdicts.Success))
		time.Sleep(time.Hour - 1)
		require.True(t, offer(claimed("a", 0)))
		time.Sleep(1)
		require.False(t, offer(claimed("a", 0)))
		w.settle(with(w.one(), verdicts.Fail))
		require.False(t, offer(claimed("a", 0)), "without Keep it is free at once")
		require.Equal(t, int64(3), k.record(run).Duplicate)
	})
}

func TestKeptIDsAreForgottenBySweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		run := k.start(store.StartParams{Open: true})
		w := k.workerFor(24 * time.Hour)
		before := k.inside.Leftovers()
		for range 3 {
			k.add(run, claimed("a", time.Hour), claimed("b", time.Hour))
			w.settleAll(w.fetch(2), verdicts.Success)
			require.NotEqual(t, before, k.inside.Leftovers())
			time.Sleep(time.Hour)
			k.sweep()
		}
		require.Subset(t, k.inside.Leftovers(), before[:1], "the job")
		require.Contains(t, k.inside.Leftovers()[1], "ids=0 kept=0")
	})
}

func TestAClaimedChildThatExistsIsADuplicateAndNotCounted(t *testing.T) {
	k := newKit(t, nil)
	root := task("root")
	run := k.start(store.StartParams{Root: &root})
	w := k.worker()
	o := with(w.one(), verdicts.Success)
	o.Children = []store.Item{claimed("a", 0), claimed("a", 0), claimed("b", 0)}
	w.settle(o)
	k.requireCounts(run, store.Counts{Pending: 2, Succeeded: 1})
	require.Equal(t, int64(1), k.record(run).Duplicate)
}

func TestHoldsKeepARunOpenAndAreRefusedWhenItEnds(t *testing.T) {
	k := newKit(t, nil)
	root := task("root")
	run := k.start(store.StartParams{Root: &root})
	require.NoError(t, k.hold(run, "upload", false))
	require.NoError(t, k.hold(run, "upload", false))
	w := k.worker()
	w.settleAll(w.fetch(1), verdicts.Success)
	k.requireStatus(run, statuses.Running)
	require.NoError(t, k.hold(run, "other", true), "closing one that is not open changes nothing")
	require.NoError(t, k.hold(run, "upload", true))
	k.requireStatus(run, statuses.Succeeded)
	require.ErrorIs(t, k.hold(run, "late", false), store.ErrRunFinished)
	require.ErrorIs(t, k.hold(store.RunID{Job: "import", Number: 1}, "late", true), store.ErrRunNotFound)

	stopped := k.start(store.StartParams{Open: true})
	k.stop(stopped)
	require.ErrorIs(t, k.hold(stopped, "late", true), store.ErrJobStopped)
}

func TestOneBatchCanHoldEnqueueAndRelease(t *testing.T) {
	k := newKit(t, nil)
	run := k.start(store.StartParams{Open: true})
	reply := k.send(store.EnqueueParams{
		Holds:   []store.HoldChange{{Run: run, Name: store.HoldOpen, Close: true}, {Run: run, Name: "chunk"}},
		Entries: []store.Entry{{Run: run, Item: task("a")}},
	})
	require.Equal(t, []error{nil, nil}, reply.Holds)
	w := k.worker()
	w.settleAll(w.fetch(1), verdicts.Success)
	k.requireStatus(run, statuses.Running)
	require.NoError(t, k.hold(run, "chunk", true))
	k.requireStatus(run, statuses.Succeeded)
}

func TestDelaysAndTimesAreKeptByTheStoresClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		run := k.start(store.StartParams{Open: true})
		at := task("at")
		at.At = time.Now().Add(time.Minute)
		past := task("past")
		past.At = time.Now().Add(-time.Minute)
		k.add(run, delayed("later", 2*time.Minute), at, past)
		k.requireCounts(run, store.Counts{Delayed: 3})
		k.promote()
		k.requireCounts(run, store.Counts{Pending: 1, Delayed: 2})

		w := k.worker()
		w.fetched++
		reply, err := w.Fetch(w.ctx, store.FetchParams{Session: w.session, Number: w.fetched, Max: 10, Queues: everything})
		require.NoError(t, err)
		require.Equal(t, []string{"past"}, idsOf(reply.Deliveries))
		require.Equal(t, at.At.UTC(), reply.NextDue)
		require.Equal(t, time.Now().UTC(), reply.Now)

		require.Equal(t, store.PromoteReply{Now: time.Now().UTC(), Next: reply.NextDue}, k.promote())
		time.Sleep(time.Minute)
		require.Equal(t, store.PromoteReply{Promoted: 1, Now: time.Now().UTC(), Next: at.At.Add(time.Minute).UTC()}, k.promote())
		time.Sleep(time.Minute)
		require.Equal(t, store.PromoteReply{Promoted: 1, Now: time.Now().UTC()}, k.promote())
		require.Equal(t, []string{"at", "later"}, idsOf(w.fetch(10)))
	})
}

func TestPromoteMovesABoundedNumberAndSaysThatThereIsMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		run := k.start(store.StartParams{Open: true})
		const n = 5000
		items := make([]store.Item, n)
		for i := range items {
			items[i] = delayed("t", time.Second)
		}
		k.add(run, items...)
		time.Sleep(time.Second)
		first := k.promote()
		require.True(t, first.More)
		second := k.promote()
		require.False(t, second.More)
		require.Equal(t, n, first.Promoted+second.Promoted)
		k.requireCounts(run, store.Counts{Pending: n})
	})
}
