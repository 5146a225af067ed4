package syncjob_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// limited is a set whose leaves, and nodes, may be limited.
func limited(
	t testing.TB, cfg handlers.SetConfig, leaves handlers.Attributes,
	onLeaf func(context.Context, *handlers.Task[leaf]) error,
) *handlers.Registry {
	t.Helper()
	reg, err := limitedRegistry(cfg, leaves, onLeaf)
	require.NoError(t, err)
	return reg
}

func limitedRegistry(
	cfg handlers.SetConfig, leaves handlers.Attributes, onLeaf func(context.Context, *handlers.Task[leaf]) error,
) (*handlers.Registry, error) {
	s := handlers.NewSet("tree", cfg)
	handlers.Handle(s, func(ctx context.Context, t *handlers.Task[node]) error {
		for i := range t.Args.N {
			if _, err := t.Enqueue(ctx, leaf{I: i}, nil); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	handlers.Handle(s, onLeaf, &handlers.KindOptions{Attributes: leaves})
	return handlers.NewRegistry(s)
}

func sleeping(d time.Duration) func(context.Context, *handlers.Task[leaf]) error {
	return func(ctx context.Context, _ *handlers.Task[leaf]) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// leased samples how many tasks of a kind the store shows as leased, over all partitions, until the
// test ends. It returns the most that were. It looks when nothing moves: no moment is common to all
// partitions while a worker settles in one what lets it fetch in another.
func leased(t testing.TB, s store.Store, kind string, every time.Duration) func() int64 {
	var mu sync.Mutex
	most := int64(0)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			synctest.Wait()
			n := running(ctx, s, kind)
			mu.Lock()
			most = max(most, n)
			mu.Unlock()
			select {
			case <-time.After(every):
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return func() int64 {
		mu.Lock()
		defer mu.Unlock()
		return most
	}
}

func running(ctx context.Context, s store.Store, kind string) (n int64) {
	for p := range s.Partitions() {
		stats, _ := s.QueueStats(ctx, p)
		for _, q := range stats {
			if q.Route.Kind == kind {
				n += q.Running
			}
		}
	}
	return n
}

// start starts jobs that spread over the partitions, each with n leaves, and returns their runs.
func start(t testing.TB, m *syncjob.Manager, jobs, n int) (runs []*syncjob.Run) {
	t.Helper()
	for i := range jobs {
		run, err := m.Start(t.Context(), syncjob.Job{Name: fmt.Sprintf("job/%d", i), Set: "tree", Root: node{N: n}}, nil)
		require.NoError(t, err)
		runs = append(runs, run)
	}
	return runs
}

func await(t testing.TB, runs ...*syncjob.Run) {
	t.Helper()
	for _, run := range runs {
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, statuses.Succeeded, final.Status)
		require.Zero(t, final.Retried, "a task that waited for a limit is charged nothing")
	}
}

func TestMaxRunningHoldsOverWorkersAndPartitions(t *testing.T) {
	for name, cfg := range map[string]struct {
		set  handlers.SetConfig
		leaf handlers.Attributes
	}{
		"of a kind": {leaf: handlers.Attributes{MaxRunning: 3}},
		"of a set":  {set: handlers.SetConfig{Attributes: handlers.Attributes{MaxRunning: 3}}},
		"of both":   {set: handlers.SetConfig{Attributes: handlers.Attributes{MaxRunning: 4}}, leaf: handlers.Attributes{MaxRunning: 3}},
	} {
		for _, partitions := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s over %d partitions", name, partitions), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := memstore.New(&memstore.Options{Partitions: partitions})
					most := leased(t, s, "leaf", 10*time.Millisecond)
					var m *syncjob.Manager
					for range 5 {
						m = managerOn(t, s, limited(t, cfg.set, cfg.leaf, sleeping(time.Second)))
						work(t, m, syncjob.WorkerConfig{Concurrency: 8})
					}
					begun := time.Now()
					await(t, start(t, m, 6, 20)...)
					require.EqualValues(t, 3, most(), "as many as may, and never more")
					require.InDelta(t, 40, time.Since(begun).Seconds(), 4, "120 tasks of a second, three at a time")
				})
			})
		}
	}
}

func TestALimitedKindStandsInNobodysWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: 2})
		set := handlers.NewSet("tree", handlers.SetConfig{})
		handlers.Handle(set, func(ctx context.Context, t *handlers.Task[node]) error {
			if t.Args.N == 0 {
				return nil
			}
			for i := range 50 {
				if _, err := t.Enqueue(ctx, leaf{I: i}, nil); err != nil {
					return err
				}
			}
			_, err := t.Enqueue(ctx, node{}, nil)
			return err
		}, nil)
		handlers.Handle(
			set, sleeping(time.Hour),
			&handlers.KindOptions{Attributes: handlers.Attributes{MaxRunning: 1, Timeout: handlers.NoTimeout}},
		)
		reg, err := handlers.NewRegistry(set)
		require.NoError(t, err)
		l := &line{Store: s}
		m := managerOn(t, l, reg)
		for range 4 {
			work(t, m, syncjob.WorkerConfig{Concurrency: 2})
		}
		runs := []*syncjob.Run{}
		for i := range 6 {
			run, err := m.Start(t.Context(), syncjob.Job{Name: fmt.Sprintf("job/%d", i), Set: "tree", Root: node{N: 1}}, nil)
			require.NoError(t, err)
			runs = append(runs, run)
		}
		time.Sleep(10 * time.Millisecond)
		for _, run := range runs {
			state, err := run.State(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 2, state.Counts.Succeeded, "both nodes have run at once, though leaves wait before them")
		}
		time.Sleep(time.Minute)
		before := l.calls.Load()
		time.Sleep(10 * time.Minute)
		calls := float64(l.calls.Load()-before) / 600
		t.Logf("4 workers, of which 3 wait for a permit, make %.2f calls a second", calls)
		require.Less(t, calls, 20.0, "who waits for a limit does not poll")
	})
}

func TestLimitsChangeWhileEverythingRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: 3})
		var m *syncjob.Manager
		for range 3 {
			m = managerOn(t, s, limited(t, handlers.SetConfig{}, handlers.Attributes{}, sleeping(time.Second)))
			work(t, m, syncjob.WorkerConfig{Concurrency: 4})
		}
		start(t, m, 4, 2000)
		configure := func(maxRunning int) {
			_, err := m.Configure(t.Context(), "tree", nil, func(c *syncjob.Configuration) error {
				c.Kind("leaf").MaxRunning = maxRunning
				return nil
			})
			require.NoError(t, err)
		}
		time.Sleep(3500 * time.Millisecond)
		require.GreaterOrEqual(t, running(t.Context(), s, "leaf"), int64(12))
		for _, n := range []int{3, 7, 1, 12, 5} {
			configure(n)
			time.Sleep(2500 * time.Millisecond) // what ran has ended, and workers know
			synctest.Wait()
			require.EqualValues(t, n, running(t.Context(), s, "leaf"))
			for range 200 {
				time.Sleep(17 * time.Millisecond)
				synctest.Wait()
				require.LessOrEqual(t, running(t.Context(), s, "leaf"), int64(n))
			}
		}
	})
}

func TestEachJobHasItsOwnLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: 2})
		most := leased(t, s, "leaf", 10*time.Millisecond)
		var m *syncjob.Manager
		for range 3 {
			m = managerOn(t, s, limited(t, handlers.SetConfig{}, handlers.Attributes{MaxRunningPerJob: 2}, sleeping(time.Second)))
			work(t, m, syncjob.WorkerConfig{Concurrency: 8})
		}
		begun := time.Now()
		await(t, start(t, m, 5, 20)...)
		require.EqualValues(t, 10, most(), "two of each job")
		require.InDelta(t, 10, time.Since(begun).Seconds(), 1)
	})
}

func TestRateLimitsStarts(t *testing.T) {
	for _, rate := range []handlers.Rate{{Events: 10, Burst: 1}, {Events: 50, Burst: 20}, {Events: 2, Per: time.Minute, Burst: 3}, {Events: 2000}} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memstore.New(&memstore.Options{Partitions: 3})
				var mu sync.Mutex
				var started []time.Time
				onLeaf := func(context.Context, *handlers.Task[leaf]) error {
					mu.Lock()
					defer mu.Unlock()
					started = append(started, time.Now())
					return nil
				}
				var m *syncjob.Manager
				for range 3 {
					m = managerOn(t, s, limited(t, handlers.SetConfig{}, handlers.Attributes{Rate: rate}, onLeaf))
					work(t, m, syncjob.WorkerConfig{Concurrency: 8})
				}
				begun := time.Now()
				await(t, start(t, m, 4, 50)...)
				per, burst := rate.Per, rate.Burst
				if per == 0 {
					per = time.Second
				}
				if burst == 0 {
					burst = rate.Events
				}
				slices.SortFunc(started, time.Time.Compare)
				for i := range started {
					for j := i; j < len(started); j++ {
						d := started[j].Sub(started[i])
						allowed := float64(burst) + float64(rate.Events)*float64(d)/float64(per)
						require.LessOrEqual(t, float64(j-i+1), allowed+1e-6, "starts within %v", d)
					}
				}
				least := float64(len(started)-burst) * float64(per) / float64(rate.Events)
				t.Logf("%d starts took %v, of at least %v", len(started), time.Since(begun), time.Duration(max(0, least)))
				require.LessOrEqual(t, float64(time.Since(begun)), max(0, least)*1.2+float64(2*time.Second), "and no start is long overdue")
			})
		})
	}
}

func TestWorkersOfDifferentQueuesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		reg := limited(t, handlers.SetConfig{}, handlers.Attributes{MaxRunning: 1}, sleeping(50*time.Millisecond))
		m := managerOn(t, s, reg)
		runs := make(map[string]*syncjob.Run)
		for _, queue := range []string{"a", "b", "c"} {
			work(t, m, syncjob.WorkerConfig{Concurrency: 2, Queues: []syncjob.Queue{{Name: queue}}})
			run, err := m.Start(t.Context(), syncjob.Job{Name: queue, Set: "tree", Open: true}, nil)
			require.NoError(t, err)
			for i := range 400 {
				_, err := run.Enqueue(t.Context(), leaf{I: i}, &enqueue.Options{Queue: queue})
				require.NoError(t, err)
			}
			runs[queue] = run
		}
		time.Sleep(30 * time.Second)
		for queue, run := range runs {
			state, err := run.State(t.Context())
			require.NoError(t, err)
			require.InDelta(t, 200, state.Counts.Succeeded, 40, queue)
		}
	})
}

func TestADeadWorkersPermitsComeBackAndNeverTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: 2})
		most := leased(t, s, "leaf", 5*time.Millisecond)
		reg := limited(t, handlers.SetConfig{}, handlers.Attributes{MaxRunning: 3}, sleeping(100*time.Millisecond))
		alive := managerOn(t, s, reg)
		cut := &line{Store: s}
		dead := managerOn(t, cut, limited(t, handlers.SetConfig{}, handlers.Attributes{MaxRunning: 3}, sleeping(time.Hour)))
		stop := work(t, dead, syncjob.WorkerConfig{Concurrency: 3, Grace: syncjob.NoGrace})
		runs := start(t, alive, 2, 30)
		time.Sleep(time.Second)
		require.EqualValues(t, 3, running(t.Context(), s, "leaf"))
		cut.cut.Store(true)
		work(t, alive, syncjob.WorkerConfig{Concurrency: 8})
		for _, run := range runs {
			_, err := run.Wait(t.Context())
			require.NoError(t, err)
		}
		require.EqualValues(t, 3, most())
		require.Error(t, stop())
	})
}

func TestRunOnceLeavesWhatALimitKeepsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		m := managerOn(t, s, limited(t, handlers.SetConfig{}, handlers.Attributes{MaxRunning: 1}, sleeping(time.Hour)))
		work(t, m, syncjob.WorkerConfig{})
		start(t, m, 1, 3)
		time.Sleep(time.Second)
		once, err := m.NewWorker(syncjob.WorkerConfig{})
		require.NoError(t, err)
		n, err := once.RunOnce(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)

		other := managerOn(
			t, memstore.New(nil),
			limited(t, handlers.SetConfig{}, handlers.Attributes{MaxRunning: 1}, sleeping(time.Second)),
		)
		run := start(t, other, 1, 3)
		once, err = other.NewWorker(syncjob.WorkerConfig{})
		require.NoError(t, err)
		n, err = once.RunOnce(t.Context())
		require.NoError(t, err)
		require.Equal(t, 4, n)
		await(t, run...)
	})
}

func TestExplainNamesTheLimitsOnWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		hooks := handlers.Hooks{PostJob: func(context.Context, *handlers.Run) error { return nil }}
		reg := limited(t, handlers.SetConfig{Hooks: hooks}, handlers.Attributes{MaxRunning: 1}, sleeping(time.Minute))
		m := managerOn(t, s, reg)
		explain := func(run *syncjob.Run) syncjob.Explanation {
			why, err := run.Explain(t.Context())
			require.NoError(t, err)
			return why
		}
		configure := func(edit func(*syncjob.Configuration)) {
			_, err := m.Configure(t.Context(), "tree", nil, func(c *syncjob.Configuration) error { edit(c); return nil })
			require.NoError(t, err)
			time.Sleep(2 * time.Second) // what the manager has read is stale
		}
		stop := work(t, m, syncjob.WorkerConfig{Grace: syncjob.NoGrace})
		run := start(t, m, 1, 5)[0]
		time.Sleep(time.Second)
		why := explain(run)
		require.Equal(t, []states.Limit{{Set: "tree", Kind: "leaf", MaxRunning: 1}}, why.Limits)
		require.Contains(t, why.String(), "leaf of set tree is limited to 1 running at a time\n")
		require.NoError(t, stop())

		configure(func(c *syncjob.Configuration) {
			c.Set.MaxRunning = 7
			c.Kind("leaf").MaxRunning = handlers.NoLimit
			c.Kind("leaf").MaxRunningPerJob = 2
			c.Kind("leaf").Rate = handlers.Rate{Events: 3, Per: time.Hour}
			c.Kind("node").MaxRunning = 9
		})
		why = explain(run)
		require.Equal(t, []states.Limit{
			{Set: "tree", MaxRunning: 7},
			{Set: "tree", Kind: "leaf", MaxRunningPerJob: 2, Rate: handlers.Rate{Events: 3, Per: time.Hour, Burst: 3}},
		}, why.Limits, "not those of kinds of which nothing waits")
		for _, sentence := range []string{
			"set tree is limited to 7 running at a time\n",
			"leaf of set tree is limited to 2 running at a time of each job\n",
			"leaf of set tree is limited to 3 starts in 1h0m0s\n",
		} {
			require.Contains(t, why.String(), sentence)
		}
		require.Equal(t, why.Limits, explain(managerOn(t, s, nil).Run(run.Job(), run.Number())).Limits, "as workers published them")

		later, err := m.Start(t.Context(), syncjob.Job{Name: "later", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		_, err = later.Enqueue(t.Context(), leaf{}, &enqueue.Options{Delay: time.Hour})
		require.NoError(t, err)
		require.Empty(t, explain(later).Limits, "what is delayed waits for its time")
		hook, err := m.Start(t.Context(), syncjob.Job{Name: "hook", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		require.NoError(t, hook.Seal(t.Context()))
		why = explain(hook)
		require.Len(t, why.Waiting, 1)
		require.Empty(t, why.Limits, "hooks are in no limit")
	})
}
