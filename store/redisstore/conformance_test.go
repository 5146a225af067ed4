package redisstore_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/storetest"
)

// sweepInterval is short, so that leases of tests may be, too.
const sweepInterval = 100 * time.Millisecond

func TestConformance(t *testing.T) {
	t.Parallel() // beside what computes: on a real server it waits for leases to end
	t.Run("redis", func(t *testing.T) { storetest.Run(t, realHarness()) })
	t.Run("miniredis", func(t *testing.T) { storetest.Run(t, miniHarness(t)) })
}

// realHarness keeps every store in a namespace of its own on one real server, whose time passes by
// itself.
func realHarness() storetest.Harness {
	return storetest.Harness{
		New: func(tb testing.TB) store.Store {
			server, namespace := redistest.Shared(tb)
			return open(tb, server.URL(), redisstore.Config{Namespace: namespace})
		},
		Leftovers:     leftovers,
		SweepInterval: sweepInterval,
		Waiting:       100_000,
	}
}

// clusterHarness keeps every store in a namespace of its own on one cluster.
func clusterHarness(t *testing.T) storetest.Harness {
	h, url := realHarness(), redistest.StartCluster(t, 3).URL()
	h.New = func(tb testing.TB) store.Store {
		return open(tb, url, redisstore.Config{Namespace: redistest.Namespace()})
	}
	return h
}

func open(tb testing.TB, url string, config redisstore.Config) store.Store {
	config.SweepInterval = sweepInterval
	option, err := redisstore.ParseURL(url)
	require.NoError(tb, err)
	client, err := rueidis.NewClient(option)
	require.NoError(tb, err)
	tb.Cleanup(client.Close)
	s, err := redisstore.New(context.Background(), client, config)
	require.NoError(tb, err)
	remember(tb, s, client, config.Namespace)
	return s
}

// miniHarness runs on miniredis, whose clock moves only when it is told to.
func miniHarness(t *testing.T) storetest.Harness {
	server := miniredis.RunT(t)
	var mu sync.Mutex
	now := time.Now()
	server.SetTime(now)
	return storetest.Harness{
		New: func(tb testing.TB) store.Store {
			// miniredis refuses commands on a connection that subscribes, which RESP3 allows, and
			// has no CLIENT TRACKING.
			return open(tb, "redis://"+server.Addr()+"?protocol=2&client_cache=0", redisstore.Config{Namespace: redistest.Namespace()})
		},
		Advance: func(_ testing.TB, d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			now = now.Add(d)
			server.SetTime(now)
			server.FastForward(d)
		},
		Leftovers:     leftovers,
		SweepInterval: sweepInterval,
		Wraps:         true,
	}
}

// opened finds the client and namespace of a store that the suite hands back.
var opened sync.Map

type place struct {
	client    rueidis.Client
	namespace string
}

func remember(tb testing.TB, s store.Store, client rueidis.Client, namespace string) {
	opened.Store(s, place{client, namespace})
	tb.Cleanup(func() { opened.Delete(s) })
}

// leftovers lists every key of the namespace, and every member of those that jobs and runs share.
func leftovers(tb testing.TB, s store.Store) []string {
	v, ok := opened.Load(s)
	require.True(tb, ok)
	at := v.(place)
	return leftUnder(tb, at.client, "{"+at.namespace+":")
}

func leftUnder(tb testing.TB, client rueidis.Client, prefix string) []string {
	var out []string
	for _, key := range keysUnder(tb, client, prefix) {
		_, name, _ := strings.Cut(key, "}:")
		switch {
		case name == "meta", name == "terms", name == "lost", name == "audit",
			name == "ledger", name == "gone", name == "series", name == "minutes", name == "hours", name == "times", name == "taken", strings.HasPrefix(name, "P:"):
		case name == "clock":
			queues, err := client.Do(context.Background(), client.B().Hkeys().Key(key).Build()).AsStrSlice()
			require.NoError(tb, err)
			for _, q := range queues {
				if q != "/" {
					out = append(out, "clock of "+q)
				}
			}
		case name == "jobs",
			name == "routes",
			name == "listed",
			name == "due",
			name == "leases",
			name == "trash",
			name == "hist",
			name == "failing",
			name == "index",
			strings.HasPrefix(name, "ring:"):
			members, err := client.Do(context.Background(), client.B().Zrange().Key(key).Min("0").Max("-1").Build()).AsStrSlice()
			require.NoError(tb, err)
			for _, m := range members {
				out = append(out, name+" "+m)
			}
		default:
			out = append(out, name)
		}
	}
	return out
}

// keysUnder lists the keys that begin so, whichever server has them.
func keysUnder(tb testing.TB, client rueidis.Client, prefix string) []string {
	ctx := context.Background()
	var keys []string
	for _, node := range client.Nodes() {
		for cursor := uint64(0); ; {
			page, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(prefix+"*").Count(1000).Build()).AsScanEntry()
			require.NoError(tb, err)
			keys = append(keys, page.Elements...)
			if cursor = page.Cursor; cursor == 0 {
				break
			}
		}
	}
	return keys
}

func TestRandomSequencesAgreeWithTheModel(t *testing.T) {
	t.Parallel()
	t.Run("redis", func(t *testing.T) {
		storetest.RunModel(t, realHarness(), storetest.ModelOptions{Sequences: 470, Steps: 10})
	})
	t.Run("cluster", func(t *testing.T) {
		storetest.RunModel(t, clusterHarness(t), storetest.ModelOptions{Sequences: 30, Steps: 10})
	})
	t.Run("miniredis", func(t *testing.T) {
		storetest.RunModel(t, miniHarness(t), storetest.ModelOptions{Sequences: 60, Virtual: true})
	})
}
