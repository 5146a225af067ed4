package redisstore_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/storetest"
)

const twinPartitions = 2

// TestRandomCallsAreAnsweredAsInMemory plays few calls, or as many as ROLLCALL_TWIN_CALLS says, of
// ROLLCALL_TWIN_SEED.
func TestRandomCallsAreAnsweredAsInMemory(t *testing.T) {
	t.Parallel()
	memory := storetest.Harness{New: func(testing.TB) store.Store {
		return memstore.New(&memstore.Options{Partitions: twinPartitions})
	}}
	o := storetest.TwinOptions{Calls: variable(t, "ROLLCALL_TWIN_CALLS"), Seed: uint64(variable(t, "ROLLCALL_TWIN_SEED")), Dump: dump}
	for name, on := range map[string]func(tb testing.TB) (url string){
		"redis":   func(tb testing.TB) string { return redistest.Start(tb, nil).URL() },
		"cluster": func(tb testing.TB) string { return redistest.StartCluster(tb, 3).URL() },
		"miniredis": func(tb testing.TB) string {
			return "redis://" + miniredis.RunT(tb).Addr() + "?protocol=2&client_cache=0"
		},
	} {
		t.Run(name, func(t *testing.T) {
			url := on(t)
			storetest.RunTwins(t, storetest.Harness{New: func(tb testing.TB) store.Store {
				return open(tb, url, redisstore.Config{Namespace: redistest.Namespace(), Partitions: twinPartitions})
			}}, memory, o)
		})
	}
}

func variable(tb testing.TB, name string) int {
	text := os.Getenv(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	require.NoError(tb, err)
	return n
}

// dump lists every key of a store's namespace with its content, in an order of its own: that of a
// hash may change by reading it.
func dump(tb testing.TB, s store.Store) []string {
	v, ok := opened.Load(s)
	require.True(tb, ok)
	at := v.(place)
	ctx, b := context.Background(), at.client.B
	keys := keysUnder(tb, at.client, "{"+at.namespace+":")
	slices.Sort(keys)
	types := make(rueidis.Commands, len(keys))
	for i, key := range keys {
		types[i] = b().Type().Key(key).Build()
	}
	reads := make(rueidis.Commands, len(keys))
	kinds := make([]string, len(keys))
	for i, r := range at.client.DoMulti(ctx, types...) {
		kind, err := r.ToString()
		require.NoError(tb, err)
		kinds[i] = kind
		switch kind {
		case "hash":
			reads[i] = b().Hgetall().Key(keys[i]).Build()
		case "set":
			reads[i] = b().Smembers().Key(keys[i]).Build()
		case "zset":
			reads[i] = b().Zrange().Key(keys[i]).Min("0").Max("-1").Withscores().Build()
		case "list":
			reads[i] = b().Lrange().Key(keys[i]).Start(0).Stop(-1).Build()
		default:
			reads[i] = b().Get().Key(keys[i]).Build()
		}
	}
	out := make([]string, len(keys))
	for i, r := range at.client.DoMulti(ctx, reads...) {
		message, err := r.ToMessage()
		require.NoError(tb, err)
		out[i] = keys[i] + " " + content(tb, kinds[i], message)
	}
	return out
}

func content(tb testing.TB, kind string, m rueidis.RedisMessage) string {
	switch kind {
	case "hash":
		fields, err := m.AsStrMap()
		require.NoError(tb, err)
		return fmt.Sprintf("%q", fields)
	case "set":
		members, err := m.AsStrSlice()
		require.NoError(tb, err)
		slices.Sort(members)
		return fmt.Sprintf("%q", members)
	case "zset":
		scores, err := m.AsZScores()
		require.NoError(tb, err)
		return fmt.Sprintf("%+v", scores)
	case "list":
		items, err := m.AsStrSlice()
		require.NoError(tb, err)
		return fmt.Sprintf("%q", items)
	}
	text, err := m.ToString()
	require.NoError(tb, err)
	return strconv.Quote(text)
}
