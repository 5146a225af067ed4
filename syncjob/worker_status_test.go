package syncjob_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// only returns the one worker that lives.
func only(t *testing.T, m *syncjob.Manager) states.Worker {
	t.Helper()
	all, err := m.Workers(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0]
}

// statusUntold is a store of which the worker hears nothing by signals: only by heartbeats.
type statusUntold struct{ store.Store }

func (s *statusUntold) Subscribe(ctx context.Context, fn func(store.Signal)) error {
	return s.Store.Subscribe(ctx, func(sig store.Signal) {
		if sig.Type != signals.Worker {
			fn(sig)
		}
	})
}

func TestAQuietWorkerGivesBackWhatItHasNotBegunAndGoesOnWithTheRest(t *testing.T) {
	for _, signalled := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := memstore.New(nil)
			if !signalled {
				s = &statusUntold{s}
			}
			c := crowd(t, s)
			ref := c.m.Worker(only(t, c.m).Name)
			require.NoError(t, ref.Quiet(t.Context()))
			require.Equal(t, states.WorkerQuiet, only(t, c.m).Status)
			if !signalled {
				time.Sleep(syncjob.DefaultLease / 2) // the next heartbeat
			}
			require.LessOrEqual(t, c.held(), int64(2), "what runs goes on, the rest is given back: %t", signalled)
			before := c.begun.Load()
			c.release()
			time.Sleep(time.Hour)
			require.Equal(t, before, c.begun.Load(), "nothing begins")
			state, err := c.run.State(t.Context())
			require.NoError(t, err)
			require.Equal(t, before, state.Counts.Succeeded, "what ran has ended well")
			require.Zero(t, state.Retried, "what is given back is no attempt")
			require.NoError(t, c.run.Seal(t.Context()))
			resumed := time.Now()
			require.NoError(t, ref.Resume(t.Context()))
			await(t, c.run)
			require.EqualValues(t, crowdSize, c.begun.Load())
			require.True(t, !signalled || time.Since(resumed) < 500*time.Millisecond, "it is told to go on")
			require.Equal(t, states.WorkerActive, only(t, c.m).Status)
		})
	}
}

func TestTasksOfQuietWorkersAreUnservedAndExplainSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managerOn(t, memstore.New(&memstore.Options{Partitions: 3}), set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{Name: "one"})
		stop := work(t, m, syncjob.WorkerConfig{Name: "two"})
		synctest.Wait()
		require.NoError(t, m.Worker("one").Quiet(t.Context()))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		await(t, run)
		require.NoError(t, stop())
		run, err = m.Start(t.Context(), syncjob.Job{Name: "b", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		why, err := run.Explain(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"each live worker that serves leaf on queue default of set tree is quiet or draining"}, why.Waiting[0].HeldBack)
		require.Equal(t, []int{0, 1}, []int{why.Waiting[0].Workers, why.Waiting[0].Quiet})
		queues, err := m.Queues(t.Context())
		require.NoError(t, err)
		require.True(t, queues[0].Unserved)
		require.NoError(t, m.Worker("one").Resume(t.Context()))
		await(t, run)
	})
}

// runs starts a worker, and returns what its Run will.
func runs(ctx context.Context, t *testing.T, m *syncjob.Manager, cfg syncjob.WorkerConfig) <-chan error {
	t.Helper()
	w, err := m.NewWorker(cfg)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	synctest.Wait()
	return done
}

func TestADrainedWorkerEndsWhenNothingRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var release atomic.Pointer[chan struct{}]
		m := managerOn(t, memstore.New(&memstore.Options{Partitions: 3}), set(t, handlers.SetConfig{},
			func(context.Context, *handlers.Task[leaf]) error {
				<-*release.Load()
				return nil
			}))
		for _, resumed := range []bool{false, true} {
			gate := make(chan struct{})
			release.Store(&gate)
			done := runs(t.Context(), t, m, syncjob.WorkerConfig{Name: "w", Grace: syncjob.NoGrace})
			run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
			require.NoError(t, err)
			synctest.Wait()
			ctx := syncjob.WithReason(syncjob.WithActor(t.Context(), "ann"), "a new disk")
			require.NoError(t, m.Worker("w").Drain(ctx))
			require.NoError(t, m.Worker("w").Drain(ctx), "a repeat")
			require.Equal(t, states.WorkerDraining, only(t, m).Status)
			time.Sleep(time.Hour)
			require.Empty(t, done, "a handler has as long as it needs")
			if resumed {
				require.NoError(t, m.Worker("w").Resume(ctx))
				time.Sleep(time.Minute)
				close(gate)
				await(t, run)
				time.Sleep(time.Hour)
				require.Empty(t, done)
				require.NoError(t, m.Worker("w").Drain(ctx))
			} else {
				close(gate)
				await(t, run)
			}
			require.Equal(t, syncjob.ErrDrained, <-done)
			workers, err := m.Workers(t.Context())
			require.NoError(t, err)
			require.Empty(t, workers)
			lost, err := m.LostWorkers(t.Context())
			require.NoError(t, err)
			require.Empty(t, lost)
			require.ErrorIs(t, m.Worker("w").Resume(ctx), syncjob.ErrWorkerNotFound)
		}
		var said []actions.Action
		for e, err := range m.Audit(t.Context(), &syncjob.AuditOptions{By: "ann"}) {
			require.NoError(t, err)
			require.Equal(t, []string{"worker w", "a new disk"}, []string{e.Subject, e.Reason})
			said = append(said, e.Action)
		}
		require.Equal(t, []actions.Action{actions.Drain, actions.Resume, actions.Drain, actions.Drain}, said)
	})
}

func TestAWorkerThatIsToldToEndInTwoWaysEndsByTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
			<-ctx.Done()
			return ctx.Err()
		}))
		ctx, cancel := context.WithCancel(t.Context())
		done := runs(ctx, t, m, syncjob.WorkerConfig{Name: "w"})
		_, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		synctest.Wait()
		cancel()
		time.Sleep(time.Second)
		require.NoError(t, m.Worker("w").Drain(t.Context()), "it shuts down already")
		require.NoError(t, <-done)

		ctx, cancel = context.WithCancel(t.Context())
		done = runs(ctx, t, m, syncjob.WorkerConfig{Name: "w"})
		synctest.Wait()
		require.NoError(t, m.Worker("w").Drain(t.Context()))
		cancel()
		require.NoError(t, <-done, "it had a task to run when its context ended")
	})
}

func TestAWorkerWithoutWorkDrainsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managerOn(t, memstore.New(&memstore.Options{Partitions: 4}), set(t, handlers.SetConfig{}, noop))
		done := runs(t.Context(), t, m, syncjob.WorkerConfig{Name: "w"})
		time.Sleep(time.Minute)
		from := time.Now()
		require.NoError(t, m.Worker("w").Drain(t.Context()))
		require.Equal(t, syncjob.ErrDrained, <-done)
		require.Less(t, time.Since(from), 100*time.Millisecond)
	})
}

func TestAQuietWorkerStaysQuietWhenItsSessionsAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: 2})
		m := managerOn(t, s, set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{Name: "w"})
		synctest.Wait()
		require.NoError(t, m.Worker("w").Quiet(t.Context()))
		time.Sleep(time.Second)
		for partition := range 2 {
			live, err := s.LiveSessions(t.Context(), partition)
			require.NoError(t, err)
			require.NoError(t, s.CloseSession(t.Context(), store.SessionID{Partition: partition, ID: live[0].ID}))
		}
		err := m.Worker("w").Quiet(t.Context())
		require.ErrorIs(t, err, syncjob.ErrWorkerNotFound, "it has no session now")
		time.Sleep(time.Minute)
		state := only(t, m)
		require.Equal(t, states.WorkerQuiet, state.Status)
		require.False(t, state.Partial)
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		counts, err := run.State(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, counts.Counts.Pending)
		require.NoError(t, m.Worker("w").Resume(t.Context()))
		await(t, run)
	})
}

// halfTold is a store of which partition 1 cannot be told of a status while it is shut, or loses the
// replies.
type halfTold struct {
	store.Store
	shut, deaf atomic.Bool
}

func (s *halfTold) SetWorkerStatus(ctx context.Context, p store.WorkerStatusParams) error {
	if p.Session.Partition == 1 && s.shut.Load() {
		return store.Transient(errCut)
	}
	err := s.Store.SetWorkerStatus(ctx, p)
	if s.deaf.Swap(false) {
		return store.Transient(errCut)
	}
	return err
}

func TestARequestThatDoesNotReachAllPartitionsIsPartial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &halfTold{Store: memstore.New(&memstore.Options{Partitions: 3})}
		m := managerOn(t, s, set(t, handlers.SetConfig{}, noop))
		done := runs(t.Context(), t, m, syncjob.WorkerConfig{Name: "w"})
		s.shut.Store(true)
		err := m.Worker("w").Drain(t.Context())
		var partial *syncjob.PartialError
		require.ErrorAs(t, err, &partial)
		require.Equal(t, []int{1}, partial.Partitions)
		time.Sleep(time.Hour)
		require.Empty(t, done, "it is not drained")
		state := only(t, m)
		require.True(t, state.Partial)
		require.Equal(t, states.WorkerActive, state.Status)
		s.shut.Store(false)

		live, err := s.LiveSessions(t.Context(), 2)
		require.NoError(t, err)
		require.NoError(t, s.CloseSession(t.Context(), store.SessionID{Partition: 2, ID: live[0].ID}))
		err = m.Worker("w").Quiet(t.Context())
		require.ErrorAs(t, err, &partial)
		require.Equal(t, []int{2}, partial.Partitions, "it has no session there")
		require.ErrorIs(t, err, syncjob.ErrWorkerNotFound)
		time.Sleep(time.Minute)

		s.deaf.Store(true)
		require.NoError(t, m.Worker("w").Drain(t.Context()), "a lost reply is no matter")
		require.ErrorIs(t, <-done, syncjob.ErrDrained)
	})
}

func TestAReferenceMeansAllWorkersOfANameOrTheOneOfAnID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managerOn(t, memstore.New(&memstore.Options{Partitions: 2}), set(t, handlers.SetConfig{}, noop))
		for range 3 {
			work(t, m, syncjob.WorkerConfig{Name: "group"})
			time.Sleep(time.Second)
		}
		statuses := func() (all []states.WorkerStatus) {
			states, err := m.Worker("group").States(t.Context())
			require.NoError(t, err)
			for _, s := range states {
				require.False(t, s.Partial)
				all = append(all, s.Status)
			}
			return all
		}
		workers, err := m.Worker("group").States(t.Context())
		require.NoError(t, err)
		one := m.Worker(workers[1].ID)
		require.NoError(t, one.Quiet(t.Context()))
		require.Equal(t, []states.WorkerStatus{states.WorkerActive, states.WorkerQuiet, states.WorkerActive}, statuses())
		own, err := one.States(t.Context())
		require.NoError(t, err)
		require.Equal(t, workers[1].ID, own[0].ID)
		require.NoError(t, m.Worker("group").Quiet(t.Context()))
		require.Equal(t, []states.WorkerStatus{states.WorkerQuiet, states.WorkerQuiet, states.WorkerQuiet}, statuses())
		require.ErrorIs(t, m.Worker("nobody").Quiet(t.Context()), syncjob.ErrWorkerNotFound)
		require.ErrorIs(t, m.Worker("").Drain(t.Context()), syncjob.ErrWorkerNotFound)
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, m.Worker("group").Resume(canceled), context.Canceled)
		require.NoError(t, m.Worker("group").Resume(t.Context()))
	})
}

func TestAQuietWorkerKeepsTheClusterGoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{Name: "w"})
		synctest.Wait()
		require.NoError(t, m.Worker("w").Quiet(t.Context()))
		_, err := m.Ensure(t.Context(), syncjob.Job{Name: "often", Set: "tree", Root: leaf{}, Schedule: &schedule.Schedule{Every: time.Minute}})
		require.NoError(t, err)
		time.Sleep(90 * time.Second)
		begun, err := m.JobRuns(t.Context(), "often")
		require.NoError(t, err)
		run := begun[0]
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, state.Counts.Pending, "its run began, and waits")
		require.NoError(t, m.Worker("w").Resume(t.Context()))
		await(t, run)
	})
}

func TestRunOnceOfADrainedWorkerSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m *syncjob.Manager
		m = manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
			err := m.Worker("w").Drain(ctx)
			time.Sleep(time.Second)
			return err
		}))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		_, err = run.EnqueueAll(t.Context(), leaves(3), nil)
		require.NoError(t, err)
		w, err := m.NewWorker(syncjob.WorkerConfig{Name: "w", Concurrency: 1})
		require.NoError(t, err)
		n, err := w.RunOnce(t.Context())
		require.ErrorIs(t, err, syncjob.ErrDrained)
		require.Equal(t, 1, n)
	})
}
