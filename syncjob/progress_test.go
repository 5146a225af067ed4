package syncjob_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// countedBeats counts heartbeats, and those that carried progress.
type countedBeats struct {
	store.Store
	all, reporting atomic.Int64
}

func (s *countedBeats) Heartbeat(ctx context.Context, p store.HeartbeatParams) (store.HeartbeatReply, error) {
	s.all.Add(1)
	if len(rules.Reporting(p.Running)) > 0 {
		s.reporting.Add(1)
	}
	return s.Store.Heartbeat(ctx, p)
}

func TestProgressIsSeenWhileItMovesAndGoesWithItsTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const turns = 10_000 // of a millisecond each
		s := &countedBeats{Store: memstore.New(nil)}
		m := managerOn(t, s, set(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[leaf]) error {
			for i := range int64(turns) {
				time.Sleep(time.Millisecond)
				task.Progress(ctx, i+1, turns, fmt.Sprintf("turn\t%d", i+1))
			}
			time.Sleep(time.Minute) // without another report
			return nil
		}))
		work(t, m, syncjob.WorkerConfig{Concurrency: 2})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		var seen []int64
		for state, err := range run.Watch(t.Context()) {
			require.NoError(t, err)
			for _, r := range state.Reporting {
				require.False(t, state.Status.Final())
				require.Equal(t, "root", r.ID)
				require.EqualValues(t, turns, r.Progress.Total)
				require.Equal(t, fmt.Sprintf("turn %d", r.Progress.Done), r.Progress.Message)
				seen = append(seen, r.Progress.Done)
			}
			if n := len(state.Reporting); n > 0 && state.Reporting[0].Progress.Done == turns {
				x, err := run.Explain(t.Context())
				require.NoError(t, err)
				require.Contains(t, x.String(), "10000 of 10000, turn 10000")
				workers, err := m.Workers(t.Context())
				require.NoError(t, err)
				require.EqualValues(t, turns, workers[0].Running[0].Progress.Done)
			}
		}
		require.IsIncreasing(t, seen)
		require.EqualValues(t, turns, seen[len(seen)-1])
		require.GreaterOrEqual(t, len(seen), 9, "about one a second")
		require.LessOrEqual(t, len(seen), 12)
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.Empty(t, state.Reporting)
	})
}

func TestAnEndedReportLeavesARunThatGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[leaf]) error {
			if task.Args.I == 0 {
				task.Progress(ctx, 1, 0, "")
				time.Sleep(3 * time.Second)
				return nil
			}
			time.Sleep(time.Minute)
			return nil
		}))
		work(t, m, syncjob.WorkerConfig{Concurrency: 4})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 2}}, nil)
		require.NoError(t, err)
		reporting := func() []states.RunningTask {
			state, err := run.State(t.Context())
			require.NoError(t, err)
			return state.Reporting
		}
		time.Sleep(1500 * time.Millisecond)
		require.Len(t, reporting(), 1)
		time.Sleep(4 * time.Second)
		require.Empty(t, reporting())
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
	})
}

func TestWithoutProgressHeartbeatsStayAtAThirdOfTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &countedBeats{Store: memstore.New(nil)}
		m := managerOn(t, s, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			time.Sleep(10 * time.Minute)
			return nil
		}))
		work(t, m, syncjob.WorkerConfig{Concurrency: 1, Lease: 15 * time.Second})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		require.Zero(t, s.reporting.Load())
		require.InDelta(t, 120, s.all.Load(), 20)
	})
}
