package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/rollcall-go/rollcall/internal/guard"
)

// The defaults of [RetryOptions].
const (
	defaultRetryBase       = 20 * time.Millisecond
	defaultRetryCap        = 2 * time.Second
	defaultRetryMaxElapsed = 30 * time.Second
)

// RetryOptions tunes [WithRetry]. Durations that are zero or negative mean the
// default.
type RetryOptions struct {
	// Base is the backoff after the first attempt; it doubles with each one that
	// follows. Each wait is drawn evenly from zero up to the backoff, so that
	// callers that failed together do not come back together. Defaults to
	// 20 ms.
	Base time.Duration

	// Cap bounds the backoff. Defaults to 2 s.
	Cap time.Duration

	// MaxElapsed bounds a call, all attempts and waits taken together, whether
	// or not its context has a deadline: an attempt that hangs is cancelled then.
	// An Enqueue or WriteValues that is repeated for longer than 10 minutes may get
	// [ErrResultUnknown], see [bounds.StreamKept]. Defaults to 30 s.
	MaxElapsed time.Duration

	// OnRetry is told of each failed attempt that will be followed by another, before the wait, and
	// waited for, a second at most: while it blocks, it is told of nothing more. It may be called many
	// times at once; a panic of it is dropped, and the call goes on. Defaults to nobody.
	OnRetry func(RetryEvent)
}

// RetryEvent is one failed attempt that will be repeated.
type RetryEvent struct {
	Method  string        // of the Store, for example "Enqueue"
	Attempt int           // which attempt failed, from 1
	Err     error         // how it failed
	Wait    time.Duration // until the next attempt
}

// RetryError is returned by a Store made by [WithRetry] for a call that was
// given up, or that was repeated and then refused. It wraps the last failure of
// the store and, if that is why it was given up, the error and cause of the
// context.
//
// Attempts tells what may have happened. With 0 nothing was sent. If the call
// was given up after 1 or more, its result is unknown, and the same parameters
// may be passed again. If it was refused after 2 or more, an earlier attempt may
// have been applied: an [ErrResultUnknown] can then not be answered by opening
// a new stream. An error that is not wrapped in a RetryError is the answer to
// the first and only attempt.
type RetryError struct {
	Method   string
	Attempts int
	Err      error
}

// Error implements error.
func (e *RetryError) Error() string {
	if e.Attempts == 0 {
		return fmt.Sprintf("store: %s was not tried: %v", e.Method, e.Err)
	}
	unit := "attempts"
	if e.Attempts == 1 {
		unit = "attempt"
	}
	return fmt.Sprintf("store: %s failed after %d %s: %v", e.Method, e.Attempts, unit, e.Err)
}

// Unwrap returns what ended the call.
func (e *RetryError) Unwrap() error { return e.Err }

// Checked returns a Store that answers bad input with a [*FieldError] before s sees it: every
// method checks its parameters there, once, whichever backend is behind it. A backend may rely on
// that, and its constructor returns what Checked makes of it. Calls are not repeated; see
// [WithRetry].
func Checked(s Store) Store {
	if _, ok := s.(*front); ok {
		return s
	}
	return &front{Store: s}
}

// WithRetry returns a Store that checks parameters as [Checked] does, and repeats calls of s with
// exactly the same parameters while they fail with [ErrUnavailable], as the contract allows for
// every method (promise P10). Nothing is copied: the parameters stay the caller's, who must not
// change them before the call returns.
//
// All other errors, and success, are returned at once. A call ends with a
// [*RetryError] when its context or opts.MaxElapsed ends first. A delete of which
// only a repeat finds nothing left succeeded. Subscribe, which
// reconnects by itself, Close and Partitions pass through.
//
// A store that checks or repeats already is not wrapped twice. With nil for opts one that repeats
// is returned as it is, and another one gets the defaults; otherwise its own options give way.
func WithRetry(s Store, opts *RetryOptions) Store {
	if f, ok := s.(*front); ok {
		if f.repeats && opts == nil {
			return s
		}
		s = f.Store // or the waits of both would add up
	}
	return newFront(s, opts)
}

// front stands before a backend: it checks what callers pass, and repeats calls if it is made to.
// It embeds the Store for what passes through; everything else is overridden in retry_methods.go.
type front struct {
	Store
	repeats bool
	opts    RetryOptions
	patient guard.Patient // with OnRetry
}

func newFront(s Store, opts *RetryOptions) *front {
	f := &front{Store: s, repeats: true}
	if opts != nil {
		f.opts = *opts
	}
	setDefault(&f.opts.Base, defaultRetryBase)
	setDefault(&f.opts.Cap, defaultRetryCap)
	setDefault(&f.opts.MaxElapsed, defaultRetryMaxElapsed)
	return f
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

// SignalsAreComplete passes the power on. It is the store's own.
func (r *front) SignalsAreComplete() bool { return SignalsAreComplete(r.Store) }

// errElapsed marks the end of a call by MaxElapsed, as against its caller's
// context.
var errElapsed = errors.New("time limit for repeats reached")

// Repeat makes one call, and repeats it as [WithRetry] repeats calls of a store. It is for calls
// before there is a store, such as opening one. The call must be safe to repeat.
func Repeat[R any](
	ctx context.Context, opts *RetryOptions, method string, call func(context.Context) (R, error),
) (R, error) {
	return repeat(ctx, newFront(nil, opts), method, nil, call)
}

// repeat runs call until it succeeds, fails for good or runs out of time; once, if the front does
// not repeat. It makes no call if the input is bad.
func repeat[R any](
	ctx context.Context, r *front, method string, bad error, call func(context.Context) (R, error),
) (R, error) {
	if bad != nil {
		return *new(R), bad
	}
	if !r.repeats {
		return call(ctx)
	}
	bounded := ctx // which may end soon enough without a timer
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > r.opts.MaxElapsed {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeoutCause(ctx, r.opts.MaxElapsed, errElapsed)
		defer cancel()
	}

	attempts := 0
	var last error // the last failure that was to be repeated
	backoff := r.backoff(func(wait time.Duration) {
		if r.opts.OnRetry != nil {
			_ = guard.Tell(
				&r.patient, r.opts.OnRetry, RetryEvent{Method: method, Attempt: attempts, Err: last, Wait: wait},
			)
		}
	})
	v, err := retry.DoValue(bounded, backoff, func(ctx context.Context) (R, error) {
		attempts++
		v, err := call(ctx)
		if errors.Is(err, ErrUnavailable) {
			last = err
			err = retry.RetryableError(err)
		}
		return v, err
	})

	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, bounded.Err()) || errors.Is(err, context.Cause(bounded)):
		return v, &RetryError{Method: method, Attempts: attempts, Err: givenUp(ctx, err, last)}
	case attempts > 1:
		return v, &RetryError{Method: method, Attempts: attempts, Err: err}
	default:
		return v, err
	}
}

// repeatErr is repeat for methods that return no value.
func repeatErr(ctx context.Context, r *front, method string, bad error, call func(context.Context) error) error {
	_, err := repeat(ctx, r, method, bad, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, call(ctx)
	})
	return err
}

// backoff is a fresh sequence of waits; observe is told of each.
func (r *front) backoff(observe func(wait time.Duration)) retry.Backoff {
	var waits retry.Backoff // most calls need none
	return retry.BackoffFunc(func() (time.Duration, bool) {
		if waits == nil {
			waits = retry.WithFullJitter(retry.WithCappedDuration(r.opts.Cap, retry.NewExponential(r.opts.Base)))
		}
		wait, stop := waits.Next()
		if !stop {
			observe(wait)
		}
		return wait, stop
	})
}

// givenUp explains why a call ended without an answer: err is what ended it,
// last the failure before that, if any, and ctx the caller's context.
func givenUp(ctx context.Context, err, last error) error {
	end := ctx.Err()
	switch cause := context.Cause(ctx); {
	case end == nil && last == nil:
		return Transient(fmt.Errorf("%w: %w", errElapsed, err)) // the first attempt hung
	case end == nil:
		return fmt.Errorf("%w: %w", errElapsed, last)
	case !errors.Is(cause, end):
		end = fmt.Errorf("%w: %w", end, cause)
	}
	if last == nil {
		return end
	}
	return fmt.Errorf("%w: %w", end, last)
}
