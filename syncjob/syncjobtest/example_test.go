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

// A test of a job that takes hours runs in no time inside a bubble. In a test file
// the body would be that of a TestXxx.
func ExampleNew() {
	var result string
	body := func(t *testing.T) {
		set := handlers.NewSet("mail", handlers.SetConfig{})
		handlers.Handle(set, func(ctx context.Context, task *handlers.Task[reminder]) error {
			if task.Args.Hours == 0 {
				return nil
			}
			_, err := task.Enqueue(ctx, reminder{Hours: task.Args.Hours - 1}, &enqueue.Options{Delay: time.Hour})
			return err
		}, nil)
		reg, err := handlers.NewRegistry(set)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		kit := syncjobtest.New(t, reg)
		final := kit.Run(syncjob.Job{Name: "remind/7", Set: "mail", Root: reminder{Hours: 3}})
		result = fmt.Sprintf("%s: %d reminders in %v", final.Status, final.Counts.Succeeded, time.Since(start).Round(time.Minute))
	}
	ok := testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{
		{Name: "TestReminders", F: func(t *testing.T) { synctest.Test(t, body) }},
	})
	fmt.Println(ok)
	fmt.Println(result)
	// Output:
	// true
	// succeeded: 4 reminders in 3h0m0s
}
