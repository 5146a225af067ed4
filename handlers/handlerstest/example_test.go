package handlerstest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/handlerstest"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

type probeArgs struct{ URL string }

func (probeArgs) Kind() string { return "probe" }

// probe waits for an answer that never comes.
func probe(ctx context.Context, t *handlers.Task[probeArgs]) error {
	select {
	case <-ctx.Done():
		return handlers.RetryAfter(5*time.Minute, ctx.Err())
	case <-time.After(24 * time.Hour):
		return nil
	}
}

// In virtual time: the handler has ten minutes, and the test takes none.
func ExampleDo() {
	var t testing.T // in a test: its own
	synctest.Test(&t, func(t *testing.T) {
		set := handlers.NewSet("watch", handlers.SetConfig{})
		handlers.Handle(set, probe, &handlers.KindOptions{Attributes: handlers.Attributes{Timeout: 10 * time.Minute}})

		start := time.Now()
		result := handlerstest.Do(t, set, probeArgs{URL: "http://localhost"}, nil)

		fmt.Println("took", time.Since(start))
		fmt.Println("tried again:", result.Outcome.Verdict == verdicts.Retry, "in", result.Outcome.Delay)
		fmt.Println(result.Outcome.Error)
	})
	// Output:
	// took 10m0s
	// tried again: true in 5m0s
	// attempt timed out after 10m0s: context deadline exceeded
}
