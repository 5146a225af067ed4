package redistest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
)

// wire is a client that shows every byte.
type wire struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func dial(t *testing.T, addr string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return &wire{t: t, conn: conn, r: bufio.NewReader(conn)}
}

func (w *wire) send(lines ...string) {
	w.t.Helper()
	_, err := io.WriteString(w.conn, strings.Join(lines, "\r\n")+"\r\n")
	require.NoError(w.t, err)
}

// lines reads as many lines as are expected, and compares.
func (w *wire) expect(lines ...string) {
	w.t.Helper()
	for _, want := range lines {
		got, err := w.r.ReadString('\n')
		require.NoError(w.t, err, "waiting for %q", want)
		require.Equal(w.t, want+"\r\n", got)
	}
}

// expectEnd checks that the connection is closed without a further byte.
func (w *wire) expectEnd() {
	w.t.Helper()
	rest, _ := io.ReadAll(w.r) // an end or a reset, as the kernel likes
	require.Empty(w.t, string(rest))
}

func proxied(t *testing.T) (*redistest.Proxy, string) {
	t.Helper()
	s, namespace := redistest.Shared(t)
	return redistest.NewProxy(t, s.Addr), "{" + namespace + ":0}:"
}

func TestWithoutFaultsEveryReplyPassesUnchanged(t *testing.T) {
	s := redistest.Start(t, &redistest.Options{Args: []string{"--enable-debug-command", "yes"}})
	p := redistest.NewProxy(t, s.Addr)
	for _, hello := range []string{"HELLO 2", "HELLO 3"} {
		var commands []string
		for _, kind := range []string{"string", "integer", "double", "null", "array", "set", "map", "attrib", "push", "verbatim", "bignum", "true", "false"} {
			commands = append(commands, "DEBUG PROTOCOL "+kind)
		}
		commands = append(
			commands, "*2\r\n$3\r\nGET\r\n$6\r\n\r\nnone", "", "*0", "NOSUCHCOMMAND", "ECHO "+strings.Repeat("x", 60_000),
			"QUIT",
		)

		read := func(addr string) string {
			w := dial(t, addr)
			w.send(hello)
			w.send(commands...)
			all, err := io.ReadAll(w.r)
			require.NoError(t, err)
			_, rest, found := strings.Cut(string(all), "modules") // HELLO tells the connection's number
			require.True(t, found)
			return rest
		}
		require.Equal(t, read(s.Addr), read(p.Addr), hello)
	}
	require.Zero(t, p.Injected())
}

func TestASwallowedReplyLeavesTheCommandExecutedAndLaterOnesUnsent(t *testing.T) {
	p, ns := proxied(t)
	p.Inject(redistest.Fault{Kind: redistest.Swallow, Nth: 3})
	w := dial(t, p.Addr)

	w.send(strings.Split(strings.Repeat("INCR "+ns+"n,", 5)+"PING", ",")...)

	w.expect(":1", ":2")
	w.expectEnd()
	require.Equal(t, 1, p.Injected())
	again := dial(t, p.Addr)
	again.send("GET " + ns + "n")
	again.expect("$1", "3")
}

func TestACutCommandIsNotExecuted(t *testing.T) {
	p, ns := proxied(t)
	p.Inject(redistest.Fault{Kind: redistest.Cut, Nth: 3})
	w := dial(t, p.Addr)

	w.send("INCR "+ns+"n", "INCR "+ns+"n", "INCR "+ns+"n", "INCR "+ns+"n")

	w.expect(":1", ":2")
	w.expectEnd()
	require.Equal(t, 1, p.Injected())
	again := dial(t, p.Addr)
	again.send("GET " + ns + "n")
	again.expect("$1", "2")
}

func TestABlackHoleExecutesTheCommandAndKeepsSilent(t *testing.T) {
	p, ns := proxied(t)
	p.Inject(redistest.Fault{Kind: redistest.BlackHole, Nth: 2})
	w := dial(t, p.Addr)
	w.send("INCR "+ns+"n", "INCR "+ns+"n", "INCR "+ns+"n")
	w.expect(":1")

	require.NoError(t, w.conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err := w.r.ReadByte()
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout(), "the connection is open, and nothing comes")

	again := dial(t, p.Addr)
	again.send("GET " + ns + "n")
	again.expect("$1", "2")
	require.Equal(t, 1, p.Injected())
}

func TestADelayHoldsTheReplyAndThoseBehindIt(t *testing.T) {
	const delay = 50 * time.Millisecond
	p, ns := proxied(t)
	p.Inject(redistest.Fault{Kind: redistest.Delay, Nth: 2, For: delay})
	w := dial(t, p.Addr)
	start := time.Now()

	w.send("INCR "+ns+"n", "INCR "+ns+"n", "PING")

	w.expect(":1", ":2", "+PONG")
	require.GreaterOrEqual(t, time.Since(start), delay)
}

func TestSetUpDoesNotCountTowardsEveryNth(t *testing.T) {
	p, ns := proxied(t)
	p.Inject(redistest.Fault{Kind: redistest.Swallow, Every: 3})
	for range 4 {
		w := dial(t, p.Addr)
		w.send("PING", "CLIENT SETNAME n", "SELECT 0", "SUBSCRIBE "+ns+"c", "UNSUBSCRIBE "+ns+"c")
		w.expect("+PONG", "+OK", "+OK")
	}
	require.Zero(t, p.Injected())

	w := dial(t, p.Addr)
	w.send("INCR "+ns+"n", "PING", "INCR "+ns+"n", "PING", "INCR "+ns+"n")
	w.expect(":1", "+PONG", ":2", "+PONG")
	w.expectEnd()
	w = dial(t, p.Addr)
	w.send("INCR "+ns+"n", "INCR "+ns+"n", "INCR "+ns+"n")
	w.expect(":4", ":5")
	w.expectEnd()
	require.Equal(t, 2, p.Injected())

	p.Clear()
	w = dial(t, p.Addr)
	w.send("INCR "+ns+"n", "INCR "+ns+"n", "INCR "+ns+"n", "INCR "+ns+"n")
	w.expect(":7", ":8", ":9", ":10")
}

func TestAMatcherChoosesByNameAndArguments(t *testing.T) {
	p, ns := proxied(t)
	second := func(c redistest.Command) bool {
		return redistest.Named("INCR")(c) && strings.HasSuffix(string(c.Args[0]), "b")
	}
	p.Inject(redistest.Fault{Kind: redistest.Swallow, Match: second})
	w := dial(t, p.Addr)

	w.send("incr "+ns+"a", "GET "+ns+"b", "incr "+ns+"b")

	w.expect(":1", "$-1")
	w.expectEnd()
}

func TestSubscriptionsShareAConnectionWithOtherCommands(t *testing.T) {
	p, ns := proxied(t)
	p.Inject(redistest.Fault{Kind: redistest.Swallow, Match: redistest.Named("GET"), Nth: 2})
	w := dial(t, p.Addr)
	w.send("HELLO 3")
	for line := ""; line != "*0\r\n"; { // the modules, last of HELLO
		var err error
		line, err = w.r.ReadString('\n')
		require.NoError(t, err)
	}
	push := func(kind string, n int) []string {
		channel := ns + string(rune('a'+n-1))
		return []string{">3", fmt.Sprintf("$%d", len(kind)), kind, fmt.Sprintf("$%d", len(channel)), channel, fmt.Sprintf(":%d", n)}
	}

	w.send("SUBSCRIBE "+ns+"a "+ns+"b", "INCR "+ns+"n", "SUBSCRIBE", "GET "+ns+"n", "PUBLISH "+ns+"a hi", "GET "+ns+"n", "INCR "+ns+"n")

	w.expect(push("subscribe", 1)...)
	w.expect(push("subscribe", 2)...)
	w.expect(":1", "-ERR wrong number of arguments for 'subscribe' command", "$1", "1")
	w.expect(">3", "$7", "message", fmt.Sprintf("$%d", len(ns)+1), ns+"a", "$2", "hi", ":1")
	w.expectEnd()
	require.Equal(t, 1, p.Injected())
	again := dial(t, p.Addr)
	again.send("GET " + ns + "n")
	again.expect("$1", "1")
}

func TestASubscriptionInRESP2PassesThrough(t *testing.T) {
	p, ns := proxied(t)
	p.Inject(redistest.Fault{Kind: redistest.Swallow})
	w := dial(t, p.Addr)
	channel := ns + "c"

	w.send("SUBSCRIBE "+channel, "PING", "UNSUBSCRIBE")

	name := []string{fmt.Sprintf("$%d", len(channel)), channel}
	w.expect("*3", "$9", "subscribe", name[0], name[1], ":1")
	w.expect("*2", "$4", "pong", "$0", "")
	w.expect("*3", "$11", "unsubscribe", name[0], name[1], ":0")
}

func TestCutAllClosesWhatIsOpenAndNothingElse(t *testing.T) {
	p, _ := proxied(t)
	w := dial(t, p.Addr)
	w.send("PING")
	w.expect("+PONG")

	p.CutAll()

	w.expectEnd()
	again := dial(t, p.Addr)
	again.send("PING")
	again.expect("+PONG")
}

func TestAServerThatIsGoneClosesItsClients(t *testing.T) {
	s := redistest.Start(t, nil)
	p := redistest.NewProxy(t, s.Addr)
	w := dial(t, p.Addr)
	w.send("PING")
	w.expect("+PONG")

	s.Kill()

	w.expectEnd()
	dial(t, p.Addr).expectEnd()
	s.Restart()
	again := dial(t, p.Addr)
	again.send("PING")
	again.expect("+PONG")
}

func TestARealClientSeesALostReplyAsAnError(t *testing.T) {
	p, ns := proxied(t)
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{p.Addr}, ForceSingleClient: true})
	require.NoError(t, err)
	defer client.Close()
	p.Inject(redistest.Fault{Kind: redistest.Swallow, Every: 20})

	lost := 0
	for range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if client.Do(ctx, client.B().Incr().Key(ns+"n").Build()).Error() != nil {
			lost++
		}
		cancel()
	}

	require.Equal(t, 5, lost)
	require.Equal(t, 5, p.Injected())
	p.Clear()
	n, err := client.Do(t.Context(), client.B().Get().Key(ns+"n").Build()).AsInt64()
	require.NoError(t, err)
	require.EqualValues(t, 100, n, "what was lost was executed")
}
