package syncjob_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func TestAClosedGateLetsWhatRunsFinishAndFetchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, attributes := range []handlers.Attributes{{}, {MaxRunning: 4}, {Rate: handlers.Rate{Events: 10, Per: time.Second}}} {
			s := memstore.New(&memstore.Options{Partitions: 3})
			var began, asked atomic.Int64
			var open atomic.Bool
			open.Store(true)
			m := managerOn(t, s, limited(t, handlers.SetConfig{}, attributes, func(context.Context, *handlers.Task[leaf]) error {
				began.Add(1)
				time.Sleep(10 * time.Second)
				return nil
			}))
			stop := work(t, m, syncjob.WorkerConfig{Name: "gated", Concurrency: 4, CanRun: func(context.Context) bool {
				asked.Add(1)
				return open.Load()
			}})
			runs := start(t, m, 3, 8)
			time.Sleep(5 * time.Second)
			require.EqualValues(t, 4, began.Load())
			open.Store(false)
			time.Sleep(time.Minute)
			require.EqualValues(t, 4, began.Load(), "what ran has finished, and nothing began")
			workers, err := m.Workers(t.Context())
			require.NoError(t, err)
			require.Len(t, workers, 1)
			require.Zero(t, workers[0].Held, "it holds nothing back")
			before := asked.Load()
			time.Sleep(time.Minute)
			require.InDelta(t, 240, asked.Load()-before, 20, "it is asked four times a second, in all partitions together")

			free := work(t, managerOn(t, s, m.Registry()), syncjob.WorkerConfig{Name: "free", Concurrency: 4})
			time.Sleep(5 * time.Second)
			require.EqualValues(t, 8, began.Load(), "the limit and the tasks are free for others")
			require.NoError(t, free())
			open.Store(true)
			time.Sleep(time.Second)
			require.EqualValues(t, 12, began.Load())
			await(t, runs...)

			open.Store(false)
			done := began.Load()
			runs = nil
			for i := range 3 {
				run, err := m.Start(t.Context(), syncjob.Job{Name: fmt.Sprint("later/", i), Set: "tree", Open: true}, nil)
				require.NoError(t, err)
				_, err = run.EnqueueAll(t.Context(), leaves(4), nil)
				require.NoError(t, err)
				require.NoError(t, run.Seal(t.Context()))
				runs = append(runs, run)
			}
			time.Sleep(time.Minute)
			require.Equal(t, done, began.Load())
			work(t, managerOn(t, s, m.Registry()), syncjob.WorkerConfig{Name: "other", Concurrency: 4})
			time.Sleep(5 * time.Second)
			require.Equal(t, done+4, began.Load(), "a closed worker that saw them wait keeps nothing of the limit")
			await(t, runs...)
			require.NoError(t, stop())
		}
	})
}

func TestAGateThatEndsBadlyIsClosed(t *testing.T) {
	for name, end := range map[string]func(ctx context.Context){
		"panic":  func(context.Context) { panic("broken") },
		"Goexit": func(context.Context) { runtime.Goexit() },
		"blocks": func(context.Context) { time.Sleep(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var bad atomic.Bool
				bad.Store(true)
				var began atomic.Int64
				m := manager(t, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
					began.Add(1)
					return nil
				}))
				run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{3}}, nil)
				require.NoError(t, err)
				stop := work(t, m, syncjob.WorkerConfig{CanRun: func(ctx context.Context) bool {
					if bad.Load() {
						end(ctx)
					}
					return true
				}})
				time.Sleep(30 * time.Second)
				require.Zero(t, began.Load())
				bad.Store(false)
				final, err := run.Wait(t.Context())
				require.NoError(t, err)
				require.Equal(t, states.Succeeded, final.Status)
				require.EqualValues(t, 3, began.Load())
				bad.Store(true)
				begun := time.Now()
				require.NoError(t, stop())
				require.Less(t, time.Since(begun), syncjob.DefaultGrace)
				time.Sleep(2 * time.Minute) // what blocks returns
			})
		})
	}
}

func TestRunOnceWaitsUntilItMayRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		_, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{5}}, nil)
		require.NoError(t, err)
		opens := time.Now().Add(time.Hour)
		w, err := m.NewWorker(syncjob.WorkerConfig{CanRun: func(context.Context) bool { return time.Now().After(opens) }})
		require.NoError(t, err)
		n, err := w.RunOnce(t.Context())
		require.NoError(t, err)
		require.Equal(t, 6, n)
		require.WithinDuration(t, opens, time.Now(), time.Second)
	})
}
