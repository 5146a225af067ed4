package plural_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/plural"
)

func TestOneIsSingular(t *testing.T) {
	for n, want := range []string{"0 tasks wait", "1 task waits", "2 tasks wait"} {
		require.Equal(t, want, plural.Of(n, "task")+" "+plural.Verb(n, "waits", "wait"))
	}
}
