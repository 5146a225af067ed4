package enqueue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

func TestAnEnqueuerNeedsAStore(t *testing.T) {
	_, err := enqueue.New(enqueue.Config{})
	require.ErrorIs(t, err, store.ErrInvalid)
	require.ErrorContains(t, err, "Store is nil")
}

func TestAReceiptNamesTheStoredTask(t *testing.T) {
	f := &fake{}
	receipt, err := newEnqueuer(t, f).Enqueue(t.Context(), run, "ingest", file("a"))
	require.NoError(t, err)
	require.Equal(t, run, receipt.Run)
	require.False(t, receipt.Duplicate)
	require.Len(t, f.batches, 1)
	entry := f.batches[0].Entries[0]
	require.Equal(t, run, entry.Run)
	require.Equal(t, receipt.ID, entry.Item.Task.ID)
	require.Equal(t, store.Route{Queue: "default", Set: "ingest", Kind: "file"}, entry.Item.Route)
}

func TestBadInputNamesTheFieldAndSendsNothing(t *testing.T) {
	f := &fake{}
	e := newEnqueuer(t, f)
	ctx := t.Context()
	_, err := e.Enqueue(ctx, store.RunID{}, "", enqueue.Item{})
	require.ErrorIs(t, err, store.ErrInvalid)
	for _, field := range []string{"Name is empty", "Number is not", "Set is empty", "Args is nil"} {
		require.ErrorContains(t, err, field)
	}
	require.ErrorIs(t, e.SetHold(ctx, run, "", true), store.ErrInvalid)
	require.ErrorIs(t, e.SetHold(ctx, run, strings.Repeat("h", 65), true), store.ErrInvalid)
	_, err = e.EnqueueAll(ctx, run, "ingest", nil, nil)
	require.ErrorIs(t, err, store.ErrInvalid)
	_, err = e.EnqueueAll(ctx, run, "ingest", files(1), &enqueue.AllOptions{Hold: store.HoldOpen})
	require.ErrorIs(t, err, store.ErrInvalid)
	_, err = e.EnqueueAll(ctx, run, "ingest", files(1), &enqueue.AllOptions{Hold: "a hold"})
	require.ErrorContains(t, err, "Hold may hold only")
	_, err = e.EnqueueAll(ctx, store.RunID{}, "ingest", files(1), nil)
	require.ErrorContains(t, err, "Number is not")
	require.ErrorContains(t, e.SetHold(ctx, store.RunID{}, "hold", true), "Name is empty")
	require.Zero(t, f.calls+f.opened)
}

func TestCallersThatMeetShareOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers = 200
		release := make(chan struct{})
		f := &fake{
			before: func(_ context.Context, call int) error {
				if call == 1 {
					<-release
				}
				return nil
			},
			judge: func(e store.Entry) store.EnqueueResult {
				switch {
				case strings.HasPrefix(e.Item.Task.ID, "dup-"):
					return store.EnqueueResult{Duplicate: true}
				case strings.HasPrefix(e.Item.Task.ID, "bad-"):
					return store.EnqueueResult{Err: store.ErrRunFinished}
				}
				return store.EnqueueResult{}
			},
		}
		e := newEnqueuer(t, f)
		enqueueAs := func(id string) (enqueue.Receipt, error) {
			return e.Enqueue(context.Background(), run, "ingest", enqueue.Task(fileArgs{id}, &enqueue.Options{ID: id}))
		}
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = enqueueAs("first") })
		synctest.Wait() // the first call is in flight: everyone else gathers
		for i := range callers {
			wg.Go(func() {
				id := fmt.Sprintf("%s-%d", []string{"new", "dup", "bad"}[i%3], i)
				receipt, err := enqueueAs(id)
				if i%3 == 2 {
					require.ErrorIs(t, err, store.ErrRunFinished)
					return
				}
				require.NoError(t, err)
				require.Equal(t, id, receipt.ID)
				require.Equal(t, i%3 == 1, receipt.Duplicate)
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		require.Equal(t, 2, f.calls, "everything that gathered behind the first call goes with the second")
		require.Len(t, f.batches[1].Entries, callers)
	})
}

func TestABatchStaysWithinTheLimitsOfACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		f := &fake{before: func(_ context.Context, call int) error {
			if call == 1 {
				<-release
			}
			return nil
		}}
		e := newEnqueuer(t, f)
		big := strings.Repeat("x", 400<<10)
		var wg sync.WaitGroup
		for i := range 300 {
			wg.Go(func() {
				path := "small"
				if i < 8 {
					path = big
				}
				_, err := e.Enqueue(context.Background(), run, "ingest", file(path))
				require.NoError(t, err)
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		total := 0
		for _, batch := range f.batches {
			size := 0
			for _, entry := range batch.Entries {
				size += encode.Size(entry.Item)
			}
			require.LessOrEqual(t, size, 1<<20)
			require.LessOrEqual(t, len(batch.Entries), bounds.MaxBatch)
			total += len(batch.Entries)
		}
		require.Equal(t, 300, total)
	})
}

func TestAFailedCallFailsEveryCallerOfItsBatchAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{before: func(_ context.Context, call int) error {
			if call == 1 {
				return store.Transient(errors.New("cut"))
			}
			return nil
		}}
		e := newEnqueuer(t, f)
		_, err := e.Enqueue(t.Context(), run, "ingest", file("a"))
		require.ErrorIs(t, err, store.ErrUnavailable)
		_, err = e.Enqueue(t.Context(), run, "ingest", file("b"))
		require.NoError(t, err)
		require.Equal(t, 2, f.opened, "a stream whose last result is unknown is abandoned")
	})
}

func TestAForgottenStreamIsReplacedOnce(t *testing.T) {
	f := &fake{}
	e := newEnqueuer(t, f)
	_, err := e.Enqueue(t.Context(), run, "ingest", file("a"))
	require.NoError(t, err)
	f.forget()
	_, err = e.Enqueue(t.Context(), run, "ingest", file("b"))
	require.NoError(t, err)
	require.Equal(t, 2, f.opened)
	require.Equal(t, 2, f.stored)

	f.before = func(context.Context, int) error { return store.ErrResultUnknown }
	_, err = e.Enqueue(t.Context(), run, "ingest", file("c"))
	require.ErrorIs(t, err, store.ErrResultUnknown)
	require.Equal(t, 5, f.calls, "a, b and its repeat, c and its repeat")
	require.Equal(t, 2, f.stored)
}

func TestAStreamForgottenDuringARepeatIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{before: func(_ context.Context, call int) error {
			if call == 1 {
				return store.Transient(errors.New("reply lost"))
			}
			return store.ErrResultUnknown
		}}
		e := newEnqueuer(t, store.WithRetry(f, nil))
		_, err := e.Enqueue(t.Context(), run, "ingest", file("a"))
		require.ErrorIs(t, err, store.ErrResultUnknown)
		require.Equal(t, 2, f.calls, "the first try may have been applied: a third could count twice")
	})
}

func TestAStreamThatCannotBeOpenedIsTriedAgain(t *testing.T) {
	f := &fake{openErr: store.ErrOutOfMemory}
	e := newEnqueuer(t, f)
	_, err := e.Enqueue(t.Context(), run, "ingest", file("a"))
	require.ErrorIs(t, err, store.ErrOutOfMemory)
	require.Zero(t, f.calls)
	f.openErr = nil
	_, err = e.Enqueue(t.Context(), run, "ingest", file("a"))
	require.NoError(t, err)
}

func TestACallerWhoGivesUpFailsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		f := &fake{before: func(ctx context.Context, call int) error {
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		e := newEnqueuer(t, f)
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { // it is the one whose arrival started the call
			_, err := e.Enqueue(impatient, run, "ingest", file("a"))
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
		synctest.Wait()
		wg.Go(func() { // it gathers, and withdraws before it is sent
			_, err := e.Enqueue(impatient, run, "ingest", file("b"))
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
		wg.Go(func() {
			_, err := e.Enqueue(context.Background(), run, "ingest", file("c"))
			require.NoError(t, err)
		})
		time.Sleep(2 * time.Second)
		close(release)
		wg.Wait()
		require.Equal(t, 2, f.stored, "the call under way was not taken back, the waiting entry was")
		_, err := e.Enqueue(impatient, run, "ingest", file("d"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 2, f.calls)
	})
}

func TestCloseWaitsForWhatWasAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		f := &fake{before: func(context.Context, int) error { <-release; return nil }}
		e, err := enqueue.New(enqueue.Config{Store: f})
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range 2 { // one in flight, one waiting
			wg.Go(func() {
				_, err := e.Enqueue(context.Background(), run, "ingest", file("a"))
				require.NoError(t, err)
			})
			synctest.Wait()
		}
		closed := false
		wg.Go(func() {
			require.NoError(t, e.Close())
			closed = true
		})
		synctest.Wait()
		require.False(t, closed)
		_, err = e.Enqueue(t.Context(), run, "ingest", file("b"))
		require.ErrorIs(t, err, store.ErrClosed)
		close(release)
		wg.Wait()
		require.True(t, closed)
		require.Equal(t, 2, f.stored)
		require.NoError(t, e.Close())
		require.ErrorIs(t, e.SetHold(t.Context(), run, "h", true), store.ErrClosed)
	})
}

func TestEveryPartitionHasItsOwnStream(t *testing.T) {
	f := &fake{partitions: 4}
	e := newEnqueuer(t, f)
	for i := range 64 {
		id := store.RunID{Job: fmt.Sprint("job-", i), Number: 1}
		_, err := e.Enqueue(t.Context(), id, "ingest", file("a"))
		require.NoError(t, err)
	}
	require.Equal(t, 4, f.opened)
	for _, batch := range f.batches {
		for _, entry := range batch.Entries {
			require.Equal(t, store.PartitionOf(entry.Run.Job, 4), batch.Partition)
		}
	}
}

func TestSetHoldOpensAndCloses(t *testing.T) {
	f := &fake{}
	e := newEnqueuer(t, f)
	require.NoError(t, e.SetHold(t.Context(), run, "upload", true))
	require.True(t, f.open["upload"])
	require.NoError(t, e.SetHold(t.Context(), run, "upload", false))
	require.False(t, f.open["upload"])
	f.refuse = store.ErrRunFinished
	require.ErrorIs(t, e.SetHold(t.Context(), run, store.HoldOpen, false), store.ErrRunFinished)
}
