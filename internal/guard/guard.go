// Package guard calls functions that users wrote, and tells how each ended: it returned, it
// panicked, or it ended its goroutine.
package guard

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// PanicError is what a panic becomes.
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

// ErrGoexit is what becomes of a function that ends its goroutine.
var ErrGoexit = errors.New("the function ended its goroutine (runtime.Goexit)")

// Call calls fn on the caller's goroutine, and makes a panic of it a [*PanicError]. Nothing can
// stop runtime.Goexit there: then exited is called in place of what follows Call, and the goroutine
// ends.
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

// Apart calls fn on a goroutine of its own and waits for it, so that runtime.Goexit ends that
// goroutine alone: it becomes [ErrGoexit], and a panic a [*PanicError]. It costs about a
// microsecond.
func Apart(fn func() error) error {
	err := ErrGoexit
	var call sync.WaitGroup
	call.Go(func() { err = Call(fn, func() {}) })
	call.Wait()
	return err
}

// Until is [Apart], and returns when ctx ends, with its error: fn is left behind on its goroutine
// then.
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
