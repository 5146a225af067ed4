package store_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollcall-go/rollcall/store"
)

// restarting is a Store whose server comes back with the third call.
type restarting struct {
	store.Store
	calls int
}

func (s *restarting) Ping(context.Context) error {
	if s.calls++; s.calls < 3 {
		return store.Transient(errors.New("connection refused"))
	}
	return nil
}

func ExampleWithRetry() {
	s := store.WithRetry(&restarting{}, &store.RetryOptions{
		OnRetry: func(e store.RetryEvent) { fmt.Printf("%s, attempt %d: %v\n", e.Method, e.Attempt, e.Err) },
	})
	fmt.Println(s.Ping(context.Background()))
	// Output:
	// Ping, attempt 1: store unavailable: connection refused
	// Ping, attempt 2: store unavailable: connection refused
	// <nil>
}
