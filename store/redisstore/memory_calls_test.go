package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// fill leaves the server no memory to grow; free gives it back.
func (s *scene) fill() {
	s.Helper()
	require.NoError(s, s.server.Do(s.Context(), "CONFIG", "SET", "maxmemory", "1"))
}

func (s *scene) free() {
	s.Helper()
	require.NoError(s, s.server.Do(s.Context(), "CONFIG", "SET", "maxmemory", "0"))
}

func TestOutOfMemoryAnEnqueueIsRefusedAndWritesNothing(t *testing.T) {
	s := ownScene(t)
	run := s.begin(store.StartParams{Job: "job"})
	s.enqueue(run, itemOf("k", "first"))
	claimed := itemOf("k", "claimed")
	claimed.Task.Claimed = true
	delayed := itemOf("l", "delayed")
	delayed.Delay = time.Hour
	s.fill()
	before := leftovers(t, s.Store)
	for _, item := range []store.Item{itemOf("k", "second"), claimed, delayed} {
		_, err := s.tryEnqueue(run, item)
		require.ErrorIs(t, err, store.ErrOutOfMemory)
		s.enqueued-- // a refused number is not used up
	}
	require.ElementsMatch(t, before, leftovers(t, s.Store))
	require.Equal(t, store.Counts{Total: 1, Pending: 1}, s.record(run).Counts)
	s.free()
	s.enqueue(run, itemOf("k", "second"), claimed, delayed)
	require.Equal(t, store.Counts{Total: 4, Pending: 3, Delayed: 1}, s.record(run).Counts)
}

func TestOutOfMemoryAFetchGoesOnAlsoPastRunsThatCannotStart(t *testing.T) {
	s := ownScene(t)
	w := s.worker("w")
	big := s.begin(store.StartParams{Job: "big", Weight: 0.01})
	s.enqueue(big, items("k", 20)...)
	require.Len(t, w.fetch(10, "k"), 10) // it is far behind in virtual time now
	early(s, 2, "k")
	late := s.worker("late")
	s.fill()
	require.Len(t, late.fetch(10, "k"), 10)
}

func TestOutOfMemoryEveryOutcomeThatAddsNothingIsSettled(t *testing.T) {
	s := ownScene(t)
	post := itemOf(store.KindPostJob, "post")
	run := s.begin(store.StartParams{Job: "job", PostJob: &post})
	w := s.worker("w")
	for i := range 6 {
		item := itemOf("k", fmt.Sprint(i))
		item.Task.Claimed, item.Task.Keep = true, time.Hour
		s.enqueue(run, item)
	}
	d := w.fetch(6, "k")
	require.Len(t, d, 6)
	require.NoError(t, w.stage(d[0], "staged", 0, itemOf("staged", "child")))
	s.fill()
	retry := outcomeOf(d[4], verdicts.Retry)
	retry.Delay = time.Hour
	parent := outcomeOf(d[0], verdicts.Success)
	parent.Staged = []store.Staged{{Route: routeOf("staged"), Count: 1}}
	w.settle(parent, outcomeOf(d[1], verdicts.Fail), outcomeOf(d[2], verdicts.Success),
		outcomeOf(d[3], verdicts.Release), retry)
	require.Equal(t, store.Counts{Total: 7, Pending: 2, Delayed: 1, Running: 1, Succeeded: 2, Failed: 1}, s.record(run).Counts)
	w.die()
	require.Equal(t, store.Counts{Total: 7, Pending: 3, Delayed: 1, Succeeded: 2, Failed: 1}, s.record(run).Counts)
}

func TestOutOfMemoryAnOutcomeWithChildrenIsRefusedAndKeepsItsLease(t *testing.T) {
	s := ownScene(t)
	run := start(t, s, "job")
	w := s.worker("w")
	parent := outcomeOf(w.fetchOne("k"), verdicts.Success)
	parent.Children = items("child", 3)
	s.fill()
	require.ErrorIs(t, w.trySettle(parent), store.ErrOutOfMemory)
	require.Equal(t, store.Counts{Total: 1, Running: 1}, s.record(run).Counts)
	held, err := s.Held(t.Context(), w.id, nil)
	require.NoError(t, err)
	require.Len(t, held, 1)
	s.free()
	w.settle(parent)
	require.Equal(t, store.Counts{Total: 4, Pending: 3, Succeeded: 1}, s.record(run).Counts)
}

func TestOutOfMemoryABatchOfValuesIsRefusedWholeAndMayBeRepeated(t *testing.T) {
	s := ownScene(t)
	run := s.begin(store.StartParams{Job: "job"})
	write := func(number int64) error {
		reply, err := s.WriteValues(t.Context(), store.WriteParams{Stream: "producer", Number: number, Writes: writesOf(run)})
		for _, result := range reply.Results {
			require.NoError(t, result.Err)
		}
		return err
	}
	require.NoError(t, write(1))
	s.fill()
	before := leftovers(t, s.Store)
	require.ErrorIs(t, write(2), store.ErrOutOfMemory)
	require.ElementsMatch(t, before, leftovers(t, s.Store))
	s.requireWritten(run, 1)
	s.free()
	require.NoError(t, write(2), "a refused number is not used up")
	s.requireWritten(run, 2)
}

func TestOutOfMemoryAnOutcomeWithWritesIsRefusedWholeAndMayBeRepeated(t *testing.T) {
	s := ownScene(t)
	run := start(t, s, "job")
	w := s.worker("w")
	outcome := outcomeOf(w.fetchOne("k"), verdicts.Success)
	outcome.Writes, outcome.Result = writesOf(run), []byte("1")
	s.fill()
	require.ErrorIs(t, w.trySettle(outcome), store.ErrOutOfMemory)
	s.requireWritten(run, 0)
	require.Equal(t, store.Counts{Total: 1, Running: 1}, s.record(run).Counts)
	held, err := s.Held(t.Context(), w.id, nil)
	require.NoError(t, err)
	require.Len(t, held, 1)
	s.free()
	w.settle(outcome)
	s.requireWritten(run, 1)
	results, err := s.Results(t.Context(), store.ResultsParams{Run: run, Limit: 10})
	require.NoError(t, err)
	require.Len(t, results.Results, 1)
	require.Equal(t, store.Counts{Total: 1, Succeeded: 1}, s.record(run).Counts)
}

// writesOf append an item to a list and set a field of a map.
func writesOf(run store.RunID) []store.Write {
	return []store.Write{
		{Scope: store.RunScope(run), Name: "l", Type: store.ValueList, Op: store.WriteAppend, Data: []store.Datum{{Bytes: []byte("a")}}},
		{
			Scope: store.RunScope(run),
			Name:  "m",
			Type:  store.ValueMap,
			Op:    store.WriteSet,
			Data:  []store.Datum{{Field: "f", Bytes: []byte("a")}},
		},
	}
}

// requireWritten checks how often the writes of writesOf were applied.
func (s *scene) requireWritten(run store.RunID, times int64) {
	s.Helper()
	list, err := s.ReadValue(s.Context(), store.ReadParams{Scope: store.RunScope(run), Name: "l", Type: store.ValueList})
	require.NoError(s, err)
	require.Equal(s, times, list.Len)
	fields, err := s.ReadValue(s.Context(), store.ReadParams{Scope: store.RunScope(run), Name: "m", Type: store.ValueMap})
	require.NoError(s, err)
	require.Equal(s, min(times, 1), fields.Len)
}

func TestOutOfMemoryOperatorsAndWorkersGoOn(t *testing.T) {
	s := ownScene(t)
	w := s.worker("w")
	run := start(t, s, "job")
	idle := s.begin(store.StartParams{Job: "open"})
	delayed := itemOf("k", "delayed")
	delayed.At = time.UnixMilli(1)
	s.enqueue(idle, delayed)
	broken := s.begin(store.StartParams{Job: "broken off", StopAfter: time.Millisecond})
	late := s.begin(store.StartParams{Job: "late", Deadline: time.Millisecond})
	s.fill()

	require.NoError(t, s.SetRunPaused(t.Context(), run, true))
	require.True(t, s.record(run).Paused)
	require.NoError(t, s.SetRunPaused(t.Context(), run, false))
	promoted := 0
	for s.record(broken).Status == statuses.Running || s.record(late).Status == statuses.Running { // for a millisecond
		reply, err := s.Promote(t.Context(), 0)
		require.NoError(t, err)
		promoted += reply.Promoted
	}
	require.Equal(t, 1, promoted)
	require.Equal(t, statuses.Stopped, s.record(broken).Status)
	require.Equal(t, store.DeadlineReason, s.record(late).Reason)
	_, err := s.Heartbeat(t.Context(), store.HeartbeatParams{Session: w.id, Lease: time.Hour, Runs: []store.RunID{run}})
	require.NoError(t, err)
	require.Len(t, s.worker("late").fetch(10, "k"), 2)
	another, err := redisstore.Open(t.Context(), s.server.URL(), redisstore.Config{Namespace: s.namespace})
	require.NoError(t, err)
	configured, err := another.WatchConfigurations(t.Context(), []string{"set", "other"})
	require.NoError(t, err, "a worker that starts reads what is configured")
	require.Len(t, configured, 2)
	require.NoError(t, another.Close())
	s.enqueued++
	_, err = s.Enqueue(t.Context(), store.EnqueueParams{
		Stream: "producer", Number: s.enqueued, Holds: []store.HoldChange{{Run: idle, Name: store.HoldOpen, Close: true}},
	})
	require.NoError(t, err, "a run is sealed")
	require.NoError(t, s.StopRun(t.Context(), store.StopParams{Run: run}))
	require.Equal(t, statuses.Stopping, s.record(run).Status)
	s.sweep()
}

func TestAServerWithTooManyClientsIsUnavailable(t *testing.T) {
	server := redistest.Start(t, nil)
	require.NoError(t, server.Do(t.Context(), "CONFIG", "SET", "maxclients", "1"))
	_, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{})
	require.ErrorIs(t, err, store.ErrUnavailable)
}
