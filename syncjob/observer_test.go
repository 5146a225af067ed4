package syncjob_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/observe"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// observed keeps what an observer is told.
type observed struct {
	mu       sync.Mutex
	started  []observe.Attempt
	done     []observe.Attempt
	runs     []observe.Run
	ended    []states.Run
	fetched  int
	settled  int
	queued   int // fetched of the one queue and not settled
	retries  int
	verdicts map[verdicts.Verdict]int
	enqueued map[[2]string]int // by job and kind
}

func note[E any](o *observed, to func(E)) func(context.Context, E) {
	return func(_ context.Context, e E) {
		o.mu.Lock()
		defer o.mu.Unlock()
		to(e)
	}
}

func (o *observed) observer() observe.Observer {
	o.verdicts, o.enqueued = make(map[verdicts.Verdict]int), make(map[[2]string]int)
	return observe.Observer{
		AttemptStarted: note(o, func(e observe.Attempt) { o.started = append(o.started, e) }),
		AttemptDone:    note(o, func(e observe.Attempt) { o.done = append(o.done, e); o.verdicts[e.Verdict]++ }),
		RunStarted:     note(o, func(e observe.Run) { o.runs = append(o.runs, e) }),
		RunDone:        note(o, func(s states.Run) { o.ended = append(o.ended, s) }),
		Fetched:        note(o, func(e observe.Fetch) { o.fetched += e.Tasks; o.queued += e.Queues["default"] }),
		Settled:        note(o, func(e observe.Settle) { o.settled += e.Outcomes - e.Lost; o.queued -= e.Queues["default"] }),
		Enqueued:       note(o, func(e observe.Enqueue) { o.enqueued[[2]string{e.Job, e.Kind}] += e.Tasks }),
		StoreRetry: func(store.RetryEvent) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.retries++
		},
	}
}

func TestAnObserverIsToldOfEveryAttemptAndRun(t *testing.T) {
	for name, hooks := range map[string]handlers.Hooks{
		"without hooks": {},
		"with hooks": {
			PreJob:  func(context.Context, *handlers.Run) error { return nil },
			PostJob: func(context.Context, *handlers.Run) error { return nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { observeHooks(t, hooks) })
		})
	}
}

func observeHooks(t *testing.T, hooks handlers.Hooks) {
	const size = 100
	hooked := 0
	if hooks.PreJob != nil {
		hooked = 2
	}
	reg := set(
		t,
		handlers.SetConfig{Hooks: hooks, Attributes: handlers.Attributes{MaxRetries: 1}},
		func(_ context.Context, task *handlers.Task[leaf]) error {
			time.Sleep(time.Second)
			switch {
			case task.Args.I == 0:
				return handlers.Permanent(errors.New("broken"))
			case task.Args.I == 1 && task.Retry == 0:
				return handlers.RetryAfter(time.Minute, errors.New("not yet"))
			}
			return nil
		},
	)
	var o observed
	retried := 0
	m, err := syncjob.New(&forgetful{Store: memstore.New(nil), every: 2}, syncjob.Config{
		Registry: reg, Observer: o.observer(), Retry: store.RetryOptions{OnRetry: func(store.RetryEvent) { retried++ }},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	stop := work(t, m, syncjob.WorkerConfig{Name: "w1", Concurrency: size})
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: size}}, &syncjob.StartOptions{Key: "k"})
	require.NoError(t, err)
	_, err = m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: size}}, &syncjob.StartOptions{Key: "k"})
	require.NoError(t, err)
	_, err = run.Enqueue(t.Context(), leaf{2}, nil)
	require.NoError(t, err)
	_, err = run.Enqueue(t.Context(), leaf{2}, nil)
	require.NoError(t, err)
	final, err := run.Wait(t.Context())
	require.NoError(t, err)
	idle, err := m.Start(t.Context(), syncjob.Job{Name: "b", Set: "tree", Root: leaf{}, Open: true}, nil)
	require.NoError(t, err)
	time.Sleep(time.Minute)
	require.NoError(t, idle.Stop(t.Context(), nil))
	require.NoError(t, idle.Stop(t.Context(), nil))
	require.NoError(t, stop())

	attempts := 1 + size + 2 + 1 + 1 + hooked + hooked/2 // root, leaves, from outside, the retry, the other run's; its hook
	require.Len(t, o.started, attempts)
	require.Len(t, o.done, attempts)
	require.GreaterOrEqual(t, o.fetched, attempts, "what is prefetched in vain is given back")
	require.Equal(t, o.fetched, o.settled)
	require.Zero(t, o.queued)
	require.Equal(t, map[[2]string]int{{"a", "node"}: 1, {"a", "leaf"}: size + 2, {"b", "leaf"}: 1}, o.enqueued)
	require.Equal(t, 1, o.verdicts[verdicts.Retry])
	require.Equal(t, 2, o.verdicts[verdicts.Fail])
	require.Equal(t, size+2, o.verdicts[verdicts.Success])
	for _, e := range o.done {
		if e.Verdict != verdicts.Retry {
			continue
		}
		require.NotEmpty(t, e.TaskID)
		e.TaskID = ""
		require.Equal(t, observe.Attempt{
			Worker: "w1", Job: "a", Run: run.Number(), Set: "tree", Kind: "leaf", Queue: "default",
			Verdict: verdicts.Retry, Took: time.Second, Error: "not yet",
		}, e)
	}
	require.Equal(t, []observe.Run{{Job: "a", Run: run.Number(), Set: "tree"}, {Job: "b", Run: idle.Number(), Set: "tree"}}, o.runs)
	require.Len(t, o.ended, 2)
	require.Equal(t, final.Counts, o.ended[0].Counts)
	require.Equal(t, states.Stopped, o.ended[1].Status)
	require.Positive(t, retried)
	require.Equal(t, retried, o.retries)
}

func TestAnObserverIsToldOfTheRootsOfPeriodicRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o observed
		m, err := syncjob.New(memstore.New(nil), syncjob.Config{
			Registry: set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error { return nil }),
			Observer: o.observer(),
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		_, err = m.Ensure(t.Context(), syncjob.Job{
			Name: "a", Set: "tree", Root: node{N: 2}, Schedule: &schedule.Schedule{Every: time.Minute},
		})
		require.NoError(t, err)
		stop := work(t, m, syncjob.WorkerConfig{})
		time.Sleep(10*time.Minute + time.Second)
		require.NoError(t, stop())
		require.Len(t, o.runs, 10)
		require.Equal(t, map[[2]string]int{{"a", "node"}: 10, {"a", "leaf"}: 20}, o.enqueued)
	})
}

// TestAnObserverIsToldOfWhatIsReclaimed has a session end whose worker is not heard from, and
// observers that end badly.
func TestAnObserverIsToldOfWhatIsReclaimed(t *testing.T) {
	for name, end := range badEnds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memstore.New(nil)
				told := make(chan observe.Reclaim, 1)
				m, err := syncjob.New(s, syncjob.Config{
					Registry: set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error { return nil }),
					Observer: observe.Observer{Reclaimed: func(_ context.Context, e observe.Reclaim) {
						told <- e
						end()
					}},
				})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, m.Close()) })
				run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
				require.NoError(t, err)
				dead := store.SessionID{Partition: store.PartitionOf("a", s.Partitions()), ID: "dead"}
				route := store.Route{Queue: "default", Set: "tree", Kind: "leaf"}
				require.NoError(t, s.OpenSession(t.Context(), dead, store.WorkerInfo{Routes: []store.Route{route}}, 10*time.Second))
				reply, err := s.Fetch(t.Context(), store.FetchParams{
					Session: dead, Number: 1, Max: 1,
					Queues: []store.FetchQueue{{Queue: "default", Routes: []store.Route{route}}},
				})
				require.NoError(t, err)
				require.Len(t, reply.Deliveries, 1)

				stop := work(t, m, syncjob.WorkerConfig{Name: "w1"})
				require.Equal(t, observe.Reclaim{Worker: "w1", Partition: dead.Partition, Sessions: 1, Tasks: 1}, <-told)
				final, err := run.Wait(t.Context())
				require.NoError(t, err)
				require.EqualValues(t, 1, final.Counts.Succeeded)
				require.NoError(t, stop())
			})
		})
	}
}

func TestVerdictsHaveNames(t *testing.T) {
	require.Equal(t, "lost", verdicts.Verdict(0).String())
	require.Equal(t, "success", verdicts.Success.String())
	require.Equal(t, "hook done", verdicts.HookDone.String())
	require.Equal(t, "unknown", (verdicts.HookDone + 1).String())
}

// readRuns is a store that counts reads of runs.
type readRuns struct {
	store.Store
	reads atomic.Int64
}

func (s *readRuns) Run(ctx context.Context, id store.RunID) (store.RunRecord, error) {
	s.reads.Add(1)
	return s.Store.Run(ctx, id)
}

func TestAWorkerReadsARunThatEndedOnlyForWhoWantsToKnow(t *testing.T) {
	for name, wanted := range map[string]bool{"nobody": false, "an observer": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shared := memstore.New(nil)
				counted := &readRuns{Store: shared}
				done := 0
				cfg := syncjob.Config{Registry: set(t, handlers.SetConfig{}, noop)}
				if wanted {
					cfg.Observer.RunDone = func(context.Context, states.Run) { done++ }
				}
				m, err := syncjob.New(counted, cfg)
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, m.Close()) })
				stop := work(t, m, syncjob.WorkerConfig{})
				other := managerOn(t, shared, cfg.Registry)
				run, err := other.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
				require.NoError(t, err)
				_, err = run.Wait(t.Context())
				require.NoError(t, err)
				require.NoError(t, stop())
				want := 0
				if wanted {
					want = 1
				}
				require.Equal(t, want, done)
				require.EqualValues(t, want, counted.reads.Load())
			})
		})
	}
}
