package syncjob_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
)

func TestAPausedQueueWaitsAndTheOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managerOn(t, memstore.New(&memstore.Options{Partitions: 3}), set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{Queues: []syncjob.Queue{{Name: "slow"}, {Name: "fast"}}})
		scope := syncjob.Scope{Queue: "slow"}
		ctx := syncjob.WithActor(t.Context(), "ops")
		since := time.Now()
		require.NoError(t, m.Pause(ctx, scope, "the disk is full"))
		var slow, fast []*syncjob.Run
		for _, name := range []string{"a", "b", "c", "d"} {
			for queue, runs := range map[string]*[]*syncjob.Run{"slow": &slow, "fast": &fast} {
				run, err := m.Start(t.Context(), syncjob.Job{
					Name: queue + "/" + name, Set: "tree", Root: leaf{}, RootOptions: &enqueue.Options{Queue: queue},
				}, nil)
				require.NoError(t, err)
				*runs = append(*runs, run)
			}
		}
		await(t, fast...)
		time.Sleep(time.Hour)
		for _, run := range slow {
			why, err := run.Explain(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 1, why.Run.Counts.Pending)
			paused := "queue slow is paused since " + since.UTC().Format(time.RFC3339) + " by ops: the disk is full"
			require.Contains(t, why.String(), paused)
			require.Equal(t, []string{paused}, why.Waiting[0].HeldBack)
			require.Equal(t, scope, why.Pauses[0].Scope)
			require.NotContains(t, why.String(), "when they have room")
		}
		list, err := m.Pauses(t.Context())
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.WithinDuration(t, since, list[0].Since, 0)
		require.Equal(t, []string{"ops", "the disk is full"}, []string{list[0].By, list[0].Reason})
		require.Empty(t, list[0].Lacked)
		resumed := time.Now()
		require.NoError(t, m.Resume(t.Context(), scope))
		await(t, slow...)
		require.Less(t, time.Since(resumed), 50*time.Millisecond, "what is resumed is signalled, not polled for")
		list, err = m.Pauses(t.Context())
		require.NoError(t, err)
		require.Empty(t, list)
	})
}

// pausesUnheard is a store whose pauses nobody hears of by a signal.
type pausesUnheard struct{ store.Store }

func (s *pausesUnheard) Subscribe(ctx context.Context, fn func(store.Signal)) error {
	return s.Store.Subscribe(ctx, func(sig store.Signal) {
		if sig.Type != signals.Pause {
			fn(sig)
		}
	})
}

func TestAWorkerThatMissedAResumeRunsWhatItFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memstore.New(nil)
		m := managerOn(t, &pausesUnheard{Store: inner}, set(t, handlers.SetConfig{}, noop))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		work(t, m, syncjob.WorkerConfig{})
		for range 3 {
			require.NoError(t, inner.Pause(t.Context(), 0, store.Pause{Scope: store.PauseScope{Set: "tree"}}))
			_, err = run.Enqueue(t.Context(), leaf{}, nil)
			require.NoError(t, err)
			time.Sleep(time.Minute)
			require.NoError(t, inner.Resume(t.Context(), 0, store.PauseScope{Set: "tree"}))
			_, err = run.Enqueue(t.Context(), leaf{}, nil)
			require.NoError(t, err)
			time.Sleep(time.Minute)
		}
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 6, state.Counts.Succeeded)
	})
}

func TestHooksWaitWhileTheirQueueOrSetIsPaused(t *testing.T) {
	for name, scope := range map[string]syncjob.Scope{"queue": {Queue: "default"}, "set": {Set: "tree"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var hooks atomic.Int64
				hook := func(context.Context, *handlers.Run) error { hooks.Add(1); return nil }
				m := manager(t, set(t, handlers.SetConfig{Hooks: handlers.Hooks{PreJob: hook, PostJob: hook}}, noop))
				work(t, m, syncjob.WorkerConfig{})
				require.NoError(t, m.Pause(t.Context(), scope, ""))
				run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
				require.NoError(t, err)
				time.Sleep(time.Hour)
				require.Zero(t, hooks.Load())
				why, err := run.Explain(t.Context())
				require.NoError(t, err)
				require.Contains(t, why.String(), scope.String()+" is paused")
				require.NoError(t, m.Resume(t.Context(), scope))
				await(t, run)
				require.EqualValues(t, 2, hooks.Load())
			})
		})
	}
}

func TestPeriodicJobsBeginRunsThatWaitWhileTheyArePaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{})
		require.NoError(t, m.Pause(t.Context(), syncjob.Scope{Set: "tree"}, "because"))
		_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Every: time.Minute}))
		require.NoError(t, err)
		time.Sleep(10*time.Minute + time.Second)
		state, err := m.State(t.Context(), "nightly")
		require.NoError(t, err)
		require.NotNil(t, state.Run)
		require.EqualValues(t, 1, state.Run.Counts.Pending)
		require.EqualValues(t, 9, state.Skipped, "its run is active")
		require.NoError(t, m.Resume(t.Context(), syncjob.Scope{Set: "tree"}))
		await(t, m.Run("nightly", state.LastRun))
	})
}

func TestRunOnceLeavesWhatIsPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		require.NoError(t, m.Pause(t.Context(), syncjob.Scope{Kind: "leaf"}, ""))
		once := func() int {
			w, err := m.NewWorker(syncjob.WorkerConfig{})
			require.NoError(t, err)
			n, err := w.RunOnce(t.Context())
			require.NoError(t, err)
			return n
		}
		require.Zero(t, once())
		require.NoError(t, m.Resume(t.Context(), syncjob.Scope{Kind: "leaf"}))
		require.Equal(t, 1, once())
		await(t, run)
	})
}

func TestAPauseNamesThePartitionsThatLackIt(t *testing.T) {
	s := &deafPartition{Store: memstore.New(&memstore.Options{Partitions: 3}), deaf: 1}
	m := managerOn(t, s, nil)
	slow := syncjob.Scope{Queue: "slow"}
	err := m.Pause(t.Context(), slow, "because")
	require.ErrorContains(t, err, "pause queue slow in partition 1: ")
	require.NotContains(t, err.Error(), "partition 0")
	require.NotContains(t, err.Error(), "partition 2")
	list, err := m.Pauses(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int{1}, list[0].Lacked)
	s.deaf = -1
	require.NoError(t, m.Pause(t.Context(), slow, "again"), "a repeat gives it to those that lack it")
	list, err = m.Pauses(t.Context())
	require.NoError(t, err)
	require.Empty(t, list[0].Lacked)
	require.Equal(t, "again", list[0].Reason)
	s.deaf = 2
	list, err = m.Pauses(t.Context())
	require.NoError(t, err, "it can still be read")
	require.Len(t, list, 1)
}

func TestAPauseOfNothingOrOfBadNamesIsRefusedByField(t *testing.T) {
	m := manager(t, nil)
	ctx := t.Context()
	long := strings.Repeat("x", 1025)
	for name, c := range map[string]struct {
		scope  syncjob.Scope
		reason string
		fields []string
	}{
		"empty":      {syncjob.Scope{}, "", []string{"Scope"}},
		"bad names":  {syncjob.Scope{Queue: "a b", Set: "a/b", Kind: "@pre-job"}, "", []string{"Scope.Queue", "Scope.Set", "Scope.Kind"}},
		"long":       {syncjob.Scope{Queue: strings.Repeat("q", 65)}, long, []string{"Scope.Queue", "Reason"}},
		"not UTF-8":  {syncjob.Scope{Queue: "q"}, "\xff", []string{"Reason"}},
		"everything": {syncjob.Scope{}, long, []string{"Scope", "Reason"}},
	} {
		require.ElementsMatch(t, c.fields, fields(m.Pause(ctx, c.scope, c.reason)), name)
	}
	require.Equal(t, []string{"By"}, fields(m.Pause(syncjob.WithActor(ctx, long), syncjob.Scope{Queue: "q"}, "")))
	require.Equal(t, []string{"Scope"}, fields(m.Resume(ctx, syncjob.Scope{})))
	require.Equal(t, []string{"Scope.Kind"}, fields(m.Resume(ctx, syncjob.Scope{Kind: "a/b"})))
	list, err := m.Pauses(ctx)
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestAnExplanationNamesAllThatHoldsBackATask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := handlers.SetConfig{Attributes: handlers.Attributes{MaxRunning: 3}}
		m := manager(t, set(t, limited, noop))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		require.NoError(t, run.Pause(t.Context()))
		require.NoError(t, m.SetMode(t.Context(), syncjob.ModeReadOnly))
		require.NoError(t, m.Pause(t.Context(), syncjob.Scope{Queue: "default"}, "one"))
		require.NoError(t, m.Pause(t.Context(), syncjob.Scope{Kind: "leaf"}, "two\nline"))
		require.NoError(t, m.Pause(t.Context(), syncjob.Scope{Kind: "other"}, "not this"))
		why, err := run.Explain(t.Context())
		require.NoError(t, err)
		held := strings.Join(why.Waiting[0].HeldBack, "\n")
		text := why.String()
		for _, reason := range []string{
			"it is paused", "read-only mode", "queue default is paused since ", ": one", "kind leaf is paused since ",
			"no live worker serves leaf on queue default of set tree", "set tree is limited to 3 running at a time",
		} {
			require.Contains(t, held, reason)
			require.Equal(t, 1, strings.Count(text, reason), "%s: %s", reason, text)
		}
		require.NotContains(t, held, "not this")
		require.NotContains(t, text, "two\nline")
		require.Len(t, why.Pauses, 2)
		require.True(t, why.ReadOnly)
	})
}

func TestAnActorStandsInTheHistoryOfAConfiguration(t *testing.T) {
	m := manager(t, set(t, handlers.SetConfig{}, noop))
	ctx := syncjob.WithActor(t.Context(), "ann")
	_, err := m.Configure(ctx, "tree", nil, func(c *syncjob.Configuration) error {
		c.Set.MaxRetries = 7
		return nil
	})
	require.NoError(t, err)
	history, err := m.History(ctx, "tree", nil)
	require.NoError(t, err)
	require.Equal(t, "ann", history[0].By)
}

// Pauses that come and go by themselves, under load, cost no task and run none twice.
func TestTasksOutliveAnyNumberOfPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		ran := make(map[int]int)
		m := manager(t, set(t, handlers.SetConfig{}, func(_ context.Context, task *handlers.Task[leaf]) error {
			time.Sleep(time.Duration(task.Args.I%7) * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			ran[task.Args.I]++
			return nil
		}))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		_, err = run.EnqueueAll(t.Context(), leaves(2000), nil)
		require.NoError(t, err)
		for range 3 {
			work(t, m, syncjob.WorkerConfig{Concurrency: 4})
		}
		scopes := []syncjob.Scope{{Queue: "default"}, {Set: "tree"}, {Kind: "leaf"}, {Queue: "default", Kind: "leaf"}}
		for i := range 60 {
			require.NoError(t, m.Pause(t.Context(), scopes[i%len(scopes)], "because"))
			time.Sleep(3 * time.Millisecond)
			require.NoError(t, m.Resume(t.Context(), scopes[(i+i%2)%len(scopes)]))
			time.Sleep(time.Millisecond)
		}
		for _, scope := range scopes {
			require.NoError(t, m.Resume(t.Context(), scope))
		}
		require.NoError(t, run.Seal(t.Context()))
		await(t, run)
		require.Len(t, ran, 2000)
		require.False(t, slices.Contains(slices.Collect(maps.Values(ran)), 2), "none ran twice")
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2000, state.Counts.Succeeded)
		require.Zero(t, state.Retried)
	})
}
