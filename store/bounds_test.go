package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
)

func TestDueTimesAreRoundedUpToTheMillisecond(t *testing.T) {
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for part, want := range map[time.Duration]time.Duration{
		0: 0, 1: time.Millisecond, 999_999: time.Millisecond, time.Millisecond: time.Millisecond,
		time.Millisecond + 1: 2 * time.Millisecond, -1: 0, -time.Millisecond - 1: -time.Millisecond,
	} {
		require.Equal(t, at.Add(want), store.DueTime(at.Add(part)), "%v", part)
		old := time.Unix(-1, 0).UTC() // before 1970 time runs forward, too
		require.Equal(t, old.Add(want), store.DueTime(old.Add(part)), "%v", part)
	}
	require.True(t, store.DueTime(time.Time{}).IsZero())
	last := time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	require.NoError(t, store.ValidateTime("At", store.DueTime(last)), "the last time is kept where JSON can say it")
}
