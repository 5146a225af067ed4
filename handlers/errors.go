package handlers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/internal/guard"
)

// Errors of this package.
var (
	// ErrShutdown is the cause of a handler's context when the grace period of its worker is over. If
	// the handler then returns any error, the task is given back, and this is not counted as an
	// attempt.
	ErrShutdown = errors.New("worker is shutting down")

	// ErrTimeout is the cause of a handler's context when the attempt's timeout is over. The text of
	// the error has the timeout. The error also matches [context.DeadlineExceeded].
	ErrTimeout = errors.New("attempt timed out")

	// ErrAttemptEnded is returned by methods that add to an attempt, such as [Attempt.Enqueue], after
	// the handler has returned.
	ErrAttemptEnded = errors.New("attempt has ended")
)

// timeoutError is [ErrTimeout] with the length of the timeout.
type timeoutError struct{ limit time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("%v after %v", ErrTimeout, e.limit) }

func (e *timeoutError) Is(target error) bool {
	return target == ErrTimeout || target == context.DeadlineExceeded
}

// expiredError adds to the error of a handler, or hook, that its time was over. Its text calls the
// method of an error that a user wrote, which may panic or end the goroutine: so it is asked for
// only where an outcome is decided.
type expiredError struct {
	expired *timeoutError
	err     error
}

func (e *expiredError) Error() string   { return e.expired.Error() + ": " + e.err.Error() }
func (e *expiredError) Unwrap() []error { return []error{e.expired, e.err} }

// PanicError is the error that the library returns or records when one of your functions panics.
// Value is the value of the panic; Unwrap returns it if it is an error. Stack is the stack of the
// goroutine. A function that ends its goroutine with [runtime.Goexit], as FailNow of a test does,
// fails its task or hook for good, with another error.
type PanicError = guard.PanicError
