package store_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
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

func ExampleNewMap() {
	ctx := context.Background()
	s := memstore.New(nil)
	_, err := s.EnsureJob(ctx, store.EnsureParams{Job: "import/42", Kind: store.JobStanding})
	if err != nil {
		fmt.Println(err)
		return
	}
	seen := store.NewMap[int](s, "import/42", "seen")
	if err := seen.SetAll(ctx, map[string]int{"a.csv": 120, "b.csv": 7}); err != nil {
		fmt.Println(err)
		return
	}
	rows, known, err := seen.Get(ctx, "a.csv")
	fmt.Println(rows, known, err)
	// Output: 120 true <nil>
}
