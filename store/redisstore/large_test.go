package redisstore_test

import (
	"bytes"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// largeCount is how many items of a mebibyte there are: 256 where time does not matter.
func largeCount() int {
	if os.Getenv("ROLLCALL_STORM") != "" {
		return bounds.MaxBatch
	}
	return 12
}

// heavy is a server that notes which scripts took long.
type heavy struct {
	*scene
	run   store.RunID
	count int
}

func newHeavy(t *testing.T) *heavy {
	s := &heavy{scene: ownScene(t), count: largeCount()}
	require.NoError(t, s.server.Do(t.Context(), "CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "100000"))
	s.run = s.begin(store.StartParams{Job: "job"})
	return s
}

// mebibyte is as large as a payload, or a value, may be.
func mebibyte(i int) []byte {
	return append(bytes.Repeat([]byte{'x'}, bounds.DefaultMaxPayload-8), strconv.Itoa(10000000+i)...)
}

// add enqueues large tasks one by one.
func (s *heavy) add(at time.Time) {
	for i := range s.count {
		item := itemOf("k", strconv.Itoa(i))
		item.Task.Payload, item.At = mebibyte(i), at
		s.enqueue(s.run, item)
	}
	require.NoError(s, s.server.Do(s.Context(), "SLOWLOG", "RESET"))
}

// slowest logs how long the longest script took.
func (s *heavy) slowest() {
	entries, err := s.client.Do(s.Context(), s.client.B().Arbitrary("SLOWLOG", "GET", "-1").Build()).ToArray()
	require.NoError(s, err)
	longest := int64(0)
	for _, e := range entries {
		fields, err := e.ToArray()
		require.NoError(s, err)
		took, err := fields[2].AsInt64()
		require.NoError(s, err)
		longest = max(longest, took)
	}
	s.Logf("%d items of 1 MiB, %d commands, the longest took %d µs", s.count, len(entries), longest)
}

func TestLargeTasksThatAreDueComeUpOneByOne(t *testing.T) {
	s := newHeavy(t)
	s.add(time.UnixMilli(1))
	for promoted, calls := 0, 0; promoted < s.count; calls++ {
		require.LessOrEqual(t, calls, s.count)
		reply, err := s.Promote(t.Context(), 0)
		require.NoError(t, err)
		require.LessOrEqual(t, reply.Promoted, 2, "one by each of two calls of the script")
		promoted += reply.Promoted
	}
	s.slowest()
}

func TestALargeTaskCostsSmallOnesNothing(t *testing.T) {
	s := newScene(t)
	run := s.begin(store.StartParams{Job: "job"})
	large := itemOf("k", "large")
	large.Task.Payload = mebibyte(0)
	s.enqueue(run, large)
	small := items("k", 200)
	for i := range small {
		small[i].At = time.UnixMilli(1)
	}
	s.enqueue(run, small...)
	reply, err := s.Promote(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, 200, reply.Promoted, "a call is bounded by what is there, not by what may be")
}

func TestLargeTasksOfADeadWorkerGoBackInSlices(t *testing.T) {
	s := newHeavy(t)
	s.add(time.Time{})
	w := s.worker("w")
	for range s.count {
		require.Len(t, w.fetch(bounds.MaxBatch, "k"), 1)
	}
	require.NoError(t, s.server.Do(t.Context(), "SLOWLOG", "RESET"))
	held, err := s.Held(t.Context(), w.id, nil)
	require.NoError(t, err)
	require.Len(t, held, 1)
	w.die()
	require.Equal(t, store.Counts{Total: int64(s.count), Pending: int64(s.count)}, s.record(s.run).Counts)
	s.slowest()
}

func TestLargeValuesAndFailuresAreReadByPages(t *testing.T) {
	s := newHeavy(t)
	scope := store.RunScope(s.run)
	for i := range s.count {
		s.enqueued++
		data := []store.Datum{{Bytes: mebibyte(i)}}
		_, err := s.WriteValues(t.Context(), store.WriteParams{Stream: "producer", Number: s.enqueued, Writes: []store.Write{
			{Scope: scope, Name: "l", Type: store.ValueList, Op: store.WriteAppend, Data: data},
			{
				Scope: scope,
				Name:  "m",
				Type:  store.ValueMap,
				Op:    store.WriteSet,
				Data:  []store.Datum{{Field: strconv.Itoa(i), Bytes: data[0].Bytes}},
			},
		}})
		require.NoError(t, err)
		require.NoError(t, s.server.Do(t.Context(), "ZADD", s.prefix()+"dead:"+RunID(s.run), strconv.Itoa(i+1), string(mebibyte(i))))
	}
	require.NoError(t, s.server.Do(t.Context(), "SLOWLOG", "RESET"))
	for at := range s.count {
		page, err := s.ReadValue(
			t.Context(), store.ReadParams{Scope: scope, Name: "l", Type: store.ValueList, Offset: int64(at), Limit: 1000},
		)
		require.NoError(t, err)
		require.Len(t, page.Data, 1)
	}
	seen := 0
	for cursor := ""; ; {
		page, err := s.ReadValue(t.Context(), store.ReadParams{Scope: scope, Name: "m", Type: store.ValueMap, Cursor: cursor, Limit: 1000})
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Data), 8, "as many as share a place in the hash table")
		seen += len(page.Data)
		if cursor = page.Cursor; cursor == "" {
			break
		}
	}
	require.GreaterOrEqual(t, seen, s.count)
	_, err := s.Failures(t.Context(), store.FailuresParams{Run: s.run, Limit: 1000})
	require.ErrorIs(t, err, store.ErrCorrupt) // they are none; what matters is how many were read
	s.slowest()
}
