package enqueue_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/memstore"
)

// files is a sequence of n items.
func files(n int) iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		for i := range n {
			if !yield(file(fmt.Sprint(i)), nil) {
				return
			}
		}
	}
}

// files followed by an error.
func filesThen(n int, err error) iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		for it, none := range files(n) {
			if !yield(it, none) {
				return
			}
		}
		yield(enqueue.Item{}, err)
	}
}

func TestASequenceOfOneChunkNeedsNoHold(t *testing.T) {
	for _, n := range []int{1, bounds.MaxBatch} {
		f := &fake{}
		sum, err := newEnqueuer(t, f).EnqueueAll(t.Context(), run, "ingest", files(n), nil)
		require.NoError(t, err)
		require.Equal(t, enqueue.Summary{Enqueued: n}, sum)
		require.Equal(t, 1, f.calls)
		require.Empty(t, f.open)
	}
}

func TestAnEmptySequenceSendsNothing(t *testing.T) {
	f := &fake{}
	sum, err := newEnqueuer(t, f).EnqueueAll(t.Context(), run, "ingest", files(0), nil)
	require.NoError(t, err)
	require.Zero(t, sum)
	require.Zero(t, f.calls)
}

// The last step adds the last items and seals, whatever their number.
func TestASequenceMaySealItsRun(t *testing.T) {
	for _, n := range []int{0, 1, bounds.MaxBatch, bounds.MaxBatch + 1, 3 * bounds.MaxBatch} {
		mem := memstore.New(nil)
		id := openRun(t, mem)
		e := newEnqueuer(t, mem)
		broken := errors.New("broken")
		_, err := e.EnqueueAll(t.Context(), id, "ingest", filesThen(n, broken), &enqueue.AllOptions{Seal: true})
		require.ErrorIs(t, err, broken)
		rec, err := mem.Run(t.Context(), id)
		require.NoError(t, err)
		require.EqualValues(t, 1, rec.Holds, "a sequence that broke off leaves the run open")
		added := rec.Counts.Total
		sum, err := e.EnqueueAll(t.Context(), id, "ingest", files(n), &enqueue.AllOptions{Seal: true})
		require.NoError(t, err)
		require.Equal(t, n, sum.Enqueued)
		rec, err = mem.Run(t.Context(), id)
		require.NoError(t, err)
		require.Zero(t, rec.Holds)
		require.Equal(t, added+int64(n), rec.Counts.Total)
	}
}

func TestALongSequenceIsHeldOpenAndNeverGathered(t *testing.T) {
	const n = 100_000
	f := &fake{}
	yielded, ahead := 0, 0
	counted := func(yield func(enqueue.Item, error) bool) {
		for it, err := range files(n) {
			yielded++
			f.mu.Lock()
			ahead = max(ahead, yielded-f.stored)
			f.mu.Unlock()
			if !yield(it, err) {
				return
			}
		}
	}
	sum, err := newEnqueuer(t, f).EnqueueAll(t.Context(), run, "ingest", counted, &enqueue.AllOptions{Hold: "upload-9"})
	require.NoError(t, err)
	require.Equal(t, enqueue.Summary{Enqueued: n}, sum)
	require.Equal(t, n, f.stored)
	require.LessOrEqual(t, ahead, bounds.MaxBatch+1, "more than a chunk was in memory")

	last := len(f.batches) - 1
	mark := ""
	for i, batch := range f.batches {
		require.Len(t, batch.Holds, 1)
		got := batch.Holds[0]
		require.Equal(t, store.HoldChange{
			Run: run, Name: "upload-9", Close: i == last, Guarded: i > 0, From: mark, Mark: got.Mark,
		}, got, "each chunk goes on from the mark of the one before")
		require.Equal(t, i == last, got.Mark == "")
		require.NotEqual(t, mark, got.Mark)
		mark = got.Mark
	}
}

func TestAnErrorOfTheSequenceEndsItAndClosesTheHold(t *testing.T) {
	broken := errors.New("line 600 is broken")
	f := &fake{}
	sum, err := newEnqueuer(t, f).EnqueueAll(t.Context(), run, "ingest", filesThen(600, broken), &enqueue.AllOptions{Hold: "h"})
	require.ErrorIs(t, err, broken)
	require.Equal(t, 2*bounds.MaxBatch, sum.Enqueued, "what was gathered when it broke is not sent")
	require.Equal(t, map[string]bool{"h": false}, f.open)
}

func TestABadItemEndsTheSequence(t *testing.T) {
	items := func(yield func(enqueue.Item, error) bool) {
		_ = yield(file("a"), nil) && yield(enqueue.Raw("no good", nil, nil), nil)
	}
	f := &fake{}
	sum, err := newEnqueuer(t, f).EnqueueAll(t.Context(), run, "ingest", items, nil)
	require.ErrorIs(t, err, store.ErrInvalid)
	require.Zero(t, sum)
	require.Zero(t, f.calls)
}

func TestARefusedChunkEndsTheSequenceAndTheSummaryCountsTheRest(t *testing.T) {
	f := &fake{}
	f.judge = func(store.Entry) store.EnqueueResult {
		switch {
		case f.stored == 300:
			return store.EnqueueResult{Err: store.ErrJobStopped}
		case f.stored == 10:
			f.stored++
			return store.EnqueueResult{Duplicate: true}
		}
		return store.EnqueueResult{}
	}
	sum, err := newEnqueuer(t, f).EnqueueAll(t.Context(), run, "ingest", files(1000), nil)
	require.ErrorIs(t, err, store.ErrJobStopped)
	require.Equal(t, enqueue.Summary{Enqueued: 299, Duplicates: 1}, sum)
	require.Len(t, f.batches, 3, "two chunks, and the closing of the hold")
}

func TestTheHoldIsClosedAfterItsCallersContextEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := &fake{}
	f.before = func(_ context.Context, call int) error {
		if call == 2 {
			cancel()
		}
		return nil
	}
	sum, err := newEnqueuer(t, f).EnqueueAll(ctx, run, "ingest", files(1000), &enqueue.AllOptions{Hold: "h"})
	require.ErrorIs(t, err, context.Canceled)
	require.GreaterOrEqual(t, sum.Enqueued, bounds.MaxBatch)
	require.Equal(t, map[string]bool{"h": false}, f.open)
}

func TestAHoldThatCannotBeClosedIsReported(t *testing.T) {
	broken, down := errors.New("broken"), store.Transient(errors.New("down"))
	f := &fake{before: func(_ context.Context, call int) error {
		if call > 1 {
			return down
		}
		return nil
	}}
	_, err := newEnqueuer(t, f).EnqueueAll(t.Context(), run, "ingest", filesThen(300, broken), nil)
	require.ErrorIs(t, err, broken)
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorContains(t, err, "set hold")
}

// Somebody closes the hold, as a server does that goes back to a snapshot: the chunks before may be
// gone, too.
func TestASequenceWhoseHoldIsLostIsNoSuccess(t *testing.T) {
	s := memstore.New(nil)
	started, err := s.StartRun(t.Context(), store.StartParams{
		Job: "import", Token: "token", Set: "ingest", Open: true, Weight: 1, Retention: time.Hour, FailureCap: 1,
	})
	require.NoError(t, err)
	e := newEnqueuer(t, s)
	broken := func(yield func(enqueue.Item, error) bool) {
		for i := range 3 * bounds.MaxBatch {
			if i == 2*bounds.MaxBatch+1 {
				require.NoError(t, e.SetHold(t.Context(), started.Run, "h", false))
			}
			if !yield(file(fmt.Sprint(i)), nil) {
				return
			}
		}
	}
	sum, err := e.EnqueueAll(t.Context(), started.Run, "ingest", broken, &enqueue.AllOptions{Hold: "h"})
	require.ErrorIs(t, err, store.ErrHoldLost)
	require.Equal(t, 2*bounds.MaxBatch, sum.Enqueued)
	in, err := s.Inspect(t.Context(), started.Run)
	require.NoError(t, err)
	require.Len(t, in.Holds, 1, "of the call none is left")
}

// Two sequences under one name take turns at best: the one that lost the hold is told.
func TestASequenceThatLosesItsHoldToAnotherIsTold(t *testing.T) {
	s := memstore.New(nil)
	started, err := s.StartRun(t.Context(), store.StartParams{
		Job: "import", Token: "token", Set: "ingest", Open: true, Weight: 1, Retention: time.Hour, FailureCap: 1,
	})
	require.NoError(t, err)
	e := newEnqueuer(t, s)
	opts := &enqueue.AllOptions{Hold: "h"}
	outer := func(yield func(enqueue.Item, error) bool) {
		for it, err := range files(2*bounds.MaxBatch + 1) {
			if !yield(it, err) {
				return
			}
		}
		_, err := e.EnqueueAll(t.Context(), started.Run, "ingest", files(bounds.MaxBatch+1), opts)
		require.NoError(t, err)
	}
	_, err = e.EnqueueAll(t.Context(), started.Run, "ingest", outer, opts)
	require.ErrorIs(t, err, store.ErrHoldLost)
}

// A producer that stood still goes on after another has taken over its name: it learns that, and
// the other ends as if it were alone.
func TestASequenceThatLostItsHoldLeavesItToWhoTookIt(t *testing.T) {
	s := memstore.New(nil)
	started, err := s.StartRun(t.Context(), store.StartParams{
		Job: "import", Token: "token", Set: "ingest", Open: true, Weight: 1, Retention: time.Hour, FailureCap: 1,
	})
	require.NoError(t, err)
	opts := &enqueue.AllOptions{Hold: "h", Seal: true}
	begun, taken := make(chan struct{}), make(chan struct{})
	stalled := func(yield func(enqueue.Item, error) bool) {
		for i := range 3 * bounds.MaxBatch {
			if i == bounds.MaxBatch+1 {
				close(begun)
				<-taken
			}
			if !yield(file(fmt.Sprint(i)), nil) {
				return
			}
		}
	}
	lost := make(chan error, 1)
	first := newEnqueuer(t, s)
	go func() {
		_, err := first.EnqueueAll(t.Context(), started.Run, "ingest", stalled, opts)
		lost <- err
	}()
	<-begun
	next := func(yield func(enqueue.Item, error) bool) {
		for i := range 3 * bounds.MaxBatch {
			if i == bounds.MaxBatch+1 {
				close(taken)
				require.ErrorIs(t, <-lost, store.ErrHoldLost)
			}
			if !yield(file(fmt.Sprint(i)), nil) {
				return
			}
		}
	}
	sum, err := newEnqueuer(t, s).EnqueueAll(t.Context(), started.Run, "ingest", next, opts)
	require.NoError(t, err)
	require.Equal(t, 3*bounds.MaxBatch, sum.Enqueued)
	in, err := s.Inspect(t.Context(), started.Run)
	require.NoError(t, err)
	require.Empty(t, in.Holds)
}

// A server that went back has the hold with an earlier mark of the call, which closes it all the
// same.
func TestAHoldThatWentBackIsClosed(t *testing.T) {
	s := memstore.New(nil)
	started, err := s.StartRun(t.Context(), store.StartParams{
		Job: "import", Token: "token", Set: "ingest", Open: true, Weight: 1, Retention: time.Hour, FailureCap: 1,
	})
	require.NoError(t, err)
	mark := func() string {
		in, err := s.Inspect(t.Context(), started.Run)
		require.NoError(t, err)
		for _, h := range in.Holds {
			if h.Name == "h" {
				return h.Mark
			}
		}
		return ""
	}
	earlier := ""
	lossy := func(yield func(enqueue.Item, error) bool) {
		for i := range 4 * bounds.MaxBatch {
			switch i {
			case bounds.MaxBatch + 1:
				earlier = mark()
			case 2*bounds.MaxBatch + 1:
				require.NotEqual(t, earlier, mark())
				require.NoError(t, s.OpenProducer(t.Context(), 0, "snapshot"))
				_, err := s.Enqueue(t.Context(), store.EnqueueParams{
					Stream: "snapshot", Number: 1, Holds: []store.HoldChange{{Run: started.Run, Name: "h", Mark: earlier}},
				})
				require.NoError(t, err)
			}
			if !yield(file(fmt.Sprint(i)), nil) {
				return
			}
		}
	}
	_, err = newEnqueuer(t, s).EnqueueAll(t.Context(), started.Run, "ingest", lossy, &enqueue.AllOptions{Hold: "h"})
	require.ErrorIs(t, err, store.ErrHoldLost)
	in, err := s.Inspect(t.Context(), started.Run)
	require.NoError(t, err)
	require.Len(t, in.Holds, 1, "of the call none is left")
}
