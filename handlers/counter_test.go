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
)

// counting has one set with the counters "bytes" and "files".
func counting(t *testing.T, handler func(t *handlers.Task[scanArgs], bytes, files handlers.Counter) error) *handlers.Registry {
	t.Helper()
	set := handlers.NewSet("ingest", handlers.SetConfig{})
	bytes, files := set.Counter("bytes"), set.Counter("files")
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
				task.Add(bytes, 3)
				task.Add(bytes, 4)
				task.Add(files, -1)
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
		task.Add(files, 1)
		return nil
	})
	out := executeScan(ctx, r, store.Task{})
	require.Equal(t, store.VerdictSuccess, out.Verdict)
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
					task.Add(counter, 1)
				}
			})
		}
		all.Wait()
		return nil
	})
	out := executeScan(t.Context(), r, store.Task{})
	attempt.Add(files, 1)
	require.Equal(t, map[string]int64{"files": 800}, out.Counters)
}

func TestACounterThatTheSetDidNotDeclareFailsTheTaskForGood(t *testing.T) {
	other := handlers.NewSet("other", handlers.SetConfig{})
	for name, undeclared := range map[string]handlers.Counter{
		"zero":           {},
		"of another set": other.Counter("files"),
	} {
		t.Run(name, func(t *testing.T) {
			r := counting(t, func(task *handlers.Task[scanArgs], _, files handlers.Counter) error {
				task.Add(files, 1)
				task.Add(undeclared, 1)
				return nil
			})
			out := executeScan(t.Context(), r, store.Task{})
			require.Equal(t, store.VerdictFail, out.Verdict)
			require.Contains(t, out.Error, `is not declared by the set "ingest"`)
			require.Empty(t, out.Counters)
		})
	}

	set := handlers.NewSet("ingest", handlers.SetConfig{})
	var late handlers.Counter
	handlers.Handle(set, func(_ context.Context, task *handlers.Task[scanArgs]) error {
		task.Add(late, 1)
		return nil
	}, nil)
	r, err := handlers.NewRegistry(set)
	require.NoError(t, err)
	late = set.Counter("late")
	require.Equal(t, store.VerdictFail, executeScan(t.Context(), r, store.Task{}).Verdict)
}

func TestARegistryChecksCountersAndEvents(t *testing.T) {
	set := handlers.NewSet("ingest", handlers.SetConfig{Hooks: handlers.Hooks{
		Events: map[string]handlers.EventHooks{"file.create": {}, "file create": {}},
	}})
	set.Counter("")
	set.Counter("a:b")
	set.Counter(strings.Repeat("c", store.MaxNameLen+1))
	for i := range store.MaxCounters {
		first := set.Counter(fmt.Sprint("c", i))
		require.Equal(t, first, set.Counter(fmt.Sprint("c", i)))
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
