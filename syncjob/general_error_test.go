package syncjob

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestErrorsAreComparedInAGeneralForm(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "",
		"no space left on device":                "no space left on device",
		"chunk 17 of a1.bin: timeout after 1.5s": "chunk # of #: timeout after #",
		"dial tcp 10.0.0.7:6379: connection refused":          "dial tcp #:#: connection refused",
		"user 550e8400-e29b-41d4-a716-446655440000 not found": "user # not found",
		`object "a b" of 'x' is gone`:                         `object "…" of 'x' is gone`,
		"a `q\"r` b":                                          `a "…" b`,
		`an "open quote`:                                      `an "open quote`,
		"two\n\t lines ":                                      "two lines",
		"größe 3ä – ende.":                                    "größe # – ende.",
		"-- ... _":                                            "-- ... _",
		"\xff7":                                               "\xff#",
	} {
		require.Equal(t, want, generalError(text), "%q", text)
	}
	long := generalError(strings.Repeat("ä", 500))
	require.Len(t, long, maxGroupError)
	require.Equal(t, long, generalError(strings.Repeat("ä", 300)))
}
