package store_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

var errCut = errors.New("connection reset")

// scripted fails its first calls with the given errors, then succeeds. Every
// method of the contract that may be repeated goes through call; a method that is
// missing here panics, since no Store stands behind it.
type scripted struct {
	store.Store
	failures []error
	calls    int
	at       []time.Time
	enqueued []store.EnqueueParams
	hang     bool // block until the context ends instead of failing
}

func (s *scripted) call(ctx context.Context) error {
	s.calls++
	s.at = append(s.at, time.Now())
	if s.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if s.calls <= len(s.failures) {
		return s.failures[s.calls-1]
	}
	return nil
}

// dead never answers.
type dead struct {
	store.Store
	calls int
}

func (d *dead) Ping(context.Context) error {
	d.calls++
	return store.Transient(errCut)
}

func times(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// telling is a store that signals every change.
type telling struct{ store.Store }

func (telling) SignalsAreComplete() bool { return true }

func TestRepeatsHideNothingOfWhatAStoreTells(t *testing.T) {
	var silent struct{ store.Store }
	require.False(t, store.SignalsAreComplete(silent))
	require.False(t, store.SignalsAreComplete(store.WithRetry(silent, nil)))
	require.True(t, store.SignalsAreComplete(store.WithRetry(store.WithRetry(telling{}, nil), nil)))
}

func TestEveryMethodIsRepeatedWithTheSameParameters(t *testing.T) {
	contract := reflect.TypeFor[store.Store]()
	passThrough := map[string]bool{"Subscribe": true, "Close": true, "Partitions": true}
	for i := range contract.NumMethod() {
		method := contract.Method(i)
		if passThrough[method.Name] {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			fake := &scripted{failures: times(2, store.Transient(errCut))}
			var events []store.RetryEvent
			wrapped := store.WithRetry(fake, &store.RetryOptions{OnRetry: func(e store.RetryEvent) { events = append(events, e) }})

			in := []reflect.Value{reflect.ValueOf(t.Context())}
			for _, arg := range valid[method.Name] {
				in = append(in, reflect.ValueOf(arg))
			}
			out := reflect.ValueOf(wrapped).MethodByName(method.Name).Call(in)

			require.Nil(t, out[len(out)-1].Interface(), method.Name)
			require.Equal(t, 3, fake.calls, "%s must be repeated until it succeeds", method.Name)
			require.Len(t, events, 2)
			for i, e := range events {
				require.Equal(t, method.Name, e.Method)
				require.Equal(t, i+1, e.Attempt)
				require.ErrorIs(t, e.Err, errCut)
				require.Equal(t, fake.at[i].Add(e.Wait), fake.at[i+1], "the wait that was announced is the one that was made")
			}
		})
	}
}

func TestRepeatsShareTheCallersSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &scripted{failures: times(3, store.Transient(errCut))}
		p := store.EnqueueParams{Stream: "s", Number: 7, Entries: entries(bounds.MaxBatch)}

		_, err := store.WithRetry(fake, nil).Enqueue(t.Context(), p)

		require.NoError(t, err)
		require.Len(t, fake.enqueued, 4)
		for _, got := range fake.enqueued {
			require.Equal(t, p.Number, got.Number)
			require.Same(t, &p.Entries[0], &got.Entries[0])
		}
	})
}

func TestPermanentErrorsAreReturnedAtOnceAndUnwrapped(t *testing.T) {
	for _, permanent := range []error{
		store.ErrResultUnknown, store.ErrStale, store.ErrLeaseLost, store.ErrRunNotFound, store.ErrOutOfMemory, store.ErrClosed,
		&store.FieldError{Field: "Name", Reason: "is empty"}, &store.JobExistsError{},
	} {
		fake := &scripted{failures: times(1, permanent)}

		_, err := store.WithRetry(fake, nil).Enqueue(t.Context(), store.EnqueueParams{Stream: "s", Number: 1})

		require.Equal(t, permanent, err)
		require.Equal(t, 1, fake.calls)
	}
}

func TestARefusalOfARepeatSaysThatItWasRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &scripted{failures: []error{store.Transient(errCut), store.ErrResultUnknown}}

		_, err := store.WithRetry(fake, nil).Enqueue(t.Context(), store.EnqueueParams{Stream: "s", Number: 1})

		require.ErrorIs(t, err, store.ErrResultUnknown)
		require.NotErrorIs(t, err, store.ErrUnavailable)
		var repeated *store.RetryError
		require.ErrorAs(t, err, &repeated)
		require.Equal(t, 2, repeated.Attempts)
		require.Equal(t, "store: Enqueue failed after 2 attempts: result unknown", err.Error())
	})
}

func TestAnUnreachableStoreEndsACallWithoutDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, start := &dead{}, time.Now()

		err := store.WithRetry(fake, nil).Ping(context.Background())

		require.Equal(t, 30*time.Second, time.Since(start))
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.ErrorIs(t, err, errCut)
		var given *store.RetryError
		require.ErrorAs(t, err, &given)
		require.Equal(t, "Ping", given.Method)
		require.Equal(t, fake.calls, given.Attempts)
		require.Greater(t, given.Attempts, 15, "the cap keeps attempts coming")
	})
}

func TestAHangingStoreEndsACallWithoutDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, start := &scripted{hang: true}, time.Now()

		err := store.WithRetry(fake, &store.RetryOptions{MaxElapsed: time.Second}).Ping(context.Background())

		require.Equal(t, time.Second, time.Since(start))
		require.ErrorIs(t, err, store.ErrUnavailable, "the store is at fault, not the caller's context")
		var given *store.RetryError
		require.ErrorAs(t, err, &given)
		require.Equal(t, 1, given.Attempts)
	})
}

func TestTheContextEndsTheWait(t *testing.T) {
	cause := errors.New("shutting down")
	synctest.Test(t, func(t *testing.T) {
		fake, start := &dead{}, time.Now()
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })

		err := store.WithRetry(fake, nil).Ping(ctx)

		require.Equal(t, time.Second, time.Since(start))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, cause)
		require.ErrorIs(t, err, errCut, "the last failure of the store is kept")
	})
}

func TestTheContextEndsAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		err := store.WithRetry(&scripted{hang: true}, nil).Ping(ctx)

		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, store.ErrUnavailable)
		require.Equal(t, "store: Ping failed after 1 attempt: context deadline exceeded", err.Error())
	})
}

func TestAnEndedContextSendsNothing(t *testing.T) {
	fake := &scripted{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	err := store.WithRetry(fake, nil).Ping(ctx)

	require.ErrorIs(t, err, context.Canceled)
	var given *store.RetryError
	require.ErrorAs(t, err, &given)
	require.Zero(t, given.Attempts)
	require.Zero(t, fake.calls)
}

func TestWaitsAreDrawnBelowADoublingCappedBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rounds, attempts = 200, 8
		var longest, total [attempts]time.Duration
		const ms = time.Millisecond
		bounds := [attempts]time.Duration{10 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, 200 * ms, 200 * ms, 200 * ms}
		for range rounds {
			opts := &store.RetryOptions{Base: 10 * ms, Cap: 200 * ms, OnRetry: func(e store.RetryEvent) {
				longest[e.Attempt-1] = max(longest[e.Attempt-1], e.Wait)
				total[e.Attempt-1] += e.Wait
			}}
			fake := &scripted{failures: times(attempts, store.Transient(errCut))}
			require.NoError(t, store.WithRetry(fake, opts).Ping(t.Context()))
		}
		for i, bound := range bounds {
			require.Less(t, longest[i], bound)
			require.Greater(t, longest[i], bound*3/4, "the whole range is used")
			require.InDelta(t, bound/2, total[i]/rounds, float64(bound)/5, "evenly")
		}
	})
}

func TestARepeatedDeleteThatFindsNothingSucceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := []error{store.Transient(errCut), store.ErrRunNotFound}
		require.NoError(t, store.WithRetry(&scripted{failures: gone}, nil).DeleteRun(t.Context(), validRun))
		gone = []error{store.Transient(errCut), store.ErrJobNotFound}
		require.NoError(t, store.WithRetry(&scripted{failures: gone}, nil).DeleteJob(t.Context(), "j"))
		require.ErrorIs(t, store.WithRetry(&scripted{failures: gone[1:]}, nil).DeleteJob(t.Context(), "j"), store.ErrJobNotFound)
		gone = []error{store.Transient(errCut), store.ErrLeaseLost}
		require.NoError(t, store.WithRetry(&scripted{failures: gone}, nil).ReleaseSemaphore(t.Context(), "k", "t"))
		require.ErrorIs(t, store.WithRetry(&scripted{failures: gone[1:]}, nil).ReleaseSemaphore(t.Context(), "k", "t"), store.ErrLeaseLost)
	})
}

func TestSubscribeCloseAndPartitionsPassThrough(t *testing.T) {
	fake := &scripted{failures: times(2, store.Transient(errCut))}
	wrapped := store.WithRetry(fake, &store.RetryOptions{OnRetry: func(store.RetryEvent) { t.Error("repeated") }})

	require.ErrorIs(t, wrapped.Close(), errCut)
	require.ErrorIs(t, wrapped.Subscribe(t.Context(), func(store.Signal) {}), errCut)
	require.Equal(t, 1, wrapped.Partitions())
	require.Equal(t, 2, fake.calls)
}

func TestNegativeDurationsMeanTheDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, start := &dead{}, time.Now()
		opts := &store.RetryOptions{Base: -1, Cap: -1, MaxElapsed: -1}

		err := store.WithRetry(fake, opts).Ping(t.Context())

		require.ErrorIs(t, err, errCut)
		require.Equal(t, 30*time.Second, time.Since(start))
	})
}

func TestOptionsAreCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := &store.RetryOptions{MaxElapsed: time.Second}
		start := time.Now()
		wrapped := store.WithRetry(&dead{}, opts)
		opts.MaxElapsed = time.Hour

		err := wrapped.Ping(t.Context())

		require.Error(t, err)
		require.Equal(t, time.Second, time.Since(start))
	})
}
