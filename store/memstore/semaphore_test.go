package memstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
)

func TestFencingNumbersGrowThoughTheClockGoesBack(t *testing.T) {
	s := memstore.NewBackend(nil)
	now, last := time.Now(), int64(0)
	for range 5 {
		s.SetClock(func() time.Time { return now })
		reply, err := s.AcquireSemaphore(t.Context(), store.SemaphoreClaim{Key: "gate", Token: "t", Holder: "h", Max: 1, TTL: time.Hour})
		require.NoError(t, err)
		require.Greater(t, reply.Lease.Fence, last)
		last = reply.Lease.Fence
		require.NoError(t, s.ReleaseSemaphore(t.Context(), "gate", "t"))
		require.Empty(t, s.Leftovers())
		now = now.Add(-time.Hour)
	}
}
