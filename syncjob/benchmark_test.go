package syncjob_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

// BenchmarkDrain measures the worker alone: fetch, run a handler that does nothing,
// settle, over memory.
func BenchmarkDrain(b *testing.B) {
	m := manager(b, set(b, handlers.SetConfig{}, noop))
	run, err := m.Start(b.Context(), syncjob.Job{Name: "drain", Set: "tree", Open: true}, nil)
	require.NoError(b, err)
	_, err = run.EnqueueAll(b.Context(), leaves(b.N), nil)
	require.NoError(b, err)
	require.NoError(b, run.Seal(b.Context()))
	w, err := m.NewWorker(syncjob.WorkerConfig{})
	require.NoError(b, err)
	b.ReportAllocs()
	b.ResetTimer()
	n, err := w.RunOnce(b.Context())
	b.StopTimer()
	require.NoError(b, err)
	require.Equal(b, b.N, n)
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "tasks/s")
}
