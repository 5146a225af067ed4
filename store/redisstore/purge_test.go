package redisstore_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// litter stops a run that leaves something behind under every kind of key.
func litter(s *scene, w *worker, job string) store.RunID {
	s.Helper()
	run := leaves(s, w, job, 40) // lanes for several commands
	require.NoError(s, s.StopRun(s.Context(), store.StopParams{Run: run}))
	return run
}

// leaves is an active run with something under every kind of key, and so many lanes more.
func leaves(s *scene, w *worker, job string, lanes int) store.RunID {
	s.Helper()
	run := s.begin(store.StartParams{Job: job})
	claimed, delayed := itemOf("claimed", "claimed"), itemOf("delayed", "delayed")
	claimed.Task.Claimed, claimed.Task.Keep = true, time.Hour
	delayed.Delay = time.Hour
	s.enqueue(run, itemOf("parent", "parent"), claimed, delayed)
	for i := range lanes {
		s.enqueue(run, itemOf(fmt.Sprintf("k%02d", i), "task"))
	}
	parent := w.fetchOne("parent")
	require.NoError(s, w.stage(parent, "child", 0, itemOf("child", "child")))
	o := outcomeOf(parent, verdicts.Success)
	o.Staged = []store.Staged{{Route: routeOf("child"), Count: 1}}
	w.settle(o)
	return run
}

// remains is what is left of a run, whatever its number.
func remains(s *scene, run store.RunID) []string {
	out := leftovers(s, s.Store)
	for i := range out {
		out[i] = strings.ReplaceAll(out[i], strconv.FormatInt(run.Number, 10), "RUN")
	}
	return out
}

// isPurge matches the script that purges runs.
func isPurge(c redistest.Command) bool {
	return strings.HasPrefix(c.Name, "EVAL") &&
		slices.ContainsFunc(c.Args, func(a []byte) bool { return bytes.HasSuffix(a, []byte("}:trash")) }) &&
		slices.ContainsFunc(c.Args, func(a []byte) bool { return bytes.HasSuffix(a, []byte("}:kept")) }) &&
		bytes.Contains(c.Args[2], []byte("}:run:"))
}

func TestAPurgeThatIsCutShortAnywhereIsFinishedByTheNext(t *testing.T) {
	s, proxy := proxiedScene(t)
	w := s.worker("w")
	run := litter(s, w, "job")
	s.sweep()
	whole := remains(s, run)
	require.NoError(t, s.DeleteJob(t.Context(), "job"))

	cuts := 0
	for nth := 1; ; nth++ {
		run := litter(s, w, "job")
		proxy.Inject(redistest.Fault{Kind: redistest.Cut, Match: isPurge, Nth: nth})
		_, err := s.Sweep(t.Context(), 0)
		proxy.Clear()
		if proxy.Injected() == cuts {
			require.NoError(t, err)
			break
		}
		cuts++
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.NotElementsMatch(t, whole, remains(s, run), "cut %d came too late", nth)
		s.sweep()
		require.ElementsMatch(t, whole, remains(s, run), "after cut %d", nth)
		require.NoError(t, s.DeleteJob(t.Context(), "job"))
	}
	require.Greater(t, cuts, 1)
}

func TestAJobWhoseRunRecordIsGoneCanBeDeleted(t *testing.T) {
	s := newScene(t)
	run := start(t, s, "job")
	require.NoError(t, s.StopRun(t.Context(), store.StopParams{Run: run}))
	s.sweep()
	s.command("DEL", fmt.Sprintf("run:%d", run.Number))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.NoError(t, s.DeleteJob(ctx, "job"))
	_, err := s.Job(t.Context(), "job")
	require.ErrorIs(t, err, store.ErrJobNotFound)
	require.Empty(t, leftovers(t, s.Store))
}

// A run that ends by itself is clean at once, however its tasks were spread over lanes and fetches.
func TestARunThatEndsByItselfLeavesNothingToPurge(t *testing.T) {
	s, run := endsByItself(t, false)
	require.EqualValues(t, 14, s.record(run).Counts.Succeeded)
	require.Empty(t, s.left("ring:", "lanes:", "stage:", "holds:", "W:", "M:", "S:", "due", "trash"))
}

// One whose tasks staged children is looked after once more: what a parent left that never settled
// goes then.
func TestARunWhoseTasksStagedIsPurged(t *testing.T) {
	s, run := endsByItself(t, true)
	require.EqualValues(t, 15, s.record(run).Counts.Succeeded)
	require.NotEmpty(t, s.left("stage:", "S:"), "what no outcome said it staged")
	s.sweep()
	require.Empty(t, s.left("ring:", "lanes:", "stage:", "holds:", "W:", "M:", "S:", "due", "trash"))
}

// endsByItself plays a run to its end. Of two of its tasks that stage children, one does not say
// so.
func endsByItself(t *testing.T, stages bool) (*scene, store.RunID) {
	s := newScene(t)
	w := s.worker("w")
	run := s.begin(store.StartParams{Job: "job", Open: true})
	for i := range 7 {
		s.enqueue(run, itemOf("a", fmt.Sprint("a", i)), itemOf("b", fmt.Sprint("b", i)))
	}
	left, children := 7, 0
	if stages {
		silent, parent := w.fetchOne("a"), w.fetchOne("a")
		require.NoError(t, w.stage(silent, "child", 0, itemOf("child", "forgotten")))
		require.NoError(t, w.stage(parent, "child", 0, itemOf("child", "child")))
		o := outcomeOf(parent, verdicts.Success)
		o.Staged = []store.Staged{{Route: routeOf("child"), Count: 1}}
		w.settle(outcomeOf(silent, verdicts.Success), o)
		left, children = 5, 1
	}
	for _, lane := range []struct {
		kind string
		n    int
	}{{"b", 7}, {"child", children}, {"a", left}} {
		for range lane.n { // no fetch finds a lane empty
			w.settle(outcomeOf(w.fetchOne(lane.kind), verdicts.Success))
		}
	}
	_, err := s.tryEnqueueHolds(store.HoldChange{Run: run, Name: store.HoldOpen, Close: true})
	require.NoError(t, err)
	require.Equal(t, statuses.Succeeded, s.record(run).Status)
	return s, run
}
