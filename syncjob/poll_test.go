package syncjob

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Where a store has one partition, no other has answered meanwhile: a slow page of a list is awaited
// like the first one.
func TestTheOnlyPartitionIsAwaited(t *testing.T) {
	for of, slow := range map[int]bool{1: false, 2: true} {
		synctest.Test(t, func(t *testing.T) {
			p := &poll{of: of, answered: true, failed: make(map[int]error), asked: make(map[int]bool)}
			p.ask(t.Context(), []int{0}, func(ctx context.Context, _ int) error {
				select {
				case <-time.After(2 * patience):
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			})
			require.Equal(t, slow, p.err() != nil, "%v", p.err())
		})
	}
}
