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

// RetryOptions configure [WithRetry]. Durations that are zero or negative mean the default.
type RetryOptions struct {
	// Base is the backoff after the first attempt. It doubles with each further attempt. Each wait is
	// a random time from zero to the backoff, so that callers that failed together do not retry
	// together. Defaults to 20 ms.
	Base time.Duration

	// Cap is the largest backoff. Defaults to 2 s.
	Cap time.Duration

	// MaxElapsed bounds a call, all attempts and waits taken together, whether
	// or not its context has a deadline: an attempt that hangs is cancelled then.
	// An Enqueue or WriteValues that is repeated for longer than 10 minutes may get
	// [ErrResultUnknown], see [bounds.StreamKept]. Defaults to 30 s.
	MaxElapsed time.Duration

	// OnRetry is called after each failed attempt that will be repeated, before the wait. The call
	// waits at most a second until it returns; while it blocks, it is not called again. It may be
	// called concurrently. If it panics, this is ignored. Defaults to none.
	OnRetry func(RetryEvent)
}

// RetryEvent is one failed attempt that will be repeated.
type RetryEvent struct {
	Method  string        // of the Store, for example "Enqueue"
	Attempt int           // which attempt failed, from 1
	Err     error         // how it failed
	Wait    time.Duration // until the next attempt
}

// RetryError is returned by a Store made by [WithRetry] for a call that was given up, or that was
// repeated and then refused. It wraps the last failure of the store. If the context ended the call,
// it also wraps the error and cause of the context.
//
// Attempts tells what may have happened. With 0, nothing was sent. If the call was given up after 1
// or more, its result is unknown, and it may be repeated with the same parameters. If it was
// refused after 2 or more, an earlier attempt may have been applied: after [ErrResultUnknown], do
// not send the same again in a new stream. An error that is not wrapped in a RetryError is the
// answer to the first and only attempt.
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

// Checked returns a Store that checks the parameters of every method, and returns a [*FieldError]
// for bad input before s sees it. So the checks are the same for all backends, and a backend need
// not check. The constructor of a backend returns it wrapped by Checked. Calls are not repeated;
// see [WithRetry].
func Checked(s Store) Store {
	if _, ok := s.(*front); ok {
		return s
	}
	return &front{Store: s}
}

// WithRetry returns a Store that checks parameters as [Checked] does. While a call of s fails with
// [ErrUnavailable], it repeats the call with the same parameters; the contract allows this for
// every method (promise P10). Parameters are not copied: do not change them before the call
// returns.
//
// Success and all other errors are returned at once. If its context or opts.MaxElapsed ends first,
// a call returns a [*RetryError]. If a repeat of a delete finds nothing, the delete has succeeded.
// Subscribe reconnects by itself, so it is not repeated; nor are Close and Partitions.
//
// A store that already checks or repeats is not wrapped twice. If s already repeats calls, nil opts
// keep its options, and other opts replace them. If it does not, nil opts mean all defaults.
func WithRetry(s Store, opts *RetryOptions) Store {
	if f, ok := s.(*front); ok {
		if f.repeats && opts == nil {
			return s
		}
		s = f.Store // otherwise the waits of both would add up
	}
	return newFront(s, opts)
}

// front wraps a backend. It checks parameters, and repeats calls if it is made by WithRetry. It
// embeds the Store; retry_methods.go overrides all methods that are checked or repeated.
type front struct {
	Store
	repeats bool
	opts    RetryOptions
	patient guard.Patient // calls OnRetry
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

// SignalsAreComplete returns the answer of the wrapped store.
func (r *front) SignalsAreComplete() bool { return SignalsAreComplete(r.Store) }

// errElapsed marks that MaxElapsed ended a call, not the context of its caller.
var errElapsed = errors.New("time limit for repeats reached")

// Repeat makes a call, and repeats it as [WithRetry] repeats calls of a store. It is for calls such
// as opening a store. The call must be safe to repeat.
func Repeat[R any](
	ctx context.Context, opts *RetryOptions, method string, call func(context.Context) (R, error),
) (R, error) {
	return repeat(ctx, newFront(nil, opts), method, nil, call)
}

// repeat makes a call until it succeeds, fails for good, or has no time left. If the front does not
// repeat, it makes the call once. If the input is bad, it makes no call.
func repeat[R any](
	ctx context.Context, r *front, method string, bad error, call func(context.Context) (R, error),
) (R, error) {
	if bad == nil {
		bad = badActor(ctx)
	}
	if bad != nil {
		return *new(R), bad
	}
	if !r.repeats {
		return call(ctx)
	}
	bounded := ctx // the context may end soon enough without a timer
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > r.opts.MaxElapsed {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeoutCause(ctx, r.opts.MaxElapsed, errElapsed)
		defer cancel()
	}

	attempts := 0
	var last error // the last failure that was followed by a repeat
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

// backoff returns a new sequence of waits. observe is called for each.
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

// givenUp returns the error of a call that ended without an answer. err ended it; last is the
// failure before that, if any; ctx is the caller's context.
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
