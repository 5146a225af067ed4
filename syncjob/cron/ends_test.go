package cron_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/cron"
)

func TestAtTheEndRunnersLearnAtOnceAndAreWaitedForWithinTheirGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errOver := errors.New("over")
		var obedient error
		deaf := func(takes time.Duration) func(context.Context) error {
			return func(context.Context) error {
				time.Sleep(takes)
				return nil
			}
		}
		at := cron.Trigger{At: time.Now().Add(time.Second)}
		s, err := cron.New(manager(t), cron.Config{Grace: 5 * time.Second},
			cron.Runner{Name: "obedient", Trigger: at, Run: func(ctx context.Context) error {
				obedient = newDiary().run(time.Hour)(ctx)
				return nil
			}},
			cron.Runner{Name: "short", Trigger: at, Run: deaf(5 * time.Second)},
			cron.Runner{Name: "long", Trigger: at, Run: deaf(30 * time.Second), Grace: 40 * time.Second},
		)
		require.NoError(t, err)
		ctx, cancel := context.WithCancelCause(t.Context())
		start := time.Now()
		time.AfterFunc(2*time.Second, func() { cancel(errOver) })
		require.NoError(t, s.Run(ctx))
		require.Equal(t, errOver, obedient)
		require.Equal(t, 31*time.Second, time.Since(start))
	})
}

func TestOnlyRunnersBeyondTheirGraceAreStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := cron.Trigger{At: time.Now().Add(time.Second)}
		sleeps := func(takes time.Duration) func(context.Context) error {
			return func(context.Context) error { time.Sleep(takes); return nil }
		}
		s, err := cron.New(manager(t), cron.Config{Grace: 5 * time.Second},
			cron.Runner{Name: "within", Trigger: at, Run: sleeps(20 * time.Second), Grace: 30 * time.Second},
			cron.Runner{Name: "beyond", Trigger: at, Run: sleeps(time.Minute)},
		)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		var stuck *syncjob.StuckError
		require.ErrorAs(t, s.Run(ctx), &stuck)
		require.Equal(t, 1, stuck.Handlers)
		require.Equal(t, 21*time.Second, time.Since(start), "the other one was not waited for beyond its grace")
		time.Sleep(time.Hour)
	})
}

// TestARunnerThatHostsAWorkerNeedNotStateItsGrace has a worker in a gate, with a task that takes
// nine seconds.
func TestARunnerThatHostsAWorkerNeedNotStateItsGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var began []time.Time
		var stopped atomic.Bool
		leaves := handlers.NewSet("tree", handlers.SetConfig{})
		handlers.Handle(leaves, func(context.Context, *handlers.Task[leaf]) error {
			if began = append(began, time.Now()); stopped.Load() {
				return errors.New("a task began after the stop")
			}
			time.Sleep(9 * time.Second)
			return nil
		}, nil)
		reg, err := handlers.NewRegistry(leaves)
		require.NoError(t, err)
		st := memstore.New(nil)
		m := managerOn(t, st, reg)
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		for i := range 50 {
			_, err := run.Enqueue(t.Context(), leaf{i}, nil)
			require.NoError(t, err)
		}
		w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 1, Grace: 30 * time.Second})
		require.NoError(t, err)
		sems := semaphore.New(st)
		s, err := cron.New(m, cron.Config{Grace: time.Second}, cron.Runner{
			Name: "work", Trigger: cron.Trigger{Every: time.Second}, Run: w.Run,
			Gate: &semaphore.Gate{Semaphores: sems, Key: "one", TTL: 3 * time.Second, Holder: "a"},
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, func() { stopped.Store(true); cancel() })
		start := time.Now()
		require.NoError(t, s.Run(ctx))
		require.Len(t, began, 2)
		require.Equal(t, 18*time.Second, time.Since(start))
		n, err := sems.Count(t.Context(), "one")
		require.NoError(t, err)
		require.Zero(t, n, "the lock is free")
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, state.Counts.Succeeded)
		require.Zero(t, state.Counts.Running)
	})
}

// TestWhateverEndsARunnerItIsCalledAgain ends a runner, and those who are told of it, in every way.
func TestWhateverEndsARunnerItIsCalledAgain(t *testing.T) {
	for name, end := range badEnds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sems := semaphore.New(memstore.New(nil))
				calls, told, beats := 0, 0, 0
				gate := &semaphore.Gate{
					Semaphores: sems, Key: "k", TTL: time.Second, Holder: "h",
					CanRun: func(context.Context) bool {
						if calls++; calls == 2 {
							end()
						}
						return true
					},
					OnError:     func(error) { end() },
					OnHeartbeat: func(time.Time) { beats++; end() },
				}
				ran := 0
				s := schedule(t, 4500*time.Millisecond, cron.Config{Concurrency: 1, OnError: func(string, error) { told++; end() }},
					cron.Runner{Name: "bad", Trigger: cron.Trigger{Every: time.Second}, Gate: gate, Run: func(context.Context) error {
						ran++
						time.Sleep(500 * time.Millisecond)
						end()
						return nil
					}})
				require.Equal(t, 5, calls)
				require.Equal(t, 4, ran, "the gate was asked in vain once")
				require.Equal(t, 5, told)
				require.Equal(t, 4, beats)
				require.Equal(t, 5, s.Runners()[0].Failed)
				n, err := sems.Count(t.Context(), "k")
				require.NoError(t, err)
				require.Zero(t, n)
			})
		})
	}
}

func TestARunnerThatIgnoresItsContextIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		s, err := cron.New(manager(t), cron.Config{Grace: syncjob.NoGrace}, cron.Runner{
			Name: "deaf", Trigger: cron.Trigger{Every: time.Second}, Run: func(context.Context) error { <-release; return nil },
		})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var stuck *syncjob.StuckError
		require.ErrorAs(t, s.Run(ctx), &stuck)
		require.Equal(t, 1, stuck.Handlers)
	})
}

func TestClosingTheManagerEndsItsSchedulers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := syncjob.New(memstore.New(nil), syncjob.Config{})
		require.NoError(t, err)
		d := newDiary()
		s, err := cron.New(m, cron.Config{Grace: time.Hour}, cron.Runner{
			Name: "long", Trigger: cron.Trigger{Every: time.Second}, Run: d.run(time.Hour),
		})
		require.NoError(t, err)
		ended := make(chan error)
		go func() { ended <- s.Run(t.Context()) }()
		synctest.Wait()
		require.ErrorIs(t, s.Run(t.Context()), cron.ErrRunning)
		require.False(t, s.Runners()[0].Since.IsZero())
		go func() { _ = m.Close() }()
		require.ErrorIs(t, <-ended, syncjob.ErrClosed)
		require.ErrorIs(t, s.Run(t.Context()), syncjob.ErrClosed)
		require.Zero(t, time.Since(d.start))
	})
}
