package syncjob_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/events"
	"github.com/rollcall-go/rollcall/syncjob/observe"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func TestThatARunBecameHeldIsToldEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failing, broken atomic.Bool // tasks, and the hook
		log := newRecorded()
		var told []string
		cfg := handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries}}
		cfg.Hooks.PostJob = func(context.Context, *handlers.Run) error {
			if broken.Load() {
				return handlers.Permanent(errors.New("mail server is down"))
			}
			return nil
		}
		reg := set(t, cfg, func(context.Context, *handlers.Task[leaf]) error {
			if failing.Load() {
				return errCut
			}
			return nil
		})
		m, err := syncjob.New(memstore.New(nil), syncjob.Config{
			Registry: reg, Logger: slog.New(log), Observer: observe.Observer{
				RunHeld: func(_ context.Context, s states.Run) { told = append(told, "held "+s.HookErr) },
				RunDone: func(_ context.Context, s states.Run) { told = append(told, string(s.Status)) },
			},
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, m.Close()) }()
		stop := work(t, m, syncjob.WorkerConfig{})
		require.NoError(t, err)
		job := syncjob.Job{Name: "import", Set: "tree", Open: true, OnFailure: syncjob.OnFailureHold}
		run, err := m.Start(t.Context(), job, nil)
		require.NoError(t, err)
		expect := func(want ...string) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			require.Equal(t, want, told)
			told = nil
		}
		failing.Store(true)
		broken.Store(true)
		_, err = run.EnqueueAll(t.Context(), leaves(3), nil)
		require.NoError(t, err)
		expect() // it is open
		require.NoError(t, run.Seal(t.Context()))
		expect("held ")
		require.NoError(t, run.Seal(t.Context()))
		expect() // it was sealed
		_, err = run.Retry(t.Context(), nil)
		require.NoError(t, err)
		expect("held ")
		failing.Store(false)
		_, err = run.Retry(t.Context(), nil)
		require.NoError(t, err)
		expect("held mail server is down")
		require.NoError(t, run.RepeatPostJob(t.Context()))
		expect("held mail server is down")
		broken.Store(false)
		require.NoError(t, run.RepeatPostJob(t.Context()))
		expect("succeeded")
		require.NoError(t, stop())
		said := 0
		for _, r := range log.list {
			if r.message == events.RunHeld {
				said++
				require.Equal(t, "INFO", r.level)
				require.Contains(t, r.text, " set=tree status=")
			}
		}
		require.Equal(t, 4, said)
	})
}

// The watchers of everything, and of a run, hear of it.
func TestAWatcherSeesThatARunIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHolding(t, memstore.New(nil))
		work(t, h.m, syncjob.WorkerConfig{})
		run, err := h.m.Start(t.Context(), held, nil)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for topic, err := range h.m.Watch(ctx) {
			require.NoError(t, err)
			if !topic.IsAbout(run) {
				continue
			}
			s, err := run.State(ctx)
			require.NoError(t, err)
			if s.Held {
				break
			}
		}
	})
}

func TestAnObserverOfHeldRunsEndsNothing(t *testing.T) {
	for _, way := range []string{"panic", "Goexit", "block"} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				defer func() { close(release); synctest.Wait() }()
				end := badEnds[way]
				if way == "block" {
					end = func() { <-release }
				}
				m, err := syncjob.New(memstore.New(nil), syncjob.Config{
					Registry: set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
						return handlers.Permanent(errCut)
					}),
					Observer: observe.Observer{RunHeld: func(context.Context, states.Run) { end() }},
				})
				require.NoError(t, err)
				defer func() { require.NoError(t, m.Close()) }()
				stop := work(t, m, syncjob.WorkerConfig{Concurrency: 1})
				for range 2 {
					run, err := m.Start(t.Context(), held, nil)
					require.NoError(t, err)
					time.Sleep(time.Minute)
					require.NoError(t, run.Accept(t.Context()))
					final, err := run.Wait(t.Context())
					require.NoError(t, err)
					require.Equal(t, statuses.Failed, final.Status)
				}
				require.NoError(t, stop())
			})
		})
	}
}
