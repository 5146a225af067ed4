package redistest_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
)

func TestARevertedServerLacksWhatItAcknowledgedSinceTheSnapshot(t *testing.T) {
	s := redistest.Start(t, nil)
	for range 2 {
		require.NoError(t, s.Do(t.Context(), "INCR", "n"))
	}
	require.NoError(t, s.Snapshot(t.Context()))
	for range 3 {
		require.NoError(t, s.Do(t.Context(), "INCR", "n"))
		s.Revert()
		requireValue(t, s.Client, "n", "2")
	}
}

func TestAMasterIsLostWithWhatItsReplicaWasNotSent(t *testing.T) {
	s := redistest.StartSentinel(t)
	opt, err := rueidis.ParseURL(s.URL())
	require.NoError(t, err)
	opt.DisableCache = true
	client, err := rueidis.NewClient(opt)
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	set := func(value string) {
		require.NoError(t, client.Do(ctx, client.B().Set().Key("k").Value(value).Build()).Error())
	}

	set("kept")
	synced, err := client.Do(ctx, client.B().Wait().Numreplicas(1).Timeout(10_000).Build()).ToInt64()
	require.NoError(t, err)
	require.EqualValues(t, 1, synced)
	require.NoError(t, s.CutReplication(ctx))
	set("lost")
	require.NoError(t, s.LoseMaster(ctx))

	requireValue(t, s.Replica.Client, "k", "kept")
	for ctx.Err() == nil { // the client may still ask for the dead one
		if got, err := client.Do(ctx, client.B().Get().Key("k").Build()).ToString(); err == nil {
			require.Equal(t, "kept", got)
			return
		}
	}
	t.Fatal("the client did not find the new master")
}

func requireValue(t *testing.T, client rueidis.Client, key, want string) {
	t.Helper()
	got, err := client.Do(t.Context(), client.B().Get().Key(key).Build()).ToString()
	require.NoError(t, err)
	require.Equal(t, want, got)
}
