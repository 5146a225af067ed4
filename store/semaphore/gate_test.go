package semaphore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
)

var errRunner = errors.New("runner failed")

// gate is one place with notes of what its callbacks were told.
type gate struct {
	semaphore.Gate
	errs  []error
	beats []time.Time
}

func newGate(sems *semaphore.Semaphores) *gate {
	g := &gate{}
	g.Gate = semaphore.Gate{
		Semaphores: sems, Key: "nightly", TTL: ttl, Holder: "runner",
		OnError:     func(err error) { g.errs = append(g.errs, err) },
		OnHeartbeat: func(deadline time.Time) { g.beats = append(g.beats, deadline) },
	}
	return g
}

func TestAGateRunsUnderALeaseThatItsFunctionSees(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		g := newGate(sems)
		err := g.Run(t.Context(), func(ctx context.Context) error {
			require.Equal(t, 1, count(t, sems, "nightly"))
			lease, ok := semaphore.FromContext(ctx)
			require.True(t, ok)
			require.Equal(t, time.Now().UTC().Add(ttl), lease.Deadline())
			require.Positive(t, lease.Fence)
			return errRunner
		})
		require.Equal(t, errRunner, err)
		require.Equal(t, []error{errRunner}, g.errs)
		require.Zero(t, count(t, sems, "nightly"))
		_, ok := semaphore.FromContext(t.Context())
		require.False(t, ok)
	})
}

// A shutdown may come while a gate asks for a place.
func TestAGateIsSkippedQuietlyWhenItsCallerGivesUp(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		for _, also := range [][]string{nil, {"weekly"}} {
			g := newGate(sems)
			g.Also = also
			ctx, cancel := context.WithCancel(t.Context())
			g.CanRun = func(context.Context) bool { cancel(); return true }
			err := g.Run(ctx, func(context.Context) error { panic("without a lease") })
			require.ErrorIs(t, err, semaphore.ErrSkipped)
			require.ErrorIs(t, err, context.Canceled)
			require.Empty(t, g.errs, "a skip is no failure")
			require.Zero(t, count(t, sems, "nightly"))
		}
		g := newGate(sems)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		g.CanRun = func(context.Context) bool { time.Sleep(2 * time.Second); return true }
		err := g.Run(ctx, func(context.Context) error { panic("without a lease") })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Len(t, g.errs, 1, "a store that does not answer in time is one")
	})
}

func TestAGateBeatsAtAThirdOfItsTimeWithoutAnyProgress(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		g := newGate(sems)
		start := time.Now().UTC()
		err := g.Run(t.Context(), func(ctx context.Context) error {
			time.Sleep(10*ttl + time.Second)
			return ctx.Err()
		})
		require.NoError(t, err)
		require.Len(t, g.beats, 30)
		require.Equal(t, start.Add(ttl/3+ttl), g.beats[0])
		require.Empty(t, g.errs)
	})
}

func TestAGateIsSkippedQuietlyWhenTaken(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		g := newGate(sems)
		acquired(t, sems, "nightly", one("somebody else"))
		err := g.Run(t.Context(), func(context.Context) error { panic("without a lease") })
		require.ErrorIs(t, err, semaphore.ErrSkipped)
		var taken *semaphore.NotAcquiredError
		require.ErrorAs(t, err, &taken)
		require.Equal(t, "somebody else", taken.Holders[0].Holder)
		require.Empty(t, g.errs, "a skip is no failure")
	})
}

func TestAGateAsksItsPredicateBeforeEachRun(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		g := newGate(sems)
		allowed := false
		g.CanRun = func(context.Context) bool { return allowed }
		err := g.Run(t.Context(), func(context.Context) error { panic("not allowed") })
		require.ErrorIs(t, err, semaphore.ErrSkipped)
		require.NotErrorIs(t, err, semaphore.ErrNotAcquired)
		require.Zero(t, s.calls.Load(), "no place is taken for it")
		allowed = true
		require.NoError(t, g.Run(t.Context(), func(context.Context) error { return nil }))
	})
}

func TestAGateObeysReadOnlyModeIfItsPredicateIsWritable(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		m, err := syncjob.New(s, syncjob.Config{})
		require.NoError(t, err)
		defer func() { require.NoError(t, m.Close()) }()
		g := newGate(sems)
		ran := 0
		run := func() error { return g.Run(t.Context(), func(context.Context) error { ran++; return nil }) }

		require.NoError(t, m.SetMode(t.Context(), syncjob.ModeReadOnly))
		require.NoError(t, run(), "nobody told it of the mode")
		g.CanRun = m.Writable
		called := s.calls.Load()
		require.ErrorIs(t, run(), semaphore.ErrSkipped)
		require.Equal(t, called, s.calls.Load(), "no place is taken for it")
		require.Equal(t, 1, ran)

		require.NoError(t, m.SetMode(t.Context(), syncjob.ModeReadWrite))
		require.NoError(t, g.Run(t.Context(), func(ctx context.Context) error {
			require.NoError(t, m.SetMode(t.Context(), syncjob.ModeReadOnly))
			time.Sleep(ttl)
			return ctx.Err() // what runs goes on to its end
		}))
		require.Empty(t, g.errs)
	})
}

func TestGoingThroughOneGateAtOnceReportsAtOnce(t *testing.T) {
	patience, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	met := make(chan struct{})
	g := semaphore.Gate{Semaphores: semaphore.New(memstore.New(nil)), Key: "nightly", Max: 2, Holder: "runner", OnError: func(error) {
		select {
		case met <- struct{}{}:
		case <-met:
		case <-patience.Done():
			t.Error("one report waits for the other")
		}
	}}
	var runs sync.WaitGroup
	for range 2 {
		runs.Go(func() { _ = g.Run(t.Context(), func(context.Context) error { return errRunner }) })
	}
	runs.Wait()
}

func TestALostLeaseCancelsTheRunner(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		g := newGate(sems)
		start := time.Now()
		err := g.Run(t.Context(), func(ctx context.Context) error {
			_, err := sems.ForceReleaseAll(ctx, "nightly")
			require.NoError(t, err)
			<-ctx.Done()
			return context.Cause(ctx)
		})
		require.ErrorIs(t, err, store.ErrLeaseLost)
		require.Equal(t, ttl/3, time.Since(start), "the next heartbeat finds it")
		require.Len(t, g.errs, 3, "heartbeat, runner, release: %v", g.errs)
	})
}

func TestARunnerThatIgnoresTheLossIsReported(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		g := newGate(sems)
		err := g.Run(t.Context(), func(ctx context.Context) error {
			s.down.Store(true)
			<-ctx.Done()
			require.ErrorIs(t, context.Cause(ctx), store.ErrLeaseLost)
			s.down.Store(false)
			time.Sleep(margin)
			acquired(t, sems, "nightly", one("heir")) // the store has ended it, too
			return nil
		})
		require.ErrorIs(t, err, store.ErrLeaseLost)
		require.Equal(t, 1, count(t, sems, "nightly"), "the heir's lease is not touched")
	})
}

func TestALostLeaseIsReportedThoughItsReleaseIsRepeated(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		g := newGate(sems)
		err := g.Run(t.Context(), func(ctx context.Context) error {
			s.down.Store(true)
			<-ctx.Done()
			time.Sleep(time.Minute) // beside whoever got the place
			time.AfterFunc(10*time.Millisecond, func() { s.down.Store(false) })
			return nil
		})
		require.ErrorIs(t, err, store.ErrLeaseLost)

		lease := acquired(t, sems, "nightly", one("a"))
		time.Sleep(ttl - time.Second)
		s.down.Store(true)
		time.AfterFunc(5*time.Second, func() { s.down.Store(false) })
		require.NoError(t, lease.Release(t.Context()), "it was given up in time")
	})
}

func TestHeartbeatsThatFailAreReportedAndMadeAgain(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		g := newGate(sems)
		g.TTL = 4 * time.Minute // longer than one call is repeated
		err := g.Run(t.Context(), func(ctx context.Context) error {
			s.down.Store(true)
			time.Sleep(2 * time.Minute) // one heartbeat
			s.down.Store(false)
			time.Sleep(time.Hour)
			return ctx.Err()
		})
		require.NoError(t, err)
		require.Len(t, g.errs, 1)
		require.ErrorIs(t, g.errs[0], store.ErrUnavailable)
	})
}

func TestTheLeaseIsReleasedWhenTheRunnerPanics(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		g := newGate(sems)
		require.PanicsWithValue(t, "boom", func() {
			_ = g.Run(t.Context(), func(context.Context) error { panic("boom") })
		})
		require.Empty(t, g.errs, "the panic is the caller's")
		require.Zero(t, count(t, sems, "nightly"))
	})
}

func TestTheLeaseIsHeldUntilTheRunnerHasReturnedAndReleasedThoughTheContextEnded(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		g := newGate(sems)
		ctx, cancel := context.WithCancel(t.Context())
		err := g.Run(ctx, func(ctx context.Context) error {
			cancel()
			require.ErrorIs(t, context.Cause(ctx), context.Canceled)
			time.Sleep(5 * ttl) // it drains
			require.Equal(t, 1, count(t, sems, "nightly"))
			return nil
		})
		require.NoError(t, err)
		require.Zero(t, count(t, sems, "nightly"))
	})
}

func TestAFailedReleaseIsReported(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		g := newGate(sems)
		err := g.Run(t.Context(), func(context.Context) error {
			s.down.Store(true)
			return errRunner
		})
		require.ErrorIs(t, err, errRunner)
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.Len(t, g.errs, 2)
		s.down.Store(false)
		require.Equal(t, 1, count(t, sems, "nightly"))
		time.Sleep(ttl)
		require.Zero(t, count(t, sems, "nightly"), "it ends with its time")
	})
}

func TestAGateRefusesBadInput(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		never := func(context.Context) error { panic("called") }
		require.ErrorContains(t, semaphore.Gate{Key: "k"}.Run(t.Context(), never), "Semaphores is nil")
		var bad *store.FieldError
		require.ErrorAs(t, semaphore.Gate{Semaphores: sems}.Run(t.Context(), never), &bad)
		require.Equal(t, "Key", bad.Field)
	})
}

func TestAGateNeverRunsUnderALeaseThatWasGrantedTooLongAgo(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		g := newGate(sems)
		s.lag.Store(int64(ttl))
		err := g.Run(t.Context(), func(context.Context) error { panic("its lease has ended") })
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.NotErrorIs(t, err, semaphore.ErrSkipped)
	})
}
