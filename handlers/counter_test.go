package handlers_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// counting has one set with the counters "bytes" and "files".
func counting(t *testing.T, handler func(t *handlers.Task[scanArgs], bytes, files handlers.Counter) error) *handlers.Registry {
	t.Helper()
	set := handlers.NewSet("ingest", handlers.SetConfig{})
	bytes, files := handlers.NewCounter(set, "bytes"), handlers.NewCounter(set, "files")
	handlers.Handle(set, func(_ context.Context, task *handlers.Task[scanArgs]) error { return handler(task, bytes, files) }, nil)
	r, err := handlers.NewRegistry(set)
	require.NoError(t, err)
	return r
}

func TestCountersTravelWithSuccessOnly(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want map[string]int64
	}{
		"success":    {nil, map[string]int64{"bytes": 7, "files": -1}},
		"failure":    {errBroken, nil},
		"permanent":  {handlers.Permanent(errBroken), nil},
		"snooze":     {handlers.Snooze(0), nil},
		"cancel job": {handlers.CancelJob(nil), nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := counting(t, func(task *handlers.Task[scanArgs], bytes, files handlers.Counter) error {
				require.Equal(t, "bytes", bytes.Name())
				bytes.Add(task, 3)
				bytes.Add(task, 4)
				files.Add(task, -1)
				return test.err
			})
			require.Equal(t, test.want, executeScan(t.Context(), r, store.Task{}).Counters)
		})
	}
}

func TestASuccessThatAStopMeetsCounts(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	r := counting(t, func(task *handlers.Task[scanArgs], _, files handlers.Counter) error {
		cancel(store.ErrJobStopped)
		files.Add(task, 1)
		return nil
	})
	out := executeScan(ctx, r, store.Task{})
	require.Equal(t, verdicts.Success, out.Verdict)
	require.Equal(t, map[string]int64{"files": 1}, out.Counters)
}

func TestCountersMayBeAddedToConcurrentlyUntilTheHandlerReturns(t *testing.T) {
	var attempt *handlers.Attempt
	var files handlers.Counter
	r := counting(t, func(task *handlers.Task[scanArgs], _, counter handlers.Counter) error {
		attempt, files = task.Attempt, counter
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 100 {
					counter.Add(task, 1)
				}
			})
		}
		all.Wait()
		return nil
	})
	out := executeScan(t.Context(), r, store.Task{})
	files.Add(attempt, 1)
	require.Equal(t, map[string]int64{"files": 800}, out.Counters)
}

func TestACounterThatTheSetDidNotDeclareFailsTheTaskForGood(t *testing.T) {
	other := handlers.NewSet("other", handlers.SetConfig{})
	for name, undeclared := range map[string]handlers.Counter{
		"zero":           {},
		"of another set": handlers.NewCounter(other, "files"),
	} {
		t.Run(name, func(t *testing.T) {
			r := counting(t, func(task *handlers.Task[scanArgs], _, files handlers.Counter) error {
				files.Add(task, 1)
				undeclared.Add(task, 1)
				return nil
			})
			out := executeScan(t.Context(), r, store.Task{})
			require.Equal(t, verdicts.Fail, out.Verdict)
			require.Contains(t, out.Error, `is not declared by the set "ingest"`)
			require.Empty(t, out.Counters)
		})
	}

	set := handlers.NewSet("ingest", handlers.SetConfig{})
	var late handlers.Counter
	handlers.Handle(set, func(_ context.Context, task *handlers.Task[scanArgs]) error {
		late.Add(task, 1)
		return nil
	}, nil)
	r, err := handlers.NewRegistry(set)
	require.NoError(t, err)
	late = handlers.NewCounter(set, "late")
	require.Equal(t, verdicts.Fail, executeScan(t.Context(), r, store.Task{}).Verdict)
}

func TestARegistryChecksCountersAndEvents(t *testing.T) {
	set := handlers.NewSet("ingest", handlers.SetConfig{Hooks: handlers.Hooks{
		Events: map[string]handlers.EventHooks{"file.create": {}, "file create": {}},
	}})
	handlers.NewCounter(set, "")
	handlers.NewCounter(set, "a:b")
	handlers.NewCounter(set, strings.Repeat("c", bounds.MaxNameLen+1))
	for i := range bounds.MaxCounters {
		first := handlers.NewCounter(set, fmt.Sprint("c", i))
		require.Equal(t, first, handlers.NewCounter(set, fmt.Sprint("c", i)))
	}
	_, err := handlers.NewRegistry(set)
	require.ErrorIs(t, err, store.ErrInvalid)
	for _, problem := range []string{
		`Sets[0].Hooks.Events["file create"] may hold only`,
		`Sets[0].Counters[""] is empty`,
		`Sets[0].Counters["a:b"] may hold only`,
		`is longer than 64 bytes`,
		`Sets[0].Counters are more than 64`,
	} {
		require.ErrorContains(t, err, problem)
	}
	require.NotContains(t, err.Error(), "file.create")
}
