package redisstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
)

func TestTooManyChildrenAreRefusedAndNothingIsWritten(t *testing.T) {
	s := newScene(t)
	run := start(t, s, "job")
	w := s.worker("w")
	parent := outcomeOf(w.fetchOne("k"), store.VerdictSuccess)
	parent.Children = items("child", store.MaxBatch+1)
	var bad *store.FieldError
	require.ErrorAs(t, w.trySettle(parent), &bad)
	require.Equal(t, "Outcomes.Children", bad.Field)
	require.Equal(t, store.Counts{Total: 1, Running: 1}, s.record(run).Counts)
	parent.Children = parent.Children[:store.MaxBatch]
	w.settle(parent)
	require.Equal(t, store.Counts{Total: 257, Pending: 256, Succeeded: 1}, s.record(run).Counts)
}

func TestStagedDuplicatesLetTheRunEnd(t *testing.T) {
	s := newScene(t)
	run := start(t, s, "job")
	w := s.worker("w")
	d := w.fetchOne("k")
	same := itemOf("child", "same")
	same.Task.Claimed, same.Task.Keep = true, time.Hour
	chunk := make([]store.Item, store.MaxBatch)
	for i := range chunk {
		chunk[i] = same
	}
	const chunks = 12
	for i := range chunks {
		require.NoError(t, w.stage(d, "child", i*store.MaxBatch, chunk...))
	}
	parent := outcomeOf(d, store.VerdictSuccess)
	parent.Staged = []store.Route{routeOf("child")}
	w.settle(parent)
	w.settle(outcomeOf(w.fetchOne("child"), store.VerdictSuccess))
	require.Empty(t, w.fetch(10, "child"), "all others are duplicates")
	record := s.record(run)
	require.Equal(t, store.StatusSucceeded, record.Status)
	require.Equal(t, store.Counts{Total: 2, Succeeded: 2}, record.Counts)
	require.Equal(t, int64(chunks*store.MaxBatch-1), record.Duplicate)
}

func TestASuspectThatIsReleasedIsStillRunAlone(t *testing.T) {
	s := newScene(t)
	s.enqueue(s.begin(store.StartParams{Job: "job"}), items("k", 3)...)
	first := s.worker("first")
	require.Len(t, first.fetch(3, "k"), 3)
	first.die()
	for _, name := range []string{"second", "third"} {
		w := s.worker(name)
		d := w.fetchSuspects(3, "k")
		require.Len(t, d, 1)
		w.settle(outcomeOf(d[0], store.VerdictRelease))
	}
	require.Empty(t, s.worker("fourth").fetch(3, "k"), "who runs a suspect gets no other")
	last := s.worker("last")
	d := last.fetchSuspects(3, "k")
	require.Len(t, d, 1)
	require.True(t, d[0].Task.Suspect)
	require.Zero(t, d[0].Task.Crashes)
}

func TestAPreJobHookCancelledByAStopCountsAsNoTask(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	root, pre := itemOf("k", "root"), itemOf(store.KindPreJob, "pre")
	run := s.begin(store.StartParams{Job: "job", Root: &root, PreJob: &pre})
	hook := w.fetchOne(store.KindPreJob)
	require.NoError(t, s.StopRun(t.Context(), store.StopParams{Run: run}))
	w.settle(outcomeOf(hook, store.VerdictCancel))
	require.Equal(t, store.Counts{Total: 1, Cancelled: 1}, s.record(run).Counts)
	require.Equal(t, store.StatusStopped, s.record(run).Status)
}

func TestAPostJobHookCancelledByAStopCountsAsNoTask(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	root, post := itemOf("k", "root"), itemOf(store.KindPostJob, "post")
	run := s.begin(store.StartParams{Job: "job", Root: &root, PostJob: &post})
	w.settle(outcomeOf(w.fetchOne("k"), store.VerdictSuccess))
	hook := w.fetchOne(store.KindPostJob)
	require.NoError(t, s.StopRun(t.Context(), store.StopParams{Run: run}))
	w.settle(outcomeOf(hook, store.VerdictCancel))
	require.Equal(t, store.Counts{Total: 1, Succeeded: 1}, s.record(run).Counts)
	require.Equal(t, store.StatusSucceeded, s.record(run).Status)
}

func TestAHookSettledLikeATaskIsNeverCounted(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	root, pre := itemOf("k", "root"), itemOf(store.KindPreJob, "pre")
	run := s.begin(store.StartParams{Job: "job", Root: &root, PreJob: &pre})
	w.settle(outcomeOf(w.fetchOne(store.KindPreJob), store.VerdictSuccess))
	require.Equal(t, store.Counts{Total: 1, Pending: 1}, s.record(run).Counts)
	w.fetchOne("k")
}

func TestWhatWasStagedWithoutAnAnswerVanishesWithItsAttempt(t *testing.T) {
	s, proxy := proxiedScene(t)
	w := s.worker("w")
	run := s.begin(store.StartParams{Job: "job"})
	s.enqueue(run, items("k", 3)...)
	known := w.fetchOne("k") // the first use of a script takes two commands
	require.NoError(t, w.stage(known, "child", 0, itemOf("child", "known")))
	w.settle(outcomeOf(known, store.VerdictFail))

	for _, verdict := range []store.Verdict{store.VerdictFail, store.VerdictRetry} {
		d := w.fetchOne("k")
		proxy.Inject(redistest.Fault{Kind: redistest.Swallow, Match: redistest.Named("EVALSHA"), Nth: 1})
		require.ErrorIs(t, w.stage(d, "child", 0, itemOf("child", "unanswered")), store.ErrUnavailable)
		proxy.Clear()
		require.NotEmpty(t, s.left("stage:", "S:"), "it was executed")
		w.settle(outcomeOf(d, verdict))
		require.Empty(t, s.left("stage:", "S:"))
	}

	d := w.fetchOne("k")
	proxy.Inject(redistest.Fault{Kind: redistest.Swallow, Match: redistest.Named("EVALSHA"), Nth: 1})
	require.ErrorIs(t, w.stage(d, "child", 0, itemOf("child", "unanswered")), store.ErrUnavailable)
	proxy.Clear()
	w.die()
	require.Empty(t, s.left("stage:", "S:"))
	require.Zero(t, s.record(run).Counts.Succeeded)
	require.Equal(t, int64(3), s.record(run).Counts.Total)
}
