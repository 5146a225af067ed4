package redisstore_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// counted is a success that adds to the counter "files".
func counted(d store.Delivery, n int64) store.Outcome {
	o := outcomeOf(d, verdicts.Success)
	o.Counters = map[string]int64{"files": n}
	return o
}

// miniredis lets a sum overflow, so this is no case of the suite.
func TestASumThatWouldLeave64BitsIsLeftAsItWasAndItsTaskIsSettled(t *testing.T) {
	s := newScene(t)
	run := s.begin(store.StartParams{Job: "import", Open: true})
	s.enqueue(run, items("k", 6)...)
	w := s.worker("w")
	for i, step := range []struct{ add, want int64 }{
		{math.MaxInt64, math.MaxInt64},
		{1, math.MaxInt64},
		{-7, math.MaxInt64 - 7},
		{math.MinInt64, -8},
		{math.MinInt64 + 7, -8},
		{math.MinInt64 + 8, math.MinInt64},
	} {
		w.settle(counted(w.fetchOne("k"), step.add))
		require.Equal(t, step.want, s.record(run).Counters["files"], "step %d", i)
	}
	require.EqualValues(t, 6, s.record(run).Counts.Succeeded)
}

func TestADamagedCounterIsReportedAndItsTasksAreSettled(t *testing.T) {
	s := newScene(t)
	run := s.begin(store.StartParams{Job: "import", Open: true})
	s.enqueue(run, items("k", 2)...)
	w := s.worker("w")
	ds := w.fetch(2, "k")
	require.Len(t, ds, 2)
	field := fmt.Sprintf("run:%d", run.Number)
	s.command("HSET", field, "c:files", "many")
	w.settle(counted(ds[0], 1), counted(ds[1], 1))
	_, err := s.Run(s.Context(), run)
	require.ErrorIs(t, err, store.ErrCorrupt)
	require.ErrorContains(t, err, `"c:files"`)
	s.command("HDEL", field, "c:files")
	require.EqualValues(t, 2, s.record(run).Counts.Succeeded)
}

func TestOutOfMemoryCountersAreAdded(t *testing.T) {
	s := ownScene(t)
	run := s.begin(store.StartParams{Job: "import", Open: true})
	s.enqueue(run, items("k", 3)...)
	w := s.worker("w")
	ds := w.fetch(3, "k")
	require.Len(t, ds, 3)
	s.fill()
	w.settle(counted(ds[0], 1))
	w.settle(counted(ds[1], 2), counted(ds[2], 3))
	require.EqualValues(t, 6, s.record(run).Counters["files"])
}
