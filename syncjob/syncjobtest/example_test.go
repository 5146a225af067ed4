package syncjobtest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/syncjobtest"
)

type reminder struct{ Hours int }

func (reminder) Kind() string { return "remind" }

// remind counts the hours down: a reminder each.
func remind(ctx context.Context, t *handlers.Task[reminder]) error {
	if t.Args.Hours == 0 {
		return nil
	}
	_, err := t.Enqueue(ctx, reminder{Hours: t.Args.Hours - 1}, &enqueue.Options{Delay: time.Hour})
	return err
}

// In virtual time: the job takes three hours, and the test takes none.
func ExampleNew() {
	var t testing.T // in a test: its own
	synctest.Test(&t, func(t *testing.T) {
		set := handlers.NewSet("mail", handlers.SetConfig{})
		handlers.Handle(set, remind, nil)
		reg, err := handlers.NewRegistry(set)
		if err != nil {
			t.Fatal(err)
		}

		start := time.Now()
		kit := syncjobtest.New(t, reg, nil)
		final := kit.Run(syncjob.Job{Name: "remind/7", Set: "mail", Root: reminder{Hours: 3}})

		fmt.Println("took", time.Since(start).Round(time.Minute))
		fmt.Println(final.Status, "after", final.Counts.Succeeded, "reminders")
	})
	// Output:
	// took 3h0m0s
	// succeeded after 4 reminders
}
