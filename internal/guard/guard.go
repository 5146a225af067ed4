// Package guard calls functions of users, and reports how each ended: it returned, panicked, or
// ended its goroutine.
package guard

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// PanicError is the error for a panic.
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

// ErrGoexit is the error for a function that ends its goroutine.
var ErrGoexit = errors.New("the function ended its goroutine (runtime.Goexit)")

// Call calls fn on the caller's goroutine, and returns a panic as a [*PanicError]. It cannot stop
// runtime.Goexit: then it calls exited, and the goroutine ends.
func Call(fn func() error, exited func()) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
			return
		}
		err = ErrGoexit
		exited()
	}()
	err = fn()
	returned = true
	return err
}

// Apart calls fn on its own goroutine and waits for it. So runtime.Goexit ends only that goroutine;
// Apart returns [ErrGoexit]. It returns a panic as a [*PanicError]. It costs about a microsecond.
func Apart(fn func() error) error {
	err := ErrGoexit
	var call sync.WaitGroup
	call.Go(func() { err = Call(fn, func() {}) })
	call.Wait()
	return err
}

// Until is like [Apart]. If ctx ends first, it returns the error of ctx, and fn goes on alone.
func Until(ctx context.Context, fn func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- Apart(fn) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
