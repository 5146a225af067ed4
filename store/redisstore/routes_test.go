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

// once gives each of some queues a task, in a run that is gone then.
func (s *scene) once(job string, from, to int) {
	run := s.begin(store.StartParams{Job: job})
	items := make([]store.Item, 0, to-from)
	for i := from; i < to; i++ {
		item := itemOf("k", fmt.Sprint("task", i))
		item.Route.Queue = fmt.Sprintf("once-%05d", i)
		items = append(items, item)
	}
	s.enqueue(run, items...)
	require.NoError(s, s.StopRun(s.Context(), store.StopParams{Run: run, Reason: "enough"}))
	require.NoError(s, s.DeleteRun(s.Context(), run))
	s.sweep()
}

// A queue that was without tasks for long, and has some again, is none of the oldest without.
func TestAQueueThatCameBackKeepsItsFigures(t *testing.T) {
	s := newScene(t)
	s.once("all", 0, bounds.MaxIdleRoutes)
	back := itemOf("k", "again")
	back.Route.Queue = "once-00000"
	s.enqueue(s.begin(store.StartParams{Job: "back"}), back)
	s.once("more", bounds.MaxIdleRoutes, bounds.MaxIdleRoutes+20)
	stats, err := s.QueueStats(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, stats, bounds.MaxIdleRoutes+1)
	at := slices.IndexFunc(stats, func(q store.QueueRecord) bool { return q.Route == back.Route })
	require.EqualValues(t, 2, stats[at].Enqueued)
}

// A queue keeps its clock while any of its routes has work.
func TestAQueueKeepsItsClockWhileAKindHasTasks(t *testing.T) {
	s := newScene(t)
	run := s.begin(store.StartParams{Job: "job"})
	s.enqueue(run, itemOf("k", "1"), itemOf("k", "2"), itemOf("j", "3"))
	w := s.worker("w")
	for _, kind := range []string{"k", "j"} {
		w.settle(outcomeOf(w.fetchOne(kind), verdicts.Success))
	}
	s.sweep()
	require.ElementsMatch(t, []string{"routes q/set/k", "clock of q"}, s.left("routes", "clock"))
}
