package handlers_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/verdicts"
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
	require.Equal(t, verdicts.HookDone, out.Verdict)
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
	require.Equal(t, verdicts.Abort, out.Verdict)
	require.Equal(t, "Result can only be set by PostJob", out.Error)
}

func TestTheResultOfATaskComesWithItsSuccessOnly(t *testing.T) {
	var late *handlers.Attempt
	fails := errBroken
	r := registry(t, handlers.SetConfig{}, func(_ context.Context, task *handlers.Task[scanArgs]) error {
		late = task.Attempt
		require.NoError(t, task.SetResult("first"))
		for problem, v := range map[string]any{"cannot be encoded": func() {}, "takes 65538 bytes": strings.Repeat("x", bounds.MaxResultLen)} {
			err := task.SetResult(v)
			require.ErrorIs(t, err, store.ErrInvalid)
			require.ErrorContains(t, err, "Result "+problem)
		}
		require.NoError(t, task.SetResult(map[string]int{"files": task.Retry}))
		return fails
	}, nil)
	out := executeScan(t.Context(), r, store.Task{ID: "t"})
	require.Equal(t, verdicts.Retry, out.Verdict)
	require.Nil(t, out.Result)
	fails = nil
	out = executeScan(t.Context(), r, store.Task{ID: "t", Retry: 1})
	require.Equal(t, verdicts.Success, out.Verdict)
	require.JSONEq(t, `{"files":1}`, string(out.Result))
	require.Zero(t, out.Keep)
	require.ErrorIs(t, late.SetResult(2), handlers.ErrAttemptEnded)
}

func TestTheRetentionOfResultsIsThatOfTheKind(t *testing.T) {
	set := func(_ context.Context, task *handlers.Task[scanArgs]) error { return task.SetResult(1) }
	for _, c := range []struct {
		cfg  handlers.ResultRetention
		keep store.ResultRetention
		none bool
	}{
		{handlers.ResultRetention{Age: time.Hour, Number: 5}, store.ResultRetention{Age: time.Hour, Number: 5}, false},
		{handlers.ResultRetention{Number: 5}, store.ResultRetention{Number: 5}, false},
		{handlers.ResultRetention{Age: handlers.NoResults}, store.ResultRetention{}, true},
		{handlers.ResultRetention{}, store.ResultRetention{}, false},
	} {
		cfg := handlers.SetConfig{Attributes: handlers.Attributes{ResultRetention: c.cfg}}
		out := executeScan(t.Context(), registry(t, cfg, set, nil), store.Task{ID: "t"})
		require.Equal(t, verdicts.Success, out.Verdict)
		require.Equal(t, c.keep, out.Keep)
		require.Equal(t, c.none, out.Result == nil, "%+v", c.cfg)
	}
}

func TestARetentionThatCannotBeIsRefused(t *testing.T) {
	for field, r := range map[string]handlers.ResultRetention{
		"Age":    {Age: time.Microsecond},
		"Number": {Number: -1},
	} {
		c := handlers.Configuration{Set: handlers.Attributes{ResultRetention: r}}
		require.ErrorContains(t, c.Validate(), "Set.ResultRetention."+field)
	}
	var c handlers.Configuration
	err := json.Unmarshal([]byte(`{"kinds": {"scan": {"result_retention": {"age": 0, "number": 0}}}}`), &c)
	require.ErrorContains(t, err, `Kinds["scan"].ResultRetention.Age is 0: leave it out to inherit, or write -1 for no results`)
	require.ErrorContains(t, err, `Kinds["scan"].ResultRetention.Number is 0`)
	require.NoError(t, json.Unmarshal([]byte(`{"kinds": {"scan": {"result_retention": {"age": -1}}}}`), &c))
	require.EqualValues(t, handlers.NoResults, c.Kind("scan").ResultRetention.Age)
	require.NoError(t, c.Validate())
	require.NoError(t, c.ValidateForRun())
}
