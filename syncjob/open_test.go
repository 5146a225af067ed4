package syncjob_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/syncjob"
)

func TestOpenTakesAllFormsOfAURL(t *testing.T) {
	server, namespace := redistest.Shared(t)
	for _, url := range []string{"memory://", "memory:", "MEMORY://", server.URL() + "/", "valkey://" + server.Addr} {
		m, err := syncjob.Open(t.Context(), url, syncjob.Config{Namespace: namespace})
		require.NoError(t, err, url)
		require.NoError(t, m.Close())
	}
	for _, url := range []string{"memory://x", "memory:///", "memory://?a=1", "memory://#", "memory", "", "rediss://" + server.Addr,
		server.URL() + "?speed=1", "redis://:6379#5ecret@realhost", "http://" + server.Addr} {
		_, err := syncjob.Open(t.Context(), url, syncjob.Config{Namespace: namespace})
		var bad *syncjob.FieldError
		require.ErrorAs(t, err, &bad, url)
		require.Equal(t, "URL", bad.Field)
		require.NotContains(t, err.Error(), "5ecret")
	}
}
