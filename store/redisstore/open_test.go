package redisstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/storetest"
)

// The cluster client of rueidis leaves goroutines asleep for some seconds after a change of
// topology, even once it is closed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}

func TestBadConfigurationIsRefusedByField(t *testing.T) {
	for field, try := range map[string]struct {
		url    string
		config redisstore.Config
	}{
		"URL":           {url: "http://localhost"},
		"Namespace":     {url: "redis://localhost", config: redisstore.Config{Namespace: "{a}"}},
		"Partitions":    {url: "redis://localhost", config: redisstore.Config{Partitions: 1025}},
		"SweepInterval": {url: "redis://localhost", config: redisstore.Config{SweepInterval: time.Millisecond}},
	} {
		_, err := redisstore.Open(t.Context(), try.url, try.config)
		var bad *store.FieldError
		require.ErrorAs(t, err, &bad, field)
		require.Equal(t, field, bad.Field)
	}
	_, err := redisstore.New(t.Context(), nil, redisstore.Config{Partitions: -1})
	require.ErrorContains(t, err, "Partitions must be")
}

func TestAServerThatIsNotThereIsUnavailable(t *testing.T) {
	_, err := redisstore.Open(t.Context(), "redis://127.0.0.1:1", redisstore.Config{})
	require.ErrorIs(t, err, store.ErrUnavailable)
}

func TestAServerThatMayEvictIsRefusedUnlessAllowed(t *testing.T) {
	server := redistest.Start(t, &redistest.Options{Args: []string{"--maxmemory-policy", "allkeys-lru"}})
	_, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{})
	require.ErrorIs(t, err, store.ErrInvalid)
	require.ErrorContains(t, err, "allkeys-lru")
	s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{AllowEviction: true})
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

func TestPartitionsAreFixedForTheLifeOfANamespace(t *testing.T) {
	server, namespace := redistest.Shared(t)
	first, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{Namespace: namespace, Partitions: 3})
	require.NoError(t, err)
	defer first.Close()
	_, err = redisstore.Open(t.Context(), server.URL(), redisstore.Config{Namespace: namespace, Partitions: 4})
	require.ErrorIs(t, err, store.ErrInvalid)
	again, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{Namespace: namespace})
	require.NoError(t, err)
	defer again.Close()
	require.Equal(t, 3, again.Partitions())
}

func TestANamespaceOfAnotherFormatIsRefused(t *testing.T) {
	server, namespace := redistest.Shared(t)
	require.NoError(t, server.Do(t.Context(), "HSET", "{"+namespace+":0}:meta", "format", "2"))
	_, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{Namespace: namespace})
	require.ErrorIs(t, err, store.ErrCorrupt)
}

func TestAClientHandedInIsNotClosed(t *testing.T) {
	server, namespace := redistest.Shared(t)
	option, err := redisstore.ParseURL(server.URL())
	require.NoError(t, err)
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	defer client.Close()
	s, err := redisstore.New(t.Context(), client, redisstore.Config{Namespace: namespace})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Ping(t.Context()), store.ErrClosed)
	require.NoError(t, client.Do(t.Context(), client.B().Ping().Build()).Error())
}

func TestAKilledServerIsUnavailableAndServesAgainAfterRestart(t *testing.T) {
	server := redistest.Start(t, &redistest.Options{AOF: true})
	s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{})
	require.NoError(t, err)
	defer s.Close()
	run := start(t, s, "job")
	server.Kill()
	_, err = s.Run(t.Context(), run)
	require.ErrorIs(t, err, store.ErrUnavailable)
	server.Restart()
	retrying := store.WithRetry(s, nil)
	record, err := retrying.Run(t.Context(), run)
	require.NoError(t, err)
	require.Equal(t, int64(1), record.Counts.Total)
}

func TestAnEndedContextIsReportedAsItself(t *testing.T) {
	server, namespace := redistest.Shared(t)
	s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{Namespace: namespace})
	require.NoError(t, err)
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Job(ctx, "job")
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, store.ErrUnavailable)
}

func start(tb testing.TB, s store.Store, job string) store.RunID {
	reply, err := s.StartRun(tb.Context(), store.StartParams{
		Job: job, Token: job, Set: "set", Weight: 1, Retention: time.Hour, FailureCap: 10,
		Root: &store.Item{Route: store.Route{Queue: "q", Set: "set", Kind: "k"}, Task: store.Task{ID: "root"}},
	})
	require.NoError(tb, err)
	return reply.Run
}

// The suite again where partitions are spread over the masters of a cluster: no
// script may touch a key of another slot, nor one it did not declare.
func TestConformanceOnACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	h := realHarness()
	h.Waiting = 1000
	h.Leftovers = nil
	h.New = func(tb testing.TB) store.Store {
		return open(tb, cluster.URL(), redisstore.Config{Namespace: redistest.Namespace(), Partitions: 4})
	}
	storetest.Run(t, h)
}

func TestASentinelsMasterServes(t *testing.T) {
	sentinel := redistest.StartSentinel(t)
	s, err := redisstore.Open(t.Context(), sentinel.URL(), redisstore.Config{})
	require.NoError(t, err)
	defer s.Close()
	run := start(t, s, "job")
	record, err := s.Run(t.Context(), run)
	require.NoError(t, err)
	require.Equal(t, statuses.Running, record.Status)
}
