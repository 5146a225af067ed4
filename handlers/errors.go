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
	// ErrShutdown is the cause of a handler's context when its worker's grace
	// period is over. Whatever the handler then returns as an error, the task is
	// given back and costs nothing.
	ErrShutdown = errors.New("worker is shutting down")

	// ErrTimeout is the cause of a handler's context when the attempt's timeout is over.
	// It comes with the limit in its text, and matches [context.DeadlineExceeded] too.
	ErrTimeout = errors.New("attempt timed out")

	// ErrAttemptEnded is returned by enqueuing through an attempt whose handler has
	// returned: its outcome is decided, nothing can be added to it.
	ErrAttemptEnded = errors.New("attempt has ended")
)

// timeoutError is [ErrTimeout] with the limit.
type timeoutError struct{ limit time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("%v after %v", ErrTimeout, e.limit) }

func (e *timeoutError) Is(target error) bool {
	return target == ErrTimeout || target == context.DeadlineExceeded
}

// PanicError is what a panic of a function of yours becomes, where the library calls it: Value is
// what it panicked with, which Unwrap returns if it is an error, and Stack where.
type PanicError = guard.PanicError

// ErrGoexit is what becomes of a function of yours that ends its goroutine by [runtime.Goexit], as
// FailNow of a test does. A task fails with it for good, and so does a hook.
var ErrGoexit = guard.ErrGoexit
