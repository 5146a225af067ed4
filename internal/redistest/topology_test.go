package redistest_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
)

func TestAClusterServesEverySlot(t *testing.T) {
	c := redistest.StartCluster(t, 3)
	for i := range 50 {
		key := "k" + strconv.Itoa(i)
		require.NoError(t, c.Client.Do(t.Context(), c.Client.B().Set().Key(key).Value("v").Build()).Error())
	}
	opt, err := rueidis.ParseURL(c.URL())
	require.NoError(t, err)
	require.Equal(t, c.Addrs(), opt.InitAddress)
}

func TestASentinelPromotesTheReplica(t *testing.T) {
	s := redistest.StartSentinel(t)
	opt, err := rueidis.ParseURL(s.URL())
	require.NoError(t, err)
	opt.DisableCache = true
	client, err := rueidis.NewClient(opt)
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.Do(t.Context(), client.B().Set().Key("k").Value("v").Build()).Error())

	s.Master.Kill()

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.NoError(t, s.AwaitPromotion(ctx))
}

func TestTestsShareOneServerInNamespacesOfTheirOwn(t *testing.T) {
	first, a := redistest.Shared(t)
	t.Run("inner", func(t *testing.T) {
		second, b := redistest.Shared(t)
		require.Same(t, first, second)
		require.NotEqual(t, a, b)
		require.NoError(t, second.Do(t.Context(), "SET", "{"+b+":0}:k", "v"))
	})
	n, err := first.Client.Do(t.Context(), first.Client.B().Dbsize().Build()).ToInt64()
	require.NoError(t, err)
	require.Zero(t, n, "the inner test's keys are gone")
}
