package redisstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// A process that dies leaves the record of its producer, which is needed for as long as a call may
// be repeated: each call, and opening it again, lets it live for so long from then on.
func TestTheRecordOfAProducerLivesForAsLongAsACallIsRepeated(t *testing.T) {
	s := newScene(t)
	run := s.begin(store.StartParams{Job: "job"})
	s.enqueue(run, items("k", 1)...)
	key := s.prefix() + "P:producer"
	for name, call := range map[string]func() error{
		"tasks": func() error {
			_, err := s.tryEnqueue(run, items("k", 1)...)
			return err
		},
		"a repeat": func() error {
			s.enqueued--
			_, err := s.tryEnqueue(run, items("k", 1)...)
			return err
		},
		"open": func() error { return s.OpenProducer(t.Context(), 0, "producer") },
		"values": func() error {
			s.enqueued++
			_, err := s.WriteValues(t.Context(), store.WriteParams{Stream: "producer", Number: s.enqueued, Writes: []store.Write{{
				Scope: store.RunScope(run), Name: "n", Type: store.ValueCounter, Op: store.WriteAdd, Data: []store.Datum{{Bytes: []byte("7")}},
			}}})
			return err
		},
	} {
		s.command("PEXPIRE", "P:producer", "60000")
		require.NoError(t, call(), name)
		left, err := s.client.Do(t.Context(), s.client.B().Pttl().Key(key).Build()).AsInt64()
		require.NoError(t, err)
		require.Greater(t, left, time.Minute.Milliseconds(), name)
		require.LessOrEqual(t, left, bounds.StreamKept.Milliseconds(), name)
	}
	used, err := s.client.Do(t.Context(), s.client.B().MemoryUsage().Key(key).Build()).AsInt64()
	require.NoError(t, err)
	t.Logf("a record takes %d bytes", used)
	require.Less(t, used, int64(300))

	s.command("DEL", "P:producer") // its time is over
	counts := s.record(run).Counts
	_, err = s.tryEnqueue(run, items("k", 1)...)
	require.ErrorIs(t, err, store.ErrResultUnknown)
	require.NoError(t, s.OpenProducer(t.Context(), 0, "producer"))
	s.enqueue(run, items("k", 1)...)
	require.Equal(t, counts.Total+1, s.record(run).Counts.Total, "once, under the next number")
}
