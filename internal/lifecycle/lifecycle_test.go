package lifecycle_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errOver = errors.New("over")

func TestStopCancelsWithItsCauseAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := lifecycle.New(t.Context())
		var cause error
		require.True(t, g.Go(func(ctx context.Context) {
			<-ctx.Done()
			cause = context.Cause(ctx)
			time.Sleep(time.Minute) // takes its time to leave
		}))
		start := time.Now()

		g.Stop(errOver)

		require.Equal(t, errOver, cause)
		require.Equal(t, time.Minute, time.Since(start))
	})
}

func TestWaitLetsGoroutinesFinishUndisturbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := lifecycle.New(t.Context())
		finished := false
		g.Go(func(ctx context.Context) {
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
				finished = true
			}
		})

		g.Wait()

		require.True(t, finished)
		require.Error(t, g.Context().Err(), "the context is released")
	})
}

func TestStopAfterCancelsOnlyWhatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for takes, want := range map[time.Duration]time.Duration{time.Second: time.Second, time.Hour: time.Minute} {
			g := lifecycle.New(t.Context())
			var cause error
			g.Go(func(ctx context.Context) {
				select {
				case <-ctx.Done():
					cause = context.Cause(ctx)
				case <-time.After(takes):
				}
			})
			start := time.Now()
			g.StopAfter(time.Minute, errOver)
			require.Equal(t, want, time.Since(start))
			if takes > time.Minute {
				require.Equal(t, errOver, cause)
			} else {
				require.NoError(t, cause)
			}
		}
	})
}

func TestNothingStartsOnceTheGroupIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := lifecycle.New(t.Context())
		release := make(chan struct{})
		refused := false
		g.Go(func(context.Context) {
			<-release
			refused = !g.Go(func(context.Context) { t.Error("started") })
		})
		waited := make(chan struct{})
		go func() {
			g.Wait()
			close(waited)
		}()
		synctest.Wait() // Wait has begun, and the first goroutine still runs
		close(release)
		<-waited

		require.True(t, refused)
		require.False(t, g.Go(func(context.Context) {}))
	})
}

func TestTheParentEndsTheGroupsContext(t *testing.T) {
	parent, cancel := context.WithCancelCause(t.Context())
	g := lifecycle.New(parent)
	g.Go(func(ctx context.Context) { <-ctx.Done() })

	cancel(errOver)
	g.Wait()

	require.Equal(t, errOver, context.Cause(g.Context()))
}

func TestStopAndWaitMayBeRepeatedAndMixed(t *testing.T) {
	g := lifecycle.New(t.Context())
	g.Go(func(ctx context.Context) { <-ctx.Done() })
	g.Stop(errOver)
	g.Stop(errors.New("again"))
	g.Wait()
	require.Equal(t, errOver, context.Cause(g.Context()), "the first cause stays")
}

func TestEveryGoroutineThatWasAcceptedIsWaitedFor(t *testing.T) {
	g := lifecycle.New(t.Context())
	var accepted, ended atomic.Int64
	var starters sync.WaitGroup
	for range 8 {
		starters.Go(func() {
			for g.Go(func(context.Context) { ended.Add(1) }) {
				accepted.Add(1)
			}
		})
	}
	g.Stop(errOver)
	require.NotPanics(t, g.Wait)
	total := ended.Load()
	starters.Wait()
	require.Equal(t, accepted.Load(), total)
}
