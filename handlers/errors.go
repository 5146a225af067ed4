package handlers

import (
	"context"
	"errors"
	"fmt"
	"time"
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

// PanicError is what a panic of a handler, of middleware or of a hook becomes.
type PanicError struct {
	Value any
	Stack []byte
}

// Error implements error.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
