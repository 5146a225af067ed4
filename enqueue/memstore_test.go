package enqueue_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// openRun starts a run that takes tasks from outside until it is sealed.
func openRun(tb testing.TB, s store.Store) store.RunID {
	tb.Helper()
	reply, err := s.StartRun(tb.Context(), store.StartParams{
		Job: "import/42", Token: "t", Set: "ingest", Open: true, Weight: 1, Retention: time.Hour, FailureCap: 10,
	})
	require.NoError(tb, err)
	return reply.Run
}

// losing applies every call and loses the reply of every third.
type losing struct {
	store.Store
	calls atomic.Int64
}

func (l *losing) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	reply, err := l.Store.Enqueue(ctx, p)
	if l.calls.Add(1)%3 == 0 {
		return store.EnqueueReply{}, store.Transient(errors.New("reply lost"))
	}
	return reply, err
}

func TestLostRepliesNeitherLoseNorDoubleTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New(nil)
		id := openRun(t, mem)
		e := newEnqueuer(t, store.WithRetry(&losing{Store: mem}, nil))
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				for j := range 50 {
					opts := &enqueue.Options{ID: fmt.Sprintf("%d-%d", i/2, j)} // each ID twice
					_, err := e.Enqueue(t.Context(), id, "ingest", enqueue.Task(fileArgs{"a"}, opts))
					require.NoError(t, err)
				}
			})
		}
		wg.Go(func() {
			sum, err := e.EnqueueAll(t.Context(), id, "ingest", files(2000), nil)
			require.NoError(t, err)
			require.Equal(t, 2000, sum.Enqueued)
		})
		wg.Wait()
		rec, err := mem.Run(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, store.Counts{Total: 2500, Pending: 2500}, rec.Counts)
		require.EqualValues(t, 500, rec.Duplicate)
		require.EqualValues(t, 1, rec.Holds, "only that of the open run is left")
	})
}

func TestARunIsSealedByItsHold(t *testing.T) {
	mem := memstore.New(nil)
	id := openRun(t, mem)
	e := newEnqueuer(t, mem)
	require.NoError(t, e.SetHold(t.Context(), id, store.HoldOpen, false))
	rec, err := mem.Run(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, statuses.Succeeded, rec.Status)
	_, err = e.Enqueue(t.Context(), id, "ingest", file("late"))
	require.ErrorIs(t, err, store.ErrRunFinished)
	_, err = e.EnqueueAll(t.Context(), id, "ingest", files(1000), nil)
	require.ErrorIs(t, err, store.ErrRunFinished)
	_, err = e.Enqueue(t.Context(), store.RunID{Job: "other", Number: 1}, "ingest", file("a"))
	require.ErrorIs(t, err, store.ErrRunNotFound)
}

// dropping fails the first try of each Enqueue: before it is applied, or after.
type dropping struct {
	store.Store
	calls atomic.Int64
}

func (d *dropping) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	switch d.calls.Add(1) % 4 {
	case 1:
		return store.EnqueueReply{}, store.Transient(errors.New("the connection was gone"))
	case 3:
		_, _ = d.Store.Enqueue(ctx, p)
		return store.EnqueueReply{}, store.Transient(errors.New("reply lost"))
	}
	return d.Store.Enqueue(ctx, p)
}

// TestAProducerThatWasQuietForLongGoesOn pauses for less and for longer than a store remembers the
// stream. The connection does not last for so long, so each call is repeated, in half of the cases
// after it was applied.
func TestAProducerThatWasQuietForLongGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New(nil)
		id := openRun(t, mem)
		e := newEnqueuer(t, store.WithRetry(&dropping{Store: mem}, nil))
		var sent int64
		for _, quiet := range []time.Duration{bounds.StreamKept / 2, bounds.StreamKept - time.Second, bounds.StreamKept, 25 * time.Hour} {
			for range 2 {
				_, err := e.Enqueue(t.Context(), id, "ingest", file("a"))
				require.NoError(t, err, "after %v", quiet)
				sent++
				time.Sleep(quiet)
			}
		}
		rec, err := mem.Run(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, sent, rec.Counts.Total)
	})
}

func BenchmarkEnqueue(b *testing.B) {
	mem := memstore.New(nil)
	id := openRun(b, mem)
	e, err := enqueue.New(enqueue.Config{Store: mem})
	require.NoError(b, err)
	defer e.Close()
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := e.Enqueue(b.Context(), id, "ingest", file("a/b/c")); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	e := &enqueue.Config{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := enqueue.Encode(b.Context(), e, "ingest", file("a/b/c")); err != nil {
			b.Fatal(err)
		}
	}
}
