package redisstore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// without returns what a list has that another has not.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

// namesQueue counts the keys, members and fields of the partition that name a queue of the test.
func (s *scene) namesQueue(prefix string) int {
	s.Helper()
	n := 0
	for key, content := range s.contents() {
		n += strings.Count(fmt.Sprint(key, content), prefix)
	}
	return n
}

func TestOfQueuesWithoutTasksTheNewestAreKept(t *testing.T) {
	s := newScene(t)
	const queues = bounds.MaxIdleRoutes + 500
	run := s.begin(store.StartParams{Job: "job"})
	items := make([]store.Item, queues)
	for i := range items {
		items[i] = itemOf("k", fmt.Sprint("task", i))
		items[i].Route.Queue = fmt.Sprintf("once-%d", i)
	}
	s.enqueue(run, items...)
	stats, err := s.QueueStats(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, stats, queues)
	require.Greater(t, s.namesQueue("once-"), queues)
	require.NoError(t, s.StopRun(t.Context(), store.StopParams{Run: run, Reason: "enough"}))
	require.NoError(t, s.DeleteRun(t.Context(), run))
	s.sweep()
	require.Empty(t, s.left("routes", "clock"))
	stats, err = s.QueueStats(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, stats, bounds.MaxIdleRoutes)
	// A figure, and since when it is gone; and of some, what the history has noted, and a point of the minute and the hour.
	require.Equal(t, 2*bounds.MaxIdleRoutes+3*bounds.MaxSeries, s.namesQueue("once-"))
	for _, q := range stats {
		require.Equal(t, store.QueueRecord{Route: q.Route, Enqueued: 1}, q)
	}
}

// A queue that is forgotten and used again goes on where it was: whoever comes first then gains
// nothing on a run that has had its turns before.
func TestAForgottenQueueGoesOnWhereItWas(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	old := s.begin(store.StartParams{Job: "old"})
	s.enqueue(old, items("k", 100)...)
	for range 10 {
		for _, d := range w.fetch(10, "k") {
			w.settle(outcomeOf(d, verdicts.Success))
		}
	}
	require.EqualValues(t, 100, s.record(old).Counts.Succeeded)
	s.sweep()
	require.Empty(t, s.left("routes", "clock"))
	// The first finds no clock of the queue, the second the one that the first has set.
	runs := []store.RunID{s.begin(store.StartParams{Job: "first"}), s.begin(store.StartParams{Job: "second"}), old}
	for _, run := range runs {
		s.enqueue(run, items("k", 100)...)
	}
	got := make(map[store.RunID]int)
	for _, d := range s.worker("fresh").fetch(90, "k") { // one that knows of no run yet looks at all of them
		got[d.Lease.Lane.Run]++
	}
	for _, run := range runs {
		require.InDelta(t, 30, got[run], 12, "%s has a share: %v", run.Job, got)
	}
}

// Another queue that is used all the time does not put back the one that is forgotten, nor what
// comes into its own later.
func TestQueuesInUseKeepTheirClocks(t *testing.T) {
	s := newScene(t)
	first := s.begin(store.StartParams{Job: "first"})
	s.enqueue(first, items("k", 40)...)
	// Its clock stands at 0, when the one of another queue is forgotten that stood at 1,000,000.
	s.command("ZADD", "routes", "0", "gone/set/k")
	s.command("HSET", "clock", "gone", "1000000")
	s.sweep()
	s.enqueue(s.begin(store.StartParams{Job: "second"}), items("k", 40)...)
	w := s.worker("w")
	for range 2 {
		for _, d := range w.fetch(20, "k") {
			w.settle(outcomeOf(d, verdicts.Success))
		}
	}
	require.InDelta(t, 20, s.record(first).Counts.Succeeded, 10, "each has a share")
}
