package redisstore_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
)

// dialled is a store that made its own client.
func dialled(t *testing.T, url string) store.Store {
	t.Helper()
	s, err := redisstore.Open(t.Context(), url, redisstore.Config{Namespace: "ns"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// readings counts how often the server was asked for a document.
func readings(t *testing.T, server *redistest.Server) int {
	t.Helper()
	client := server.Client
	text, err := client.Do(t.Context(), client.B().Info().Section("commandstats").Build()).ToString()
	require.NoError(t, err)
	_, stat, _ := strings.Cut(text, "cmdstat_hmget:calls=")
	stat, _, _ = strings.Cut(stat, ",")
	n, _ := strconv.Atoi(stat)
	return n
}

func configure(t *testing.T, s store.Store, set string, version int64, document string) {
	t.Helper()
	_, err := s.WriteConfiguration(t.Context(), store.ConfigurationWrite{
		ID: store.ConfigurationID{Set: set}, Token: fmt.Sprint(version, document), IfVersion: version, Document: []byte(document),
	})
	require.NoError(t, err)
}

// watched asks until the document of ingest has the version.
func watched(t *testing.T, s store.Store, version int64) {
	t.Helper()
	for {
		require.NoError(t, t.Context().Err())
		records, err := store.WithRetry(s, nil).WatchConfigurations(t.Context(), []string{"other", "ingest"})
		require.NoError(t, err)
		if records[1].Version == version {
			return
		}
	}
}

func TestWatchingConfigurationsCostsNoCommandUntilOneChanges(t *testing.T) {
	server := redistest.Start(t, nil)
	s, operator := dialled(t, server.URL()), dialled(t, server.URL())
	for v := range int64(3) {
		configure(t, operator, "ingest", v, "document")
		watched(t, s, v+1)
		before := readings(t, server)
		for range 1000 {
			records, err := s.WatchConfigurations(t.Context(), []string{"ingest", "thumbs"})
			require.NoError(t, err)
			require.Equal(t, v+1, records[0].Version)
			require.Zero(t, records[1].Version)
		}
		require.LessOrEqual(t, readings(t, server)-before, 1, "one of a set that was not read before")
	}
}

func TestAChangeIsNotMissedWhileTheConnectionIsLost(t *testing.T) {
	server := redistest.Start(t, nil)
	s, operator := dialled(t, server.URL()), dialled(t, server.URL())
	for v := range int64(20) {
		watched(t, s, v)
		require.NoError(t, server.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
		_, err := store.WithRetry(operator, nil).WriteConfiguration(t.Context(), store.ConfigurationWrite{
			ID: store.ConfigurationID{Set: "ingest"}, Token: fmt.Sprint(v), IfVersion: v, Document: []byte("d"),
		})
		require.NoError(t, err)
	}
	watched(t, s, 20)
	require.NoError(t, server.Do(t.Context(), "FLUSHALL"))
	watched(t, s, 0)
}

func TestWithoutTrackingConfigurationsArePolled(t *testing.T) {
	server := redistest.Start(t, nil)
	require.NoError(t, server.Do(t.Context(), "ACL", "SETUSER", "plain", "on", ">secret", "~*", "&*", "+@all", "-client|tracking"))
	url := "redis://plain:secret@" + server.Addr
	s := dialled(t, url)
	configure(t, s, "ingest", 0, "a")
	watched(t, s, 1)
	before := readings(t, server)
	watched(t, s, 1)
	require.Equal(t, 2, readings(t, server)-before)
	configure(t, s, "ingest", 1, "b")
	watched(t, s, 2)

	_, err := redisstore.Open(t.Context(), "redis://plain:wrong@"+server.Addr, redisstore.Config{})
	require.Error(t, err, "it is not taken for a lack of tracking")
}

func TestADamagedConfigurationLeavesTheOthersAlone(t *testing.T) {
	s := ownScene(t)
	ctx := t.Context()
	for _, set := range []string{"good", "counted", "typed"} {
		configure(t, s.Store, set, 0, set)
	}
	s.command("HSET", "configuration:counted", "version", "many")
	s.command("SET", "configuration:typed", "text")
	records, err := s.WatchConfigurations(ctx, []string{"counted", "good", "typed"})
	require.NoError(t, err)
	require.Equal(t, store.ConfigurationRecord{Version: 1, Document: []byte("good")}, records[1])
	for i, set := range map[int]string{0: "counted", 2: "typed"} {
		require.ErrorIs(t, records[i].Err, store.ErrCorrupt)
		require.ErrorContains(t, records[i].Err, set)
		id := store.ConfigurationID{Set: set}
		_, err = s.Configuration(ctx, id)
		require.ErrorIs(t, err, store.ErrCorrupt)
		_, err = s.ConfigurationHistory(ctx, id)
		require.ErrorIs(t, err, store.ErrCorrupt)
		_, err = s.WriteConfiguration(ctx, store.ConfigurationWrite{ID: id, Token: "t", IfVersion: store.AnyVersion})
		require.ErrorIs(t, err, store.ErrCorrupt)
	}
}

func TestChangesAreMadeOnceThoughRepliesAreLost(t *testing.T) {
	s, proxy := proxiedScene(t)
	proxy.Inject(redistest.Fault{Kind: redistest.Swallow, Every: 3, Match: redistest.Named("EVALSHA", "EVAL")})
	for v := range int64(60) {
		version, err := store.WithRetry(s.Store, nil).WriteConfiguration(t.Context(), store.ConfigurationWrite{
			ID: store.ConfigurationID{Set: "ingest"}, Token: fmt.Sprint(v), IfVersion: v, Document: []byte(fmt.Sprint(v)),
		})
		require.NoError(t, err)
		require.Equal(t, v+1, version)
	}
	require.Greater(t, proxy.Injected(), 10)
}
