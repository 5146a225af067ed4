package values_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/values"
)

// with calls fn with a client of a store that knows the job "import/42".
func with(fn func(ctx context.Context, h *values.Client) error) {
	ctx := context.Background()
	s := memstore.New(nil)
	defer s.Close()
	_, err := s.EnsureJob(ctx, store.EnsureParams{Job: "import/42", Type: statuses.JobStanding})
	if err == nil {
		h := values.NewClient(s) // once for a process; a syncjob.Manager has its own
		defer h.Close()
		err = fn(ctx, h)
	}
	if err != nil {
		log.Panic(err)
	}
}

func ExampleNewClient() {
	ctx := context.Background()
	s := memstore.New(nil) // or redisstore.Open
	defer s.Close()
	h := values.NewClient(s)
	defer h.Close()

	visits := values.NewCounter(h, store.NamespaceScope(24*time.Hour), "visits")
	_, err := visits.Add(ctx, 1)
	n, _ := visits.Get(ctx)
	fmt.Println(n, err)
	// Output: 1 <nil>
}

func ExampleNewCounter() {
	with(func(ctx context.Context, h *values.Client) error {
		credit := values.NewCounter(h, store.JobScope("import/42"), "credit")
		if err := credit.Set(ctx, 100); err != nil {
			return err
		}
		left, err := credit.Add(ctx, -30)
		fmt.Println(left)
		return err
	})
	// Output: 70
}

func ExampleNewFloat() {
	with(func(ctx context.Context, h *values.Client) error {
		load := values.NewFloat(h, store.JobScope("import/42"), "load")
		sum, err := load.Add(ctx, 0.75)
		fmt.Println(sum)
		return err
	})
	// Output: 0.75
}

func ExampleNewTime() {
	with(func(ctx context.Context, h *values.Client) error {
		synced := values.NewTime(h, store.JobScope("import/42"), "synced")
		if err := synced.Set(ctx, time.Date(2026, 11, 27, 2, 0, 0, 0, time.UTC)); err != nil {
			return err
		}
		at, err := synced.Get(ctx)
		fmt.Println(at.Format(time.DateOnly))
		return err
	})
	// Output: 2026-11-27
}

func ExampleNewValue() {
	type leader struct{ Host string }
	with(func(ctx context.Context, h *values.Client) error {
		elected := values.NewValue[leader](h, store.JobScope("import/42"), "leader")
		first, err := elected.CompareAndSet(ctx, nil, leader{"a"})
		if err != nil {
			return err
		}
		second, err := elected.CompareAndSet(ctx, nil, leader{"b"})
		now, _, _ := elected.Get(ctx)
		fmt.Println(first, second, now.Host)
		return err
	})
	// Output: true false a
}

func ExampleNewList() {
	with(func(ctx context.Context, h *values.Client) error {
		log := values.NewList[string](h, store.JobScope("import/42"), "log")
		if err := log.Append(ctx, "began", "ended"); err != nil {
			return err
		}
		for line, err := range log.Range(ctx, 0) {
			if err != nil {
				return err
			}
			fmt.Println(line)
		}
		return nil
	})
	// Output:
	// began
	// ended
}

func ExampleNewMap() {
	with(func(ctx context.Context, h *values.Client) error {
		seen := values.NewMap[int](h, store.JobScope("import/42"), "seen")
		if err := seen.SetAll(ctx, map[string]int{"a.txt": 3, "b.txt": 5}); err != nil {
			return err
		}
		sizes, err := seen.GetAll(ctx, "a.txt", "c.txt")
		n, _ := seen.Len(ctx)
		fmt.Println(sizes, n)
		return err
	})
	// Output: map[a.txt:3] 2
}
