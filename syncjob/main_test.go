package syncjob_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes the test binary a worker process if it was executed as one.
func TestMain(m *testing.M) {
	for env, process := range map[string]func(url string) error{workerEnv: workAsProcess, fleetURLEnv: workInFleet} {
		if url, ok := os.LookupEnv(env); ok {
			if err := process(url); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	// The client sleeps on for a second where it found no cluster, even once it is closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}
