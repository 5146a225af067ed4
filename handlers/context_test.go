package handlers_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

type key struct{}

// underAMinute runs fn as a handler with a timeout of one minute.
func underAMinute(t *testing.T, parent context.Context, fn func(ctx context.Context)) {
	t.Helper()
	r := registry(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[scanArgs]) error {
		fn(ctx)
		return nil
	}, &handlers.KindOptions{Attributes: handlers.Attributes{Timeout: time.Minute}})
	executeScan(parent, r, store.Task{})
}

func TestTheEndShowsWithoutDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		underAMinute(t, t.Context(), func(ctx context.Context) {
			require.NoError(t, ctx.Err())
			time.Sleep(time.Minute - 1)
			require.NoError(t, ctx.Err())
			require.NoError(t, context.Cause(ctx))
			time.Sleep(1)
			require.ErrorIs(t, context.Cause(ctx), handlers.ErrTimeout)
			require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
			<-ctx.Done()
		})
	})
}

func TestDerivedContextsEndWithTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var derived context.Context
		parent := context.WithValue(t.Context(), key{}, "inherited")
		underAMinute(t, parent, func(ctx context.Context) {
			var cancel context.CancelFunc
			derived, cancel = context.WithTimeout(context.WithValue(ctx, key{}, "mine"), time.Hour)
			t.Cleanup(cancel)
			require.Equal(t, "inherited", ctx.Value(key{}))
			time.Sleep(time.Second)
			require.NoError(t, derived.Err())
		})
		<-derived.Done()
		require.ErrorIs(t, derived.Err(), context.Canceled)
		_, ok := handlers.FromContext(derived)
		require.True(t, ok)

		underAMinute(t, parent, func(ctx context.Context) {
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			<-derived.Done()
			require.ErrorIs(t, context.Cause(derived), handlers.ErrTimeout)
		})
	})
}

func TestTheContextHasEndedWhenTheHandlerHasReturned(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"timeout": time.Minute, "none": handlers.NoTimeout} {
		t.Run(name, func(t *testing.T) {
			for _, use := range []func(context.Context){
				func(context.Context) {},
				func(ctx context.Context) { ctx.Done() },
			} {
				var kept context.Context
				r := registry(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[scanArgs]) error {
					kept = ctx
					use(ctx)
					_, ok := ctx.Deadline()
					require.Equal(t, timeout > 0, ok)
					return ctx.Err()
				}, &handlers.KindOptions{Attributes: handlers.Attributes{Timeout: timeout}})
				require.Equal(t, verdicts.Success, executeScan(t.Context(), r, store.Task{}).Verdict)
				require.ErrorIs(t, kept.Err(), context.Canceled)
				<-kept.Done()
			}
		})
	}
}

func TestAnEarlierDeadlineOfTheParentHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		underAMinute(t, parent, func(ctx context.Context) {
			deadline, ok := ctx.Deadline()
			require.True(t, ok)
			require.Equal(t, start.Add(time.Second), deadline)
			<-ctx.Done()
			require.Equal(t, time.Second, time.Since(start))
			require.NotErrorIs(t, context.Cause(ctx), handlers.ErrTimeout)
		})
	})
}
