package handlers_test

import (
	"context"
	"encoding/json"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// limits finds out how many retries and how much time a task gets.
func limits(t *testing.T, set, kind handlers.Attributes, task encode.Overrides) (retries int, timeout time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := registry(t, handlers.SetConfig{Attributes: set}, func(ctx context.Context, a *handlers.Task[scanArgs]) error {
			timeout = 0
			if deadline, ok := ctx.Deadline(); ok {
				timeout = time.Until(deadline)
			}
			return errBroken
		}, &handlers.KindOptions{Attributes: kind})
		retries = 0
		for executeScan(t.Context(), r, store.Task{Retry: retries, Attributes: task.Encode()}).Verdict == verdicts.Retry {
			retries++
		}
	})
	return retries, timeout
}

func TestTheInnermostAttributeWins(t *testing.T) {
	var none handlers.Attributes
	fixed := func(retries int, timeout time.Duration) handlers.Attributes {
		return handlers.Attributes{MaxRetries: retries, Timeout: timeout}
	}
	byAttempt := func(retries int, timeout time.Duration) handlers.Attributes {
		return handlers.Attributes{
			MaxRetriesFor: func(*handlers.Attempt) int { return retries },
			TimeoutFor:    func(*handlers.Attempt) time.Duration { return timeout },
		}
	}
	for name, test := range map[string]struct {
		set, kind handlers.Attributes
		task      encode.Overrides
		retries   int
		timeout   time.Duration
	}{
		"defaults":                        {none, none, encode.Overrides{}, 3, time.Hour},
		"set":                             {fixed(5, 5), none, encode.Overrides{}, 5, 5},
		"kind over set":                   {fixed(5, 5), fixed(6, 6), encode.Overrides{}, 6, 6},
		"task over kind":                  {fixed(5, 5), fixed(6, 6), encode.Overrides{MaxRetries: 7, Timeout: 7}, 7, 7},
		"off in the kind":                 {fixed(5, 5), fixed(handlers.NoRetries, handlers.NoTimeout), encode.Overrides{}, 0, 0},
		"off in the task":                 {fixed(5, 5), none, encode.Overrides{MaxRetries: enqueue.NoRetries, Timeout: enqueue.NoTimeout}, 0, 0},
		"function of the set":             {byAttempt(8, 8), none, encode.Overrides{}, 8, 8},
		"kind's value over set's":         {byAttempt(8, 8), fixed(6, 6), encode.Overrides{}, 6, 6},
		"kind's function over set's":      {fixed(5, 5), byAttempt(9, 9), encode.Overrides{}, 9, 9},
		"kind's function over function":   {byAttempt(8, 8), byAttempt(9, 9), encode.Overrides{}, 9, 9},
		"function that declines":          {fixed(5, 5), byAttempt(0, 0), encode.Overrides{}, 5, 5},
		"functions of which one declines": {byAttempt(8, 8), byAttempt(0, 0), encode.Overrides{}, 8, 8},
		"function that switches off":      {fixed(5, 5), byAttempt(handlers.NoRetries, handlers.NoTimeout), encode.Overrides{}, 0, 0},
		"task over function":              {none, byAttempt(9, 9), encode.Overrides{MaxRetries: 7, Timeout: 7}, 7, 7},
	} {
		t.Run(name, func(t *testing.T) {
			retries, timeout := limits(t, test.set, test.kind, test.task)
			require.Equal(t, test.retries, retries)
			require.Equal(t, test.timeout, timeout)
		})
	}
}

func TestLimitsOfDeliveriesAndSnoozesAreAttributes(t *testing.T) {
	attrs := handlers.Attributes{MaxDeliveries: 1, MaxSnoozes: 1}
	r := registry(t, handlers.SetConfig{Attributes: attrs}, returning(handlers.Snooze(time.Second)), nil)
	require.Equal(t, verdicts.Snooze, executeScan(t.Context(), r, store.Task{}).Verdict)
	require.Equal(t, verdicts.Fail, executeScan(t.Context(), r, store.Task{Snoozes: 1}).Verdict)
	require.Equal(t, verdicts.Fail, executeScan(t.Context(), r, store.Task{Crashes: 1}).Verdict)
}

func TestExponentialGrowsToItsCap(t *testing.T) {
	exact := handlers.Exponential{Jitter: handlers.NoJitter}
	for retry, want := range map[int]time.Duration{
		-1: time.Second, 1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 10: 512 * time.Second,
		11: 10 * time.Minute, 5000: 10 * time.Minute, math.MaxInt: 10 * time.Minute,
	} {
		require.Equal(t, want, exact.Delay(retry), retry)
	}
	steep := handlers.Exponential{First: time.Minute, Factor: 3, Jitter: handlers.NoJitter, Cap: time.Hour}
	require.Equal(t, 9*time.Minute, steep.Delay(3))
	require.Equal(t, time.Hour, steep.Delay(9))
	require.Zero(t, handlers.Exponential{First: handlers.NoDelay}.Delay(9))
}

func TestJitterSpreadsDelaysWithinItsShare(t *testing.T) {
	least, most := time.Hour, time.Duration(0)
	for range 2000 {
		d := handlers.Exponential{}.Delay(1)
		least, most = min(least, d), max(most, d)
	}
	require.GreaterOrEqual(t, least, 800*time.Millisecond)
	require.Less(t, least, 850*time.Millisecond)
	require.LessOrEqual(t, most, 1200*time.Millisecond)
	require.Greater(t, most, 1150*time.Millisecond)
	require.GreaterOrEqual(t, handlers.Exponential{Jitter: 1, Cap: math.MaxInt64}.Delay(5000), time.Duration(0))
}

func TestLimitsAreNotInheritedByKinds(t *testing.T) {
	r := registry(t, handlers.SetConfig{
		Attributes: handlers.Attributes{
			MaxRunning:       9,
			MaxRunningPerJob: 5,
			Rate:             handlers.Rate{Events: 10},
			Weight:           2,
			Params:           map[string]int{"depth": 3},
		},
	}, returning(nil), &handlers.KindOptions{
		Attributes: handlers.Attributes{MaxRunning: 3, Rate: handlers.Rate{Events: 1, Per: time.Minute, Burst: 4}},
		Aliases:    []string{"walk"},
	})
	set, err := r.Attributes("ingest", "")
	require.NoError(t, err)
	require.Equal(t, 9, set.MaxRunning)
	require.Equal(t, 5, set.MaxRunningPerJob)
	require.Equal(t, handlers.Rate{Events: 10, Per: time.Second, Burst: 10}, set.Rate)
	require.InDelta(t, 2, set.Weight, 0)
	for _, kind := range []string{"scan", "walk"} {
		scan, err := r.Attributes("ingest", kind)
		require.NoError(t, err)
		require.Equal(t, 3, scan.MaxRunning)
		require.Equal(t, handlers.NoLimit, scan.MaxRunningPerJob, "that of the set is for all kinds together")
		require.Equal(t, handlers.Rate{Events: 1, Per: time.Minute, Burst: 4}, scan.Rate)
		require.JSONEq(t, `{"depth":3}`, string(scan.Params.(json.RawMessage)), "parameters are inherited")
	}
	file, err := r.Attributes("ingest", "file")
	require.NoError(t, err)
	require.Equal(t, handlers.Rate{Events: handlers.NoLimit}, file.Rate)
	live, err := handlers.NewLive(r).Attributes("ingest", "file")
	require.NoError(t, err)
	require.Equal(t, file, live)

	var field *store.FieldError
	_, err = r.Attributes("other", "")
	require.ErrorAs(t, err, &field)
	require.Equal(t, "Set", field.Field)
	_, err = r.Attributes("ingest", "other")
	require.ErrorAs(t, err, &field)
	require.Equal(t, "Kind", field.Field)
}

func TestHandlersAndHooksReadParams(t *testing.T) {
	type params struct{ Depth, Width int }
	var task, hook params
	r := registry(t, handlers.SetConfig{
		Attributes: handlers.Attributes{Params: params{Depth: 1, Width: 1}},
		Hooks: handlers.Hooks{PreJob: func(_ context.Context, r *handlers.Run) error {
			return r.DecodeParams(&hook)
		}},
	}, func(_ context.Context, t *handlers.Task[scanArgs]) error {
		task.Width = 7
		return t.DecodeParams(&task)
	}, &handlers.KindOptions{Attributes: handlers.Attributes{Params: map[string]int{"Depth": 2}}})
	require.Equal(t, verdicts.Success, executeScan(t.Context(), r, store.Task{}).Verdict)
	require.Equal(t, params{Depth: 2, Width: 7}, task, "parameters are inherited as a whole")
	out := r.Execute(t.Context(), delivery(store.KindPreJob, store.Task{}), execute.Config{Runtime: &runtime{}})
	require.Equal(t, verdicts.Begin, out.Verdict)
	require.Equal(t, params{Depth: 1, Width: 1}, hook)

	r = registry(
		t,
		handlers.SetConfig{Attributes: handlers.Attributes{Params: "text"}},
		func(_ context.Context, t *handlers.Task[scanArgs]) error {
			return t.DecodeParams(&task)
		},
		nil,
	)
	out = executeScan(t.Context(), r, store.Task{})
	require.Equal(t, verdicts.Retry, out.Verdict, "what can be mended from outside is tried again")
	require.Contains(t, out.Error, "decode parameters")

	r = registry(t, handlers.SetConfig{}, func(_ context.Context, t *handlers.Task[scanArgs]) error { return t.DecodeParams(&task) }, nil)
	require.Equal(t, verdicts.Success, executeScan(t.Context(), r, store.Task{}).Verdict)
	require.Equal(t, params{Depth: 2, Width: 7}, task, "no parameters leave it as it is")
}
