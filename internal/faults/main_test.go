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
	goleak.VerifyTestMain(m)
}
