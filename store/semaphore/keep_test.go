package semaphore_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/semaphore"
)

// readAndWrite takes one semaphore as a reader, and two as a writer.
func readAndWrite(t *testing.T, sems *semaphore.Semaphores) *semaphore.Leases {
	t.Helper()
	read := acquired(t, sems, "read", &semaphore.Options{TTL: ttl, Max: 5, Holder: "h"})
	written, err := sems.TryAcquireAll(t.Context(), []string{"write/1", "write/2"}, &semaphore.Options{TTL: 2 * ttl, Exclusive: true})
	require.NoError(t, err)
	return semaphore.Join(append(written.All, read)...)
}

var kept = []string{"read", "write/1", "write/2"}

func TestAnySetOfLeasesIsKeptTogether(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		errOver := errors.New("over")
		ctx, cancel := context.WithCancel(t.Context())
		err := readAndWrite(t, sems).Keep(ctx, func(ctx context.Context) error {
			all, ok := semaphore.AllFromContext(ctx)
			require.True(t, ok)
			require.Len(t, all.All, 3)
			first, ok := semaphore.FromContext(ctx)
			require.True(t, ok)
			require.Same(t, all.All[0], first)
			for range 20 {
				time.Sleep(ttl)
				for _, key := range kept {
					require.Equal(t, 1, count(t, sems, key), key)
				}
			}
			cancel()
			<-ctx.Done()
			require.ErrorIs(t, context.Cause(ctx), context.Canceled)
			time.Sleep(3 * ttl) // it takes its time
			for _, key := range kept {
				require.Equal(t, 1, count(t, sems, key), "%s is kept until the function returns", key)
			}
			return errOver
		})
		require.Equal(t, errOver, err)
		for _, key := range kept {
			require.Zero(t, count(t, sems, key), key)
		}
		calls := s.calls.Load()
		time.Sleep(time.Hour)
		require.Equal(t, calls, s.calls.Load(), "nothing is refreshed any more")
	})
}

func TestOneLostLeaseEndsTheOthers(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		for _, key := range kept {
			leases := readAndWrite(t, sems)
			err := leases.Keep(t.Context(), func(ctx context.Context) error {
				n, err := sems.ForceReleaseAll(ctx, key)
				require.NoError(t, err)
				require.Equal(t, 1, n)
				<-ctx.Done()
				require.ErrorIs(t, context.Cause(ctx), store.ErrLeaseLost)
				return nil
			})
			require.ErrorIs(t, err, store.ErrLeaseLost)
			for _, key := range kept {
				require.Zero(t, count(t, sems, key), key)
			}
			called := false
			err = leases.Keep(t.Context(), func(context.Context) error { called = true; return nil })
			require.ErrorIs(t, err, store.ErrLeaseLost)
			require.False(t, called, "what is lost cannot be kept")
		}
	})
}

func TestLeasesAreReleasedHoweverTheirFunctionEnds(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		leases := readAndWrite(t, sems)
		var field *store.FieldError
		require.ErrorAs(t, leases.Keep(t.Context(), nil), &field)
		require.Equal(t, "Fn", field.Field)
		require.PanicsWithValue(t, "broken", func() {
			_ = leases.Keep(t.Context(), func(context.Context) error { panic("broken") })
		})
		for _, key := range kept {
			require.Zero(t, count(t, sems, key), key)
		}
		ended := make(chan struct{})
		again := readAndWrite(t, sems)
		go func() {
			defer close(ended)
			_ = again.Keep(t.Context(), func(context.Context) error { runtime.Goexit(); return nil })
		}()
		<-ended
		for _, key := range kept {
			require.Zero(t, count(t, sems, key), key)
		}
		lease := acquired(t, sems, "alone", one("h"))
		require.NoError(t, lease.Keep(t.Context(), func(context.Context) error { time.Sleep(5 * ttl); return nil }))
		require.Zero(t, count(t, sems, "alone"))
		begun := time.Now()
		err := readAndWrite(t, sems).Keep(t.Context(), func(context.Context) error {
			s.down.Store(true)
			return nil
		})
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.LessOrEqual(t, time.Since(begun), 6*time.Second+time.Millisecond)
		s.down.Store(false)
		time.Sleep(2 * ttl)
		for _, key := range kept {
			require.Zero(t, count(t, sems, key), "%s ends with its time", key)
		}
	})
}

func TestAGateOfSeveralKeysTakesAllOrNone(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		beats := 0
		gate := semaphore.Gate{
			Semaphores: sems, Key: "write/2", Also: []string{"write/1", "read"}, Max: 5, TTL: ttl, Exclusive: true,
			OnHeartbeat: func(time.Time) { beats++ },
		}
		reader := acquired(t, sems, "read", &semaphore.Options{TTL: ttl, Max: 5, Holder: "reader"})
		err := gate.Run(t.Context(), func(context.Context) error { return nil })
		require.ErrorIs(t, err, semaphore.ErrSkipped)
		var taken *semaphore.NotAcquiredError
		require.ErrorAs(t, err, &taken)
		require.Equal(t, "read", taken.Key)
		require.Equal(t, "reader", taken.Holders[0].Holder)
		for _, key := range kept[1:] {
			require.Zero(t, count(t, sems, key), "%s was given back", key)
		}
		require.NoError(t, reader.Release(t.Context()))
		require.NoError(t, gate.Run(t.Context(), func(ctx context.Context) error {
			for range 10 {
				time.Sleep(ttl)
				for _, key := range kept {
					require.Equal(t, 1, count(t, sems, key), key)
					_, err := sems.TryAcquire(ctx, key, &semaphore.Options{Max: 5})
					require.ErrorIs(t, err, semaphore.ErrNotAcquired, "a writer is alone")
				}
			}
			return nil
		}))
		require.GreaterOrEqual(t, beats, 3*3*9, "each of them has its heartbeats")
		for _, key := range kept {
			require.Zero(t, count(t, sems, key), key)
		}
		for _, bad := range []semaphore.Gate{
			{Semaphores: sems, Key: "a", Also: []string{"a"}}, {Semaphores: sems, Key: "a", Also: []string{""}},
		} {
			var field *store.FieldError
			require.ErrorAs(t, bad.Run(t.Context(), func(context.Context) error { return nil }), &field)
			require.Zero(t, count(t, sems, "a"))
		}
	})
}
