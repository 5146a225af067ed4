package syncjob_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func TestWatchYieldsChangesAtAnEasyPaceAndEndsWithTheFinalOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			time.Sleep(10 * time.Millisecond)
			return nil
		}))
		work(t, m, syncjob.WorkerConfig{Concurrency: 1})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 1000}}, nil)
		require.NoError(t, err)
		begun := time.Now()
		var seen []states.Run
		for s, err := range run.Watch(t.Context()) {
			require.NoError(t, err)
			require.True(t, s.Counts.Balanced())
			seen = append(seen, s)
		}
		seconds := time.Since(begun).Seconds()
		require.InDelta(t, 10, seconds, 1)
		require.Greater(t, len(seen), 20)
		require.Less(t, len(seen), 60)
		last := seen[len(seen)-1]
		require.Equal(t, states.Succeeded, last.Status)
		middle := seen[len(seen)/2]
		require.InDelta(t, 100, middle.Rate, 20)
		require.InDelta(t, float64(middle.Counts.Remaining())*0.01, middle.ETA.Seconds(), 2)
	})
}

func TestWatchIsSilentWhileNothingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		snapshots := 0
		for _, err := range run.Watch(ctx) {
			if err != nil {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				break
			}
			snapshots++
		}
		require.Equal(t, 1, snapshots)
	})
}

func TestARunThatVanishesIsLostNotDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flushed := &replaceable{Store: memstore.New(nil)}
		m := managerOn(t, flushed, set(t, handlers.SetConfig{}, noop))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		time.AfterFunc(time.Minute, func() { flushed.gone.Store(true) })
		_, err = run.Wait(t.Context())
		require.ErrorIs(t, err, syncjob.ErrStateLost)
		_, err = m.Run("a", run.Number()).Wait(t.Context())
		require.ErrorIs(t, err, syncjob.ErrRunNotFound)
		require.NotErrorIs(t, err, syncjob.ErrStateLost)
	})
}

func TestManyWaitersShareOneSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counted := &replaceable{Store: memstore.New(nil)}
		m := managerOn(t, counted, set(t, handlers.SetConfig{}, noop))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 10}}, nil)
		require.NoError(t, err)
		done := make(chan error)
		for range 20 {
			go func() { _, err := run.Wait(t.Context()); done <- err }()
		}
		synctest.Wait()
		work(t, m, syncjob.WorkerConfig{})
		for range 20 {
			require.NoError(t, <-done)
		}
		require.EqualValues(t, 1, counted.subscriptions.Load())
	})
}
