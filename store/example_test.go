package store_test

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// A backend never sees bad input: here it is nil, and is not called.
func ExampleChecked() {
	s := store.Checked(struct{ store.Store }{})
	err := s.StopRun(context.Background(), store.StopParams{Run: store.RunID{Number: 1}})
	fmt.Println(err)
	fmt.Println(errors.Is(err, store.ErrInvalid))
	// Output:
	// Run.Job is empty
	// true
}

func ExampleRunScope() {
	fmt.Println(store.RunScope(store.RunID{Job: "import/42", Number: 7}))
	fmt.Println(store.JobScope("import/42"))
	fmt.Println(store.NamespaceScope(24 * time.Hour))
	// Output:
	// run 7 of job "import/42"
	// job "import/42"
	// the namespace
}
