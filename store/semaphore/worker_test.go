package semaphore_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

type batchArgs struct{ Tasks int }

func (batchArgs) Kind() string { return "batch" }

type itemArgs struct{ Number int }

func (itemArgs) Kind() string { return "item" }

// fleet is a number of processes that want to work, of which a gate lets some.
type fleet struct {
	running, most atomic.Int64 // handlers at a time
	ran           atomic.Int64
}

func (f *fleet) registry(t *testing.T) *handlers.Registry {
	set := handlers.NewSet("set", handlers.SetConfig{})
	handlers.Handle(set, func(ctx context.Context, task *handlers.Task[batchArgs]) error {
		for n := range task.Args.Tasks {
			if _, err := task.Enqueue(ctx, itemArgs{n}, nil); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	handlers.Handle(set, func(ctx context.Context, _ *handlers.Task[itemArgs]) error {
		now := f.running.Add(1)
		defer f.running.Add(-1)
		for most := f.most.Load(); now > most && !f.most.CompareAndSwap(most, now); most = f.most.Load() {
		}
		select {
		case <-time.After(time.Second):
			f.ran.Add(1)
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}, nil)
	registry, err := handlers.NewRegistry(set)
	require.NoError(t, err)
	return registry
}

func TestAGatedWorkerRunsInSoManyProcessesAndTheNextTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const processes, places, each, tasks = 4, 2, 3, 300
		s, f := memstore.New(nil), &fleet{}
		sems := semaphore.New(s)
		var managers []*syncjob.Manager
		var stops []context.CancelFunc
		var skips, runs atomic.Int64
		group := lifecycle.New(t.Context())
		for i := range processes {
			m, err := syncjob.New(s, syncjob.Config{Registry: f.registry(t)})
			require.NoError(t, err)
			managers = append(managers, m)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			stops = append(stops, stop)
			gate := semaphore.Gate{Semaphores: sems, Key: "workers", Max: places, TTL: 10 * time.Second, Holder: fmt.Sprint("process ", i)}
			group.Go(func(context.Context) {
				for ctx.Err() == nil {
					w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: each, Grace: 5 * time.Second})
					require.NoError(t, err)
					switch err := gate.Run(ctx, w.Run); {
					case errors.Is(err, semaphore.ErrSkipped):
						skips.Add(1)
					case err == nil:
						runs.Add(1)
					default:
						t.Error(err)
					}
					time.Sleep(time.Second)
				}
			})
		}
		run, err := managers[0].Start(t.Context(), syncjob.Job{Name: "job", Set: "set", Root: batchArgs{tasks}}, nil)
		require.NoError(t, err)
		time.Sleep(10 * time.Second)
		require.Equal(t, places, count(t, sems, "workers"))
		holders, err := sems.Holders(t.Context(), "workers")
		require.NoError(t, err)
		for i := range processes { // one that works is stopped: another takes its place
			if holders[0].Holder == fmt.Sprint("process ", i) {
				stops[i]()
			}
		}
		time.Sleep(5 * time.Second)
		require.Equal(t, places, count(t, sems, "workers"))

		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		require.EqualValues(t, tasks, f.ran.Load())
		require.EqualValues(t, places*each, f.most.Load(), "at most %d processes × %d tasks", places, each)
		require.Positive(t, skips.Load())
		for _, stop := range stops {
			stop()
		}
		group.Wait()
		require.EqualValues(t, 3, runs.Load(), "two worked, and one more when the first was stopped")
		for _, m := range managers {
			require.NoError(t, m.Close())
		}
		require.NoError(t, s.Close())
	})
}
