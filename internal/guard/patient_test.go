package guard_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/guard"
)

func TestWhatBlocksHoldsUpItsCallerOnceAndTellsWhatItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var missed []error
		heard := 0
		p := &guard.Patient{Late: func(err error) { missed = append(missed, err) }}
		for range 2 { // it recovers
			release := make(chan struct{})
			start := time.Now()
			err := guard.Tell(p, func(int) { <-release }, 1)
			require.EqualError(t, err, "has not returned after 1s: until it does, further calls are dropped")
			for range 3 {
				require.NoError(t, guard.Tell(p, func(int) { heard++ }, 2))
			}
			require.Equal(t, guard.Patience, time.Since(start))
			require.True(t, p.Blocked())
			close(release)
			synctest.Wait()
			require.False(t, p.Blocked())
			require.NoError(t, guard.Tell(p, func(int) { heard++ }, 3))
		}
		require.Equal(t, []error{&guard.DroppedError{Calls: 3}, &guard.DroppedError{Calls: 3}}, missed)
		require.Equal(t, 2, heard)
	})
}

func TestWhatTakesItsTimeIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &guard.Patient{Limit: time.Minute}
		called, err := p.Apart(func() error {
			time.Sleep(59 * time.Second)
			return errPlain
		})
		require.True(t, called)
		require.Equal(t, errPlain, err)
	})
}

func TestUntilTheContextEnds(t *testing.T) {
	require.Equal(t, errPlain, guard.Until(t.Context(), func() error { return errPlain }))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errPlain) })
		release := make(chan struct{})
		defer close(release)
		require.Equal(t, errPlain, guard.Until(ctx, func() error {
			<-release
			return nil
		}))
	})
}

// slow is a handler that blocks at one word.
type slow struct {
	slog.Handler
	release chan struct{}
}

func (s slow) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "block" {
		<-s.release
	}
	return s.Handler.Handle(ctx, r)
}

func TestALogHandlerThatBlocksIsToldWhatItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		h := slow{slog.NewTextHandler(&out, nil), make(chan struct{})}
		l := guard.Logger(slog.New(h))
		start := time.Now()
		l.Info("block")
		for range 3 {
			l.Info("lost")
		}
		require.Equal(t, guard.Patience, time.Since(start))
		require.False(t, guard.Enabled(t.Context(), l, slog.LevelError))
		close(h.release)
		synctest.Wait()
		l.Info("heard")
		require.NotContains(t, out.String(), "lost")
		require.Contains(t, out.String(), "3 calls were dropped")
		require.Contains(t, out.String(), "heard")
	})
}
