package lifecycle_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
)

func TestClosingARosterEndsWhatRunsAndWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := lifecycle.NewRoster(slog.New(slog.DiscardHandler))
		never := func() { t.Error("it has left") }
		leave, ok := r.Enlist(never, never)
		require.True(t, ok)
		leave()
		ends := make(chan struct{})
		_, ok = r.Enlist(func() { time.AfterFunc(time.Minute, func() { close(ends) }) }, func() { <-ends })
		require.True(t, ok)
		_, ok = r.Enlist(func() {}, func() {
			select {
			case <-r.Closed():
			default:
				t.Error("members learn first that it is closed")
			}
		})
		require.True(t, ok)
		start := time.Now()

		r.Close()

		require.Equal(t, time.Minute, time.Since(start))
		_, ok = r.Enlist(never, never)
		require.False(t, ok, "it is closed")
	})
}

func TestWhoRunsInAContextMayAskForTime(t *testing.T) {
	var asked time.Duration
	ctx := lifecycle.WithStay(t.Context(), func(d time.Duration) { asked = d })
	inner, cancel := context.WithCancel(ctx)
	cancel()
	lifecycle.Stay(inner, time.Minute)
	require.Equal(t, time.Minute, asked)
	lifecycle.Stay(t.Context(), time.Hour) // nobody waits
	require.Equal(t, time.Minute, asked)
}

func TestAPauseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		lifecycle.Pause(ctx, time.Hour)
		require.Equal(t, time.Second, time.Since(start))
		lifecycle.Pause(t.Context(), time.Minute)
		require.Equal(t, time.Minute+time.Second, time.Since(start))
	})
}

func TestAWakeUpIsKeptUntilItIsHeardAndNeverBlocks(t *testing.T) {
	c := make(chan struct{}, 1)
	lifecycle.Wake(c)
	lifecycle.Wake(c)
	<-c
	require.Empty(t, c)
}
