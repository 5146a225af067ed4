package semaphore_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/semaphore"
)

func TestNobodyToldOfALossFindsAContextAlive(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		for i := range 200 {
			keys := []string{fmt.Sprint("a", i), fmt.Sprint("b", i)}
			ls, err := sems.TryAcquireAll(t.Context(), keys, one("h"))
			require.NoError(t, err)
			_, err = sems.ForceReleaseAll(t.Context(), keys[i%2])
			require.NoError(t, err)
			require.ErrorIs(t, ls.Refresh(t.Context()), store.ErrLeaseLost)
			require.ErrorIs(t, context.Cause(ls.Context()), store.ErrLeaseLost)
		}
	})
}

func TestAGateRefusesANilFunctionByField(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, s *flaky) {
		var bad *store.FieldError
		require.ErrorAs(t, newGate(sems).Run(t.Context(), nil), &bad)
		require.Equal(t, "Fn", bad.Field)
		require.Zero(t, s.calls.Load())
	})
}

func TestAHolderIsMeasuredInCharacters(t *testing.T) {
	inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
		acquired(t, sems, "k", one(strings.Repeat("漢", bounds.MaxHolderLen)))
		_, err := sems.TryAcquire(t.Context(), "l", one(strings.Repeat("é", bounds.MaxHolderLen+1)))
		var bad *store.FieldError
		require.ErrorAs(t, err, &bad)
		require.Equal(t, store.FieldError{Field: "Holder", Reason: "is longer than 256 characters"}, *bad)
	})
}

func TestAGateReleasesItsLeaseHoweverItsFunctionEnds(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("broken") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			inMemory(t, func(t *testing.T, sems *semaphore.Semaphores, _ *flaky) {
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					defer func() { _ = recover() }() // as the caller might
					_ = newGate(sems).Run(t.Context(), func(context.Context) error { end(); return nil })
				}()
				<-ended
				require.Zero(t, count(t, sems, "nightly"))
			})
		})
	}
}
