package faults

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes the test binary a worker process if it was executed as one.
func TestMain(m *testing.M) {
	if order, ok := os.LookupEnv(orderEnv); ok {
		os.Exit(serve(order))
	}
	goleak.VerifyTestMain(m,
		// A client of a cluster, or one that had to find out, ends this by itself within a second.
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}
