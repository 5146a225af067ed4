package handlers_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

func TestTheResultOfAPostJobHookEndsItsRun(t *testing.T) {
	out := executeHook(t.Context(), t, store.KindPostJob, func(_ context.Context, r *handlers.Run) error {
		require.NoError(t, r.SetResult("first"))
		require.NoError(t, r.SetResult(map[string]int{"files": 3}))
		for problem, v := range map[string]any{"cannot be encoded": func() {}, "takes 65538 bytes": strings.Repeat("x", bounds.MaxResultLen)} {
			err := r.SetResult(v)
			require.ErrorIs(t, err, store.ErrInvalid)
			require.ErrorContains(t, err, "Result "+problem)
		}
		return r.SetResult(map[string]int{"files": 4})
	}, store.Task{})
	require.Equal(t, store.VerdictHookDone, out.Verdict)
	require.JSONEq(t, `{"files":4}`, string(out.Result))
}

func TestAHookThatDoesNotCompleteLeavesNoResult(t *testing.T) {
	for _, err := range []error{errBroken, handlers.Permanent(errBroken)} {
		out := executeHook(t.Context(), t, store.KindPostJob, func(_ context.Context, r *handlers.Run) error {
			require.NoError(t, r.SetResult(1))
			return err
		}, store.Task{})
		require.Nil(t, out.Result)
	}
}

func TestOnlyPostJobSetsAResult(t *testing.T) {
	out := executeHook(t.Context(), t, store.KindPreJob, func(_ context.Context, r *handlers.Run) error {
		return handlers.Permanent(r.SetResult(1))
	}, store.Task{})
	require.Equal(t, store.VerdictAbort, out.Verdict)
	require.Equal(t, "Result can only be set by PostJob", out.Error)
}
