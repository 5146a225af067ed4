package syncjob_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/syncjob"
)

func TestAStuckErrorCountsItsHandlersInWords(t *testing.T) {
	require.EqualError(t, &syncjob.StuckError{Handlers: 1}, "1 handler did not return after its context was cancelled")
	require.EqualError(t, &syncjob.StuckError{Handlers: 2}, "2 handlers did not return after their contexts were cancelled")
}
