package syncjob_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

func TestReadOnlyModeLetsOnlyMarkedSetsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: 3})
		ops := handlers.NewSet(
			"ops",
			handlers.SetConfig{
				RunsInReadOnly: true,
				Hooks:          handlers.Hooks{PreJob: func(context.Context, *handlers.Run) error { return nil }},
			},
		)
		handlers.Handle(ops, func(context.Context, *handlers.Task[node]) error { return nil }, nil)
		tree := handlers.NewSet("tree", handlers.SetConfig{})
		handlers.Handle(tree, sleeping(time.Second), nil)
		reg, err := handlers.NewRegistry(ops, tree)
		require.NoError(t, err)
		m := managerOn(t, s, reg)
		work(t, m, syncjob.WorkerConfig{Concurrency: 1})
		begin := func(name, set string, root enqueue.Args) *syncjob.Run {
			run, err := m.Start(t.Context(), syncjob.Job{Name: name, Set: set, Root: root}, nil)
			require.NoError(t, err)
			return run
		}
		running := begin("runs", "tree", leaf{})
		time.Sleep(500 * time.Millisecond)
		require.NoError(t, m.SetMode(t.Context(), syncjob.ModeReadOnly))
		require.False(t, m.Writable(t.Context()))
		var waiting []*syncjob.Run
		for i := range 4 {
			waiting = append(waiting, begin(fmt.Sprintf("waits/%d", i), "tree", leaf{}))
		}
		await(t, running, begin("ops", "ops", node{}))
		time.Sleep(time.Hour)
		for _, run := range waiting {
			why, err := run.Explain(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 1, why.Run.Counts.Pending)
			require.Contains(t, why.String(), "read-only")
		}
		begun := time.Now()
		require.NoError(t, m.SetMode(t.Context(), syncjob.ModeReadWrite))
		require.True(t, m.Writable(t.Context()))
		await(t, waiting...)
		require.Equal(t, 4*time.Second, time.Since(begun), "leaving the mode wakes the worker")
	})
}

func TestSetModeReportsPartitionsOutOfReach(t *testing.T) {
	s := &deafPartition{Store: memstore.New(&memstore.Options{Partitions: 3}), deaf: 1}
	m := managerOn(t, s, nil)
	err := m.SetMode(t.Context(), syncjob.ModeReadOnly)
	require.ErrorContains(t, err, "partition 1")
	for p, want := range []int{1, 0, 1} {
		set, err := s.Pauses(t.Context(), p)
		require.NoError(t, err)
		require.Len(t, set.Pauses, want)
	}
	mode, err := m.Mode(t.Context())
	require.NoError(t, err)
	require.Equal(t, syncjob.ModeReadOnly, mode)
	require.Equal(t, []string{"Mode"}, fields(m.SetMode(t.Context(), "shut")), "once, not for each partition")
}

// deafPartition refuses to have anything paused in one partition.
type deafPartition struct {
	store.Store
	deaf int
}

func (s *deafPartition) Pause(ctx context.Context, partition int, p store.Pause) error {
	if partition == s.deaf {
		return store.ErrCorrupt
	}
	return s.Store.Pause(ctx, partition, p)
}
