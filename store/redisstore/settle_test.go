package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

func TestTooManyChildrenAreRefusedAndNothingIsWritten(t *testing.T) {
	s := newScene(t)
	run := start(t, s, "job")
	w := s.worker("w")
	parent := outcomeOf(w.fetchOne("k"), verdicts.Success)
	parent.Children = items("child", bounds.MaxBatch+1)
	var bad *store.FieldError
	require.ErrorAs(t, w.trySettle(parent), &bad)
	require.Equal(t, "Outcomes.Children", bad.Field)
	require.Equal(t, store.Counts{Total: 1, Running: 1}, s.record(run).Counts)
	parent.Children = parent.Children[:bounds.MaxBatch]
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
	chunk := make([]store.Item, bounds.MaxBatch)
	for i := range chunk {
		chunk[i] = same
	}
	const chunks = 12
	for i := range chunks {
		require.NoError(t, w.stage(d, "child", i*bounds.MaxBatch, chunk...))
	}
	parent := outcomeOf(d, verdicts.Success)
	parent.Staged = []store.Staged{{Route: routeOf("child"), Count: chunks * bounds.MaxBatch}}
	w.settle(parent)
	w.settle(outcomeOf(w.fetchOne("child"), verdicts.Success))
	require.Empty(t, w.fetch(10, "child"), "all others are duplicates")
	record := s.record(run)
	require.Equal(t, statuses.Succeeded, record.Status)
	require.Equal(t, store.Counts{Total: 2, Succeeded: 2}, record.Counts)
	require.Equal(t, int64(chunks*bounds.MaxBatch-1), record.Duplicate)
}

func TestARecoveredThatIsReleasedIsStillRunAlone(t *testing.T) {
	s := newScene(t)
	s.enqueue(s.begin(store.StartParams{Job: "job"}), items("k", 3)...)
	first := s.worker("first")
	require.Len(t, first.fetch(3, "k"), 3)
	first.die()
	for _, name := range []string{"second", "third"} {
		w := s.worker(name)
		d := w.fetchRecovered(3, "k")
		require.Len(t, d, 1)
		w.settle(outcomeOf(d[0], verdicts.Release))
	}
	require.Empty(t, s.worker("fourth").fetch(3, "k"), "who runs a recovered task gets no other")
	last := s.worker("last")
	d := last.fetchRecovered(3, "k")
	require.Len(t, d, 1)
	require.True(t, d[0].Task.Recovered)
	require.Zero(t, d[0].Task.Crashes)
}

func TestAPreJobHookCancelledByAStopCountsAsNoTask(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	root, pre := itemOf("k", "root"), itemOf(store.KindPreJob, "pre")
	run := s.begin(store.StartParams{Job: "job", Root: &root, PreJob: &pre})
	hook := w.fetchOne(store.KindPreJob)
	require.NoError(t, s.StopRun(t.Context(), store.StopParams{Run: run}))
	w.settle(outcomeOf(hook, verdicts.Cancel))
	require.Equal(t, store.Counts{Total: 1, Cancelled: 1}, s.record(run).Counts)
	require.Equal(t, statuses.Stopped, s.record(run).Status)
}

func TestAPostJobHookCancelledByAStopCountsAsNoTask(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	root, post := itemOf("k", "root"), itemOf(store.KindPostJob, "post")
	run := s.begin(store.StartParams{Job: "job", Root: &root, PostJob: &post})
	w.settle(outcomeOf(w.fetchOne("k"), verdicts.Success))
	hook := w.fetchOne(store.KindPostJob)
	require.NoError(t, s.StopRun(t.Context(), store.StopParams{Run: run}))
	w.settle(outcomeOf(hook, verdicts.Cancel))
	require.Equal(t, store.Counts{Total: 1, Succeeded: 1}, s.record(run).Counts)
	require.Equal(t, statuses.Succeeded, s.record(run).Status)
}

func TestAHookSettledLikeATaskIsNeverCounted(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	root, pre := itemOf("k", "root"), itemOf(store.KindPreJob, "pre")
	run := s.begin(store.StartParams{Job: "job", Root: &root, PreJob: &pre})
	w.settle(outcomeOf(w.fetchOne(store.KindPreJob), verdicts.Success))
	require.Equal(t, store.Counts{Total: 1, Pending: 1}, s.record(run).Counts)
	w.fetchOne("k")
}

func TestWhatWasStagedWithoutAnAnswerVanishesWithItsAttempt(t *testing.T) {
	s, proxy := proxiedScene(t)
	w := s.worker("w")
	run := s.begin(store.StartParams{Job: "job"})
	s.enqueue(run, items("k", 3)...)
	staged := []store.Staged{{Route: routeOf("child"), Count: 0}}
	known := w.fetchOne("k") // the first use of a script takes two commands
	require.NoError(t, w.stage(known, "child", 0, itemOf("child", "known")))
	o := outcomeOf(known, verdicts.Fail)
	o.Staged = staged
	w.settle(o)

	for _, verdict := range []verdicts.Verdict{verdicts.Fail, verdicts.Retry} {
		d := w.fetchOne("k")
		proxy.Inject(redistest.Fault{Kind: redistest.Swallow, Match: redistest.Named("EVALSHA"), Nth: 1})
		require.ErrorIs(t, w.stage(d, "child", 0, itemOf("child", "unanswered")), store.ErrUnavailable)
		proxy.Clear()
		require.NotEmpty(t, s.left("stage:", "S:"), "it was executed")
		o := outcomeOf(d, verdict)
		o.Staged = staged
		w.settle(o)
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

// Whatever a server lost, or somebody's hands took, a parent answers for its own children and for
// no others.
func TestAParentWhoseStagedChildrenAreGoneIsRefused(t *testing.T) {
	for name, hit := range map[string]func(s *scene, key string){
		"all of them":           func(s *scene, key string) { s.command("DEL", key) },
		"one of them":           func(s *scene, key string) { s.command("RPOP", key) },
		"their list is another": func(s *scene, key string) { s.command("SET", key, "x") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			w := s.worker("w")
			run := s.begin(store.StartParams{Job: "job"})
			s.enqueue(run, items("k", 2)...)
			hurt, sound := w.fetchOne("k"), w.fetchOne("k")
			outcomes := make([]store.Outcome, 2)
			for i, d := range []store.Delivery{hurt, sound} {
				require.NoError(t, w.stage(d, "child", 0, items("child", 256)...))
				require.NoError(t, w.stage(d, "child", 256, itemOf("child", "last")))
				outcomes[i] = outcomeOf(d, verdicts.Success)
				outcomes[i].Staged = []store.Staged{{Route: routeOf("child"), Count: 257}}
			}
			hit(s, fmt.Sprintf("S:%d/pw.%d.%d/q/set/child", run.Number, hurt.Lease.Fetch, hurt.Lease.Index))
			reply := replyTo(w, outcomes...)
			require.Len(t, reply.Refused, 1)
			require.ErrorIs(t, reply.Refused[0].Err, store.ErrChildrenLost)
			require.Equal(t, store.Counts{Total: 259, Pending: 257, Running: 1, Succeeded: 1}, s.record(run).Counts)

			outcomes[0].Verdict = verdicts.Snooze
			require.Empty(t, replyTo(w, outcomes[0]).Refused)
			require.Equal(t, store.Counts{Total: 259, Pending: 258, Succeeded: 1}, s.record(run).Counts)
			require.Equal(t, "0", w.fetchOne("k").Task.ID)
			require.Len(t, s.left("S:", "stage:"), 1, "what the sound one staged, which is visible")
		})
	}
}

// replyTo settles outcomes.
func replyTo(w *worker, outcomes ...store.Outcome) store.SettleReply {
	w.settled++
	reply, err := w.Settle(w.Context(), store.SettleParams{Session: w.id, Number: w.settled, Outcomes: outcomes})
	require.NoError(w, err)
	return reply
}

func TestARunThatIsGoneTakesNoStagedChildrenOfAnother(t *testing.T) {
	s := newScene(t)
	w := s.worker("w")
	run, gone := s.begin(store.StartParams{Job: "job"}), s.begin(store.StartParams{Job: "gone"})
	s.enqueue(run, itemOf("k", "parent"))
	s.enqueue(gone, itemOf("g", "lost"))
	parent, lost := w.fetchOne("k"), w.fetchOne("g")
	require.NoError(t, w.stage(parent, "child", 0, items("child", 256)...))
	s.command("DEL", fmt.Sprintf("run:%d", gone.Number))
	require.ErrorIs(t, w.stage(lost, "child", 0, itemOf("child", "x")), store.ErrLeaseLost)
	require.NoError(t, w.stage(parent, "child", 256, itemOf("child", "last")))
	o := outcomeOf(parent, verdicts.Success)
	o.Staged = []store.Staged{{Route: routeOf("child"), Count: 257}}
	reply := replyTo(w, o, outcomeOf(lost, verdicts.Release))
	require.Empty(t, reply.Refused)
	require.Equal(t, []int{1}, reply.Lost)
	require.Equal(t, store.Counts{Total: 258, Pending: 257, Succeeded: 1}, s.record(run).Counts)
}

// A marker whose children are gone hides nothing behind it, and a repair counts them.
func TestChildrenThatAreGoneHideNobody(t *testing.T) {
	for name, hit := range map[string][]string{"deleted": {"DEL"}, "of another type": {"SET", "x"}} {
		for _, letter := range []string{"p", "x"} {
			t.Run(name+"/"+letter, func(t *testing.T) {
				s := newScene(t)
				w := s.worker("w")
				root := itemOf("k", "root")
				run := s.begin(store.StartParams{Job: "job", Root: &root})
				s.enqueue(run, itemOf("k", "other"))
				for i := range 2 {
					d := w.fetchOne("k")
					children := items("child", 3)
					if letter == "x" {
						for i := range children {
							children[i].Delay = time.Millisecond
						}
					}
					require.NoError(t, w.stage(d, "child", 0, children...))
					o := outcomeOf(d, verdicts.Success)
					o.Staged = []store.Staged{{Route: routeOf("child"), Count: 3}}
					w.settle(o)
					if i == 0 {
						key := fmt.Sprintf("S:%d/%sw.%d.%d/q/set/child", run.Number, letter, d.Lease.Fetch, d.Lease.Index)
						s.command(hit[0], key, hit[1:]...)
					}
				}
				got := 0
				require.Eventually(t, func() bool {
					_, err := s.Promote(t.Context(), 0)
					require.NoError(t, err)
					for _, d := range w.fetch(10, "child") {
						w.settle(outcomeOf(d, verdicts.Success))
						got++
					}
					return got == 3
				}, time.Minute, time.Millisecond)
				_, err := s.Repair(t.Context(), store.RepairParams{Job: "job"})
				require.NoError(t, err)
				record := s.record(run)
				require.Equal(t, store.Counts{Total: 8, Succeeded: 5, Failed: 3}, record.Counts)
				require.Equal(t, statuses.Failed, record.Status)
			})
		}
	}
}
