package syncjob_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

var errCut = errors.New("connection is cut")

// line is a connection to a store that can be cut: then every call of a worker fails
// before it reaches the store. Or it loses replies: then calls fail after it.
type line struct {
	store.Store
	cut   atomic.Bool
	deaf  atomic.Bool  // replies to fetches are lost
	calls atomic.Int64 // of every kind that a worker makes
	every int64        // the reply of every so many calls is lost
}

func through[R any](l *line, call func() (R, error)) (R, error) {
	var none R
	n := l.calls.Add(1)
	if l.cut.Load() {
		return none, store.Transient(errCut)
	}
	r, err := call()
	if err == nil && l.every > 0 && n%l.every == 0 {
		return none, store.Transient(errCut)
	}
	return r, err
}

func (l *line) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	reply, err := through(l, func() (store.FetchReply, error) { return l.Store.Fetch(ctx, p) })
	if err == nil && l.deaf.Load() {
		return store.FetchReply{}, store.Transient(errCut)
	}
	return reply, err
}

func (l *line) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	return through(l, func() (store.SettleReply, error) { return l.Store.Settle(ctx, p) })
}

func (l *line) Heartbeat(ctx context.Context, p store.HeartbeatParams) (store.HeartbeatReply, error) {
	return through(l, func() (store.HeartbeatReply, error) { return l.Store.Heartbeat(ctx, p) })
}

func (l *line) Draw(ctx context.Context, p store.DrawParams) (store.DrawReply, error) {
	return through(l, func() (store.DrawReply, error) { return l.Store.Draw(ctx, p) })
}

func (l *line) Sweep(ctx context.Context, p int) (store.SweepReply, error) {
	return through(l, func() (store.SweepReply, error) { return l.Store.Sweep(ctx, p) })
}

func (l *line) Promote(ctx context.Context, p int) (store.PromoteReply, error) {
	return through(l, func() (store.PromoteReply, error) { return l.Store.Promote(ctx, p) })
}

func (l *line) OpenSession(ctx context.Context, s store.SessionID, info store.WorkerInfo, lease time.Duration) error {
	_, err := through(l, func() (struct{}, error) { return struct{}{}, l.Store.OpenSession(ctx, s, info, lease) })
	return err
}

func TestAWorkerThatLostItsLeaseCancelsItsHandlersAndBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := memstore.New(nil)
		l := &line{Store: shared}
		var causes []error
		var runs atomic.Int64
		reg := set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
			if runs.Add(1) > 1 {
				return nil
			}
			<-ctx.Done()
			causes = append(causes, context.Cause(ctx))
			return nil
		})
		here := managerOn(t, l, reg)
		run, err := here.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		work(t, here, syncjob.WorkerConfig{Name: "here"})
		time.Sleep(10 * time.Second)
		l.cut.Store(true)
		work(t, managerOn(t, shared, reg), syncjob.WorkerConfig{Name: "elsewhere"})
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		require.EqualValues(t, 1, final.Counts.Succeeded)
		require.Zero(t, final.Retried, "a lost worker costs no retry")
		synctest.Wait()
		require.EqualValues(t, 2, runs.Load())
		require.Empty(t, causes, "a worker that hears nothing does not judge by its own clock")

		l.cut.Store(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Len(t, causes, 1)
		require.ErrorIs(t, causes[0], syncjob.ErrLeaseLost)
		workers, err := here.Workers(t.Context())
		require.NoError(t, err)
		require.Len(t, workers, 2, "it has a new session")
	})
}

func TestCountsAreExactThoughRepliesAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{Store: memstore.New(nil), every: 3}
		var ran atomic.Int64
		m := managerOn(t, l, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			ran.Add(1)
			return nil
		}))
		work(t, m, syncjob.WorkerConfig{})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 5000}}, nil)
		require.NoError(t, err)
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 5001, final.Counts.Succeeded)
		require.EqualValues(t, 5000, ran.Load(), "a repeat adopts what the lost reply delivered")
	})
}

func TestAWorkerGoesOnAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{Store: memstore.New(nil)}
		m := managerOn(t, l, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			time.Sleep(10 * time.Millisecond)
			return nil
		}))
		w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 4})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 10000}}, nil)
		require.NoError(t, err)
		for range 5 {
			time.Sleep(2 * time.Second)
			l.cut.Store(true)
			time.Sleep(2 * time.Minute)
			require.Error(t, w.Healthy())
			l.cut.Store(false)
			time.Sleep(5 * time.Second)
			require.NoError(t, w.Healthy())
		}
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 10001, final.Counts.Succeeded)
		cancel()
		require.NoError(t, <-done)
	})
}

func TestShutdownEndsThoughTheStoreDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{Store: memstore.New(nil)}
		m := managerOn(t, l, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			time.Sleep(time.Second)
			return nil
		}))
		_, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		stop := work(t, m, syncjob.WorkerConfig{})
		time.Sleep(time.Millisecond)
		l.cut.Store(true)
		begun := time.Now()
		require.ErrorIs(t, stop(), syncjob.ErrUnavailable)
		require.Less(t, time.Since(begun), time.Minute)
	})
}

func TestShutdownGivesBackWhatALostReplyDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{Store: memstore.New(nil)}
		m := managerOn(t, l, set(t, handlers.SetConfig{}, noop))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		_, err = run.EnqueueAll(t.Context(), leaves(5), nil)
		require.NoError(t, err)
		l.deaf.Store(true)
		stop := work(t, m, syncjob.WorkerConfig{})
		time.Sleep(time.Minute)
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 5, state.Counts.Running, "delivered, but nobody knows")
		require.NoError(t, stop())
		why, err := run.Explain(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 5, why.Run.Counts.Pending)
		require.Zero(t, why.Waiting[0].Recovered, "they are no recovered tasks")
	})
}

func TestAStoreThatRefusesForGoodIsNotAskedInALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{Store: refusing{memstore.New(nil)}}
		m := managerOn(t, l, set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{})
		time.Sleep(time.Minute)
		require.Less(t, l.calls.Load(), int64(1000))
	})
}

// refusing is a store that refuses every fetch.
type refusing struct{ store.Store }

func (refusing) Fetch(context.Context, store.FetchParams) (store.FetchReply, error) {
	return store.FetchReply{}, store.ErrCorrupt
}

func TestRecoveredOfADeadWorkerRunOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		var now, most, ran atomic.Int64
		m := managerOn(t, s, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer now.Add(-1)
			ran.Add(1)
			time.Sleep(time.Second)
			return nil
		}))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		_, err = run.EnqueueAll(t.Context(), leaves(20), nil)
		require.NoError(t, err)
		require.NoError(t, run.Seal(t.Context()))
		dead := store.SessionID{ID: "dead"}
		require.NoError(t, s.OpenSession(t.Context(), dead, store.WorkerInfo{}, time.Second))
		reply, err := s.Fetch(t.Context(), store.FetchParams{
			Session: dead, Number: 1, Max: 20,
			Queues: []store.FetchQueue{{Queue: "default", Routes: []store.Route{{Queue: "default", Set: "tree", Kind: "leaf"}}}},
		})
		require.NoError(t, err)
		require.Len(t, reply.Deliveries, 20)

		work(t, m, syncjob.WorkerConfig{Concurrency: 8})
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 20, final.Counts.Succeeded)
		require.EqualValues(t, 20, ran.Load())
		require.EqualValues(t, 1, most.Load())
	})
}

func TestRecoveredAreNotStarvedByABusyWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		var ended []string
		m := managerOn(t, s, set(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[leaf]) error {
			time.Sleep(10 * time.Microsecond)
			ended = append(ended, task.Run.Job)
			return nil
		}))
		small, err := m.Start(t.Context(), syncjob.Job{Name: "small", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		dead := store.SessionID{ID: "dead"}
		require.NoError(t, s.OpenSession(t.Context(), dead, store.WorkerInfo{}, time.Second))
		_, err = s.Fetch(t.Context(), store.FetchParams{
			Session: dead, Number: 1, Max: 1,
			Queues: []store.FetchQueue{{Queue: "default", Routes: []store.Route{
				{Queue: "default", Set: "tree", Kind: store.KindPreJob}, {Queue: "default", Set: "tree", Kind: "leaf"},
			}}},
		})
		require.NoError(t, err)
		time.Sleep(2 * time.Second)
		_, err = s.Sweep(t.Context(), 0)
		require.NoError(t, err)

		big, err := m.Start(t.Context(), syncjob.Job{Name: "big", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		_, err = big.EnqueueAll(t.Context(), leaves(100_000), nil)
		require.NoError(t, err)
		work(t, m, syncjob.WorkerConfig{Concurrency: 1})
		_, err = small.Wait(t.Context())
		require.NoError(t, err)
		state, err := big.State(t.Context())
		require.NoError(t, err)
		require.Less(t, state.Counts.Succeeded, int64(20_000))
	})
}

// replaceable is a store whose runs can be gone from one moment to the next.
type replaceable struct {
	store.Store
	gone          atomic.Bool
	subscriptions atomic.Int64
}

func (r *replaceable) Run(ctx context.Context, id store.RunID) (store.RunRecord, error) {
	if r.gone.Load() {
		return store.RunRecord{}, store.ErrRunNotFound
	}
	return r.Store.Run(ctx, id)
}

func (r *replaceable) Subscribe(ctx context.Context, fn func(store.Signal)) error {
	r.subscriptions.Add(1)
	return r.Store.Subscribe(ctx, fn)
}
