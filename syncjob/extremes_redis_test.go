package syncjob_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store/redisstore"
)

// What the memory store carries out, a server does, too.
func TestEveryNumberAtItsExtremesWorksOrIsRefusedOnRedis(t *testing.T) {
	t.Parallel() // it waits for what is due or not
	server, _ := redistest.Shared(t)
	tried, ran := 0, 0
	trials(func(name, field string, a *trial) {
		t.Run(name, func(t *testing.T) {
			_, namespace := redistest.Shared(t)
			s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{Namespace: namespace})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			tried++
			if play(t, name, field, a, s) {
				ran++
			}
		})
	})
	t.Logf("%d trials, of which %d ran", tried, ran)
}
