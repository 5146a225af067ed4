package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

func files(n int) iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		for i := range n {
			if !yield(enqueue.Task(fileArgs{fmt.Sprint(i)}, nil), nil) {
				return
			}
		}
	}
}

// fanOut runs a handler that enqueues over the runtime.
func fanOut(t *testing.T, rt *runtime, handler scanHandler) store.Outcome {
	t.Helper()
	r := registry(t, handlers.SetConfig{}, handler, nil)
	return r.Execute(t.Context(), delivery("scan", store.Task{}), execute.Config{Runtime: rt})
}

func enqueueing(items iter.Seq2[enqueue.Item, error]) scanHandler {
	return func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		_, err := task.EnqueueAll(ctx, items)
		return err
	}
}

// staged counts what was staged, and checks the obligations of [store.StageParams].
func (r *runtime) staged(t *testing.T) map[store.Route]int {
	t.Helper()
	offsets := make(map[store.Route]int)
	for _, call := range r.stages {
		require.Equal(t, delivery("scan", store.Task{}).Lease, call.lease)
		require.Equal(t, offsets[call.route], call.offset)
		require.NotEmpty(t, call.items)
		require.LessOrEqual(t, len(call.items), bounds.MaxBatch)
		for _, it := range call.items {
			require.Equal(t, call.route, it.Route)
		}
		offsets[call.route] += len(call.items)
	}
	return offsets
}

var fileRoute = store.Route{Queue: "file", Set: "ingest", Kind: "file"}

func TestFewChildrenTravelWithTheSuccess(t *testing.T) {
	for _, n := range []int{0, 1, 128} {
		rt := &runtime{}
		out := fanOut(t, rt, enqueueing(files(n)))
		require.Equal(t, verdicts.Success, out.Verdict)
		require.Len(t, out.Children, n)
		require.Empty(t, out.Staged)
		require.Empty(t, rt.stages)
		for i, child := range out.Children {
			require.Equal(t, fileRoute, child.Route)
			require.JSONEq(t, fmt.Sprintf(`{"path":"%d"}`, i), string(child.Task.Payload))
		}
	}
}

func TestManyChildrenAreAllStaged(t *testing.T) {
	for _, n := range []int{129, 256, 257, 10_000} {
		rt := &runtime{}
		out := fanOut(t, rt, enqueueing(files(n)))
		require.Equal(t, verdicts.Success, out.Verdict)
		require.Empty(t, out.Children)
		require.Equal(t, []store.Staged{{Route: fileRoute, Count: n}}, out.Staged)
		require.Equal(t, map[store.Route]int{fileRoute: n}, rt.staged(t))
	}
}

func TestLargeChildrenAreStaged(t *testing.T) {
	rt := &runtime{}
	out := fanOut(t, rt, func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		for _, kib := range []int{40, 40, 900, 1, 1} {
			_, err := task.Enqueue(ctx, fileArgs{strings.Repeat("x", kib<<10)}, nil)
			require.NoError(t, err)
		}
		return nil
	})
	require.Empty(t, out.Children)
	require.Equal(t, map[store.Route]int{fileRoute: 5}, rt.staged(t))
	for _, call := range rt.stages {
		size := 0
		for _, it := range call.items {
			size += encode.Size(it)
		}
		require.True(t, size <= 64<<10 || len(call.items) == 1)
	}
}

func TestFanOutGathersNoMoreThanOneChunkWhateverTheRoutes(t *testing.T) {
	rt := &runtime{}
	stored, ahead := 0, 0
	rt.onStage = func(_ context.Context, call stageCall) error {
		stored += len(call.items)
		return nil
	}
	items := func(yield func(enqueue.Item, error) bool) {
		for i := range 50_000 {
			ahead = max(ahead, i-stored)
			if !yield(enqueue.Task(fileArgs{"a"}, &enqueue.Options{Queue: fmt.Sprint("q", i%7)}), nil) {
				return
			}
		}
	}
	out := fanOut(t, rt, enqueueing(items))
	require.Equal(t, verdicts.Success, out.Verdict)
	require.Len(t, out.Staged, 7)
	require.LessOrEqual(t, ahead, bounds.MaxBatch)
	total := 0
	for _, n := range rt.staged(t) {
		total += n
	}
	require.Equal(t, 50_000, total)
}

func TestAFanOutIntoTooManyRoutesIsRefused(t *testing.T) {
	items := func(yield func(enqueue.Item, error) bool) {
		for i := range 1000 {
			if !yield(enqueue.Task(fileArgs{"a"}, &enqueue.Options{Queue: fmt.Sprint("q", i)}), nil) {
				return
			}
		}
	}
	out := fanOut(t, &runtime{}, enqueueing(items))
	require.Equal(t, verdicts.Retry, out.Verdict)
	require.Contains(t, out.Error, "Queue makes more than 256 different routes")
}

func TestConcurrentEnqueuesOfAHandlerAreAllKept(t *testing.T) {
	rt := &runtime{}
	ids := make(chan string, 4000)
	out := fanOut(t, rt, func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 500 {
					receipt, err := task.Enqueue(ctx, fileArgs{"a"}, nil)
					require.NoError(t, err)
					ids <- receipt.ID
					task.Log().Debug("enqueued")
				}
			})
		}
		wg.Wait()
		return nil
	})
	close(ids)
	require.Equal(t, verdicts.Success, out.Verdict)
	require.Equal(t, map[store.Route]int{fileRoute: 4000}, rt.staged(t))
	known := make(map[string]bool)
	for _, call := range rt.stages {
		for _, it := range call.items {
			known[it.Task.ID] = true
		}
	}
	for id := range ids {
		require.True(t, known[id])
	}
}

func TestAFailedAttemptHasNoChildren(t *testing.T) {
	for _, n := range []int{5, 1000} {
		rt := &runtime{}
		out := fanOut(t, rt, func(ctx context.Context, task *handlers.Task[scanArgs]) error {
			_, err := task.EnqueueAll(ctx, files(n))
			require.NoError(t, err)
			return errBroken
		})
		require.Equal(t, verdicts.Retry, out.Verdict)
		require.Empty(t, out.Children)
		if n > 5 {
			require.Equal(t, []store.Staged{{Route: fileRoute, Count: rt.staged(t)[fileRoute]}}, out.Staged, "for the store to remove")
		}
	}
}

func TestNothingIsAddedAfterTheHandlerReturned(t *testing.T) {
	var late *handlers.Attempt
	out := fanOut(t, &runtime{}, func(_ context.Context, task *handlers.Task[scanArgs]) error {
		late = task.Attempt
		return nil
	})
	require.Equal(t, verdicts.Success, out.Verdict)
	_, err := late.Enqueue(t.Context(), fileArgs{"a"}, nil)
	require.ErrorIs(t, err, handlers.ErrAttemptEnded)
	require.Empty(t, out.Children)
}

func TestAnAttemptWhoseChildrenAreIncompleteCannotSucceed(t *testing.T) {
	for name, test := range map[string]struct {
		refusal error
		verdict verdicts.Verdict
	}{
		"store down":    {store.Transient(errors.New("cut")), verdicts.Retry},
		"stopped":       {store.ErrJobStopped, verdicts.Cancel},
		"lease lost":    {store.ErrLeaseLost, 0},
		"children lost": {store.ErrChildrenLost, verdicts.Snooze},
		"out of memory": {fmt.Errorf("stage: %w", store.ErrOutOfMemory), verdicts.Snooze},
	} {
		t.Run(name, func(t *testing.T) {
			for _, swallow := range []bool{false, true} {
				for _, failAt := range []int{1, 3} { // while it runs; with the last chunk
					calls := 0
					rt := &runtime{onStage: func(context.Context, stageCall) error {
						if calls++; calls == failAt {
							return test.refusal
						}
						return nil
					}}
					out := fanOut(t, rt, func(ctx context.Context, task *handlers.Task[scanArgs]) error {
						_, err := task.EnqueueAll(ctx, files(600))
						if failAt == 1 {
							require.ErrorIs(t, err, test.refusal)
							_, again := task.Enqueue(ctx, fileArgs{"a"}, nil)
							require.ErrorIs(t, again, test.refusal)
						}
						if swallow {
							return nil
						}
						return err
					})
					require.Equal(t, test.verdict, out.Verdict)
					require.Empty(t, out.Children)
					require.Zero(t, out.Task.Snoozes, "a loss costs nothing")
					require.Equal(t, errors.Is(test.refusal, store.ErrOutOfMemory), out.Delay == time.Second)
					require.Equal(
						t, []store.Staged{{Route: fileRoute, Count: bounds.MaxBatch * (failAt - 1)}}, out.Staged,
						"for the store to remove",
					)
				}
			}
		})
	}
}

func TestARefusalByAnotherJobIsAnOrdinaryError(t *testing.T) {
	for _, refusal := range []error{store.ErrJobStopped, store.ErrLeaseLost} {
		out := fanOut(t, &runtime{}, func(context.Context, *handlers.Task[scanArgs]) error {
			return fmt.Errorf("enqueue into another job: %w", refusal)
		})
		require.Equal(t, verdicts.Retry, out.Verdict)
	}
}

func TestTheLastChunkIsStagedAlthoughTheContextEnded(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	rt := &runtime{onStage: func(ctx context.Context, _ stageCall) error { return ctx.Err() }}
	r := registry(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		_, err := task.EnqueueAll(ctx, files(300))
		cancel(handlers.ErrShutdown)
		return err
	}, nil)
	out := r.Execute(ctx, delivery("scan", store.Task{}), execute.Config{Runtime: rt})
	require.Equal(t, verdicts.Success, out.Verdict)
	require.Equal(t, map[store.Route]int{fileRoute: 300}, rt.staged(t))
}

func TestOneCallersContextDoesNotBreakTheFanOut(t *testing.T) {
	rt := &runtime{onStage: func(ctx context.Context, _ stageCall) error { return ctx.Err() }}
	out := fanOut(t, rt, func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		child, cancel := context.WithCancel(ctx)
		sum, err := task.EnqueueAll(child, func(yield func(enqueue.Item, error) bool) {
			for it, err := range files(1000) {
				if !yield(it, err) {
					return
				}
				cancel()
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 1, sum.Enqueued)
		_, err = task.EnqueueAll(ctx, files(999))
		return err
	})
	require.Equal(t, verdicts.Success, out.Verdict)
	require.Equal(t, map[store.Route]int{fileRoute: 1000}, rt.staged(t))
}

func TestAnErrorOfTheSequenceReachesTheHandler(t *testing.T) {
	items := func(yield func(enqueue.Item, error) bool) {
		_ = yield(enqueue.Task(fileArgs{"a"}, nil), nil) && yield(enqueue.Item{}, errBroken)
	}
	out := fanOut(t, &runtime{}, func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		sum, err := task.EnqueueAll(ctx, items)
		require.Equal(t, 1, sum.Enqueued)
		return err
	})
	require.Equal(t, verdicts.Retry, out.Verdict)
	require.Contains(t, out.Error, errBroken.Error())
}

func TestABadChildIsRefusedAndTheAttemptGoesOn(t *testing.T) {
	out := fanOut(t, &runtime{}, func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		_, err := task.Enqueue(ctx, enqueue.Raw("unknown", nil, nil), nil)
		require.ErrorIs(t, err, store.ErrInvalid)
		_, err = task.Enqueue(ctx, fileArgs{"a"}, &enqueue.Options{ID: "\n"})
		require.ErrorIs(t, err, store.ErrInvalid)
		_, err = task.EnqueueAll(ctx, nil)
		require.ErrorContains(t, err, "Items is nil")
		_, err = task.Enqueue(ctx, fileArgs{"a"}, nil)
		return err
	})
	require.Equal(t, verdicts.Success, out.Verdict)
	require.Len(t, out.Children, 1)
}
