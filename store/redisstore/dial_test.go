package redisstore_test

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
)

// opens makes a store at the URL, and lets a run begin.
func opens(t *testing.T, url string) {
	t.Helper()
	s, err := redisstore.Open(t.Context(), url, redisstore.Config{Namespace: redistest.Namespace()})
	require.NoError(t, err, url)
	start(t, s, "job")
	require.NoError(t, s.Close())
}

func TestAServerIsReachedByAllFormsOfItsURL(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "r@1.sock")
	server := redistest.Start(t, &redistest.Options{Args: []string{"--unixsocket", socket, "--databases", "4"}})
	require.NoError(t, server.Do(t.Context(), "ACL", "SETUSER", "u", "on", ">p#/?@%", "~*", "&*", "+@all"))
	for _, url := range []string{
		"redis://" + server.Addr, "redis://" + server.Addr + "/", "valkey://" + server.Addr + "/3", "redis://" + server.Addr + "/3/",
		"redis://u:p%23%2F%3F%40%25@" + server.Addr + "/?db=2", "redis://" + server.Addr + "?protocol=2",
		"unix://" + socket, "unix://u:p%23%2F%3F%40%25@" + socket + "?db=3",
	} {
		opens(t, url)
	}
	for _, url := range []string{"redis://" + server.Addr + "/4", "redis://" + server.Addr + "/4?protocol=2", "unix://" + socket + "?db=4"} {
		wrongURL(t, url, "names database 4, which the server does not have")
	}
	_, err := redisstore.Open(t.Context(), "unix://"+socket+"x", redisstore.Config{})
	require.ErrorIs(t, err, store.ErrUnavailable)
}

// wrongURL requires a URL to be refused by its field, in seconds.
func wrongURL(t *testing.T, url, why string) {
	t.Helper()
	began := time.Now()
	_, err := redisstore.Open(t.Context(), url, redisstore.Config{})
	var bad *store.FieldError
	require.ErrorAs(t, err, &bad, url)
	require.Equal(t, "URL", bad.Field)
	require.Contains(t, bad.Reason, why)
	require.NotErrorIs(t, err, store.ErrUnavailable)
	require.Less(t, time.Since(began), 4*time.Second)
	t.Logf("%s after %v: %v", url, time.Since(began).Round(time.Millisecond), err)
}

func TestASchemeThatTheServerDoesNotSpeakIsRefusedInSeconds(t *testing.T) {
	server := redistest.StartTLS(t)
	opens(t, server.TLSURL()+"?skip_verify=1")
	opens(t, server.TLSURL()+"/?skip_verify=1&protocol=2")
	for _, scheme := range []string{"rediss://", "valkeys://"} {
		wrongURL(t, scheme+server.Addr, server.Addr+" speaks without: its scheme must be redis")
		wrongURL(t, scheme+server.Address, "certificate is not valid")
	}
	for _, scheme := range []string{"redis://", "valkey://"} {
		wrongURL(t, scheme+server.Address, server.Address+" speaks only TLS: its scheme must be rediss")
		wrongURL(t, scheme+"u:5ecret@"+server.Address+"?protocol=2", "speaks only TLS")
	}
}

func TestAServerThatIsSilentUnderTLSIsUnavailable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close() // whoever connects waits: nobody accepts
	for _, scheme := range []string{"redis://", "rediss://"} {
		began := time.Now()
		_, err = redisstore.Open(t.Context(), scheme+listener.Addr().String()+"?dial_timeout=500ms", redisstore.Config{})
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.Less(t, time.Since(began), 3*time.Second)
	}
}

func TestASentinelHasAUserOfItsOwn(t *testing.T) {
	site := redistest.StartSentinel(t)
	ctx := t.Context()
	require.NoError(t, site.Watcher.Do(ctx, "ACL", "SETUSER", "watch", "on", ">s@p", "~*", "&*", "+@all"))
	require.NoError(t, site.Watcher.Do(ctx, "ACL", "SETUSER", "default", "resetpass", "off"))
	require.NoError(t, site.Master.Do(ctx, "ACL", "SETUSER", "u", "on", ">5ecret", "~*", "&*", "+@all"))
	url := "redis://u:5ecret@" + site.Watcher.Addr + "/?master_set=" + redistest.MasterSet
	opens(t, url+"&sentinel_username=watch&sentinel_password=s%40p")
	for _, wrong := range []string{"", "&sentinel_username=watch&sentinel_password=5ecret"} {
		_, err := redisstore.Open(ctx, url+wrong, redisstore.Config{})
		require.Error(t, err)
		require.NotContains(t, err.Error(), secret)
	}
}

func TestConnectionsHaveAName(t *testing.T) {
	server := redistest.Start(t, nil)
	require.NoError(t, server.Do(t.Context(), append([]string{"ACL", "SETUSER", "least", "on", ">p"}, redisstore.ACLRules("shop")...)...))
	require.NoError(t, server.Do(t.Context(), append([]string{"ACL", "SETUSER", "nameless", "on", ">p"},
		append(redisstore.ACLRules("shop"), "-client|setname")...)...))
	for url, want := range map[string]string{
		"redis://" + server.Addr:                                   "rollcall:shop",
		"redis://" + server.Addr + "?client_name=mine":             "mine",
		"redis://" + server.Addr + "?protocol=2":                   "rollcall:shop",
		"redis://least:p@" + server.Addr:                           "rollcall:shop",
		"redis://least:p@" + server.Addr + "?protocol=2":           "rollcall:shop",
		"redis://nameless:p@" + server.Addr + "?protocol=2":        "",
		"redis://" + server.Addr + "?client_cache=0":               "rollcall:shop",
		"redis://least:p@" + server.Addr + "?client_name=a%25b%7E": "a%b~",
	} {
		s, err := redisstore.Open(t.Context(), url, redisstore.Config{Namespace: "shop"})
		require.NoError(t, err, url)
		start(t, s, "job")
		require.Equal(t, []string{want}, names(t, server), url)
		require.NoError(t, s.Close())
		require.NoError(t, server.Do(t.Context(), "FLUSHALL"))
	}
	_, err := redisstore.Open(
		t.Context(), "redis://nameless:p@"+server.Addr+"?protocol=2&client_name=mine",
		redisstore.Config{Namespace: "shop"},
	)
	require.ErrorContains(t, err, "setname", "a name that was asked for is not dropped in silence")
}

// names are those of the connections of a server, each once, but for the test's own, which has
// none.
func names(t *testing.T, server *redistest.Server) (all []string) {
	t.Helper()
	list, err := server.Client.Do(t.Context(), server.Client.B().Arbitrary("CLIENT", "LIST").Build()).ToString()
	require.NoError(t, err)
	for line := range strings.Lines(list) {
		_, name, _ := strings.Cut(line, " name=")
		name, _, _ = strings.Cut(name, " ")
		if own := name == "" && strings.Contains(line, " user=default "); !own {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
