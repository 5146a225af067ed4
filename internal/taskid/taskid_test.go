package taskid

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAnIDSaysWhenItWasMade(t *testing.T) {
	for _, at := range []time.Time{time.UnixMilli(0), time.UnixMilli(1_799_999_999_999), time.Now().Truncate(time.Millisecond)} {
		id := New(at)
		require.Len(t, id, length)
		made, ok := Made(id)
		require.True(t, ok)
		require.True(t, at.Equal(made), "%v, %v", at, made)
	}
	require.Less(t, New(time.UnixMilli(1_799_999_999_999)), New(time.UnixMilli(1_800_000_000_000)), "they sort by time")
}

func TestIDsOfTheSameMomentDiffer(t *testing.T) {
	seen, now := make(map[string]bool), time.Now()
	for range 10_000 {
		seen[New(now)] = true
	}
	require.Len(t, seen, 10_000)
}

func TestIDsOfAnotherFormWereNotMade(t *testing.T) {
	for _, id := range []string{"", "root", "none", strings.Repeat("0", 19), strings.Repeat("0", 21), "0123456789abcdefghij", strings.Repeat("A", 20)} {
		_, ok := Made(id)
		require.False(t, ok, id)
	}
}
