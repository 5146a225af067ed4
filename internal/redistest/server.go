package redistest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/rueidis"
)

// Options tunes [Start].
type Options struct {
	// AOF keeps an append-only file, so that what was acknowledged survives Kill
	// and Restart. Defaults to no persistence at all.
	AOF bool
	// Args are further settings as on the command line of redis-server, for
	// example "--maxmemory", "10mb". Defaults to none.
	Args []string
	// Clock is the server's time of day. Defaults to that of everybody else.
	Clock *Clock
}

// Server is one redis-server process. Its methods are for one goroutine at a time; they fail the
// test when they do not succeed.
type Server struct {
	// Addr is host:port. It stays the same over Restart.
	Addr string
	// Client talks to this server only. It is closed when the test ends.
	Client rueidis.Client

	tb   testing.TB // fails when a method does; nil for the shared server
	spec spec
	proc *process
	// ports are reserved until it is closed, whether it runs or not.
	ports *reservation
}

// Start runs a server until tb ends. opts may be nil.
func Start(tb testing.TB, opts *Options) *Server {
	tb.Helper()
	if opts == nil {
		opts = &Options{}
	}
	s, err := startServer(spec{
		binary: Binary(tb),
		dir:    tb.TempDir(),
		args:   serverArgs(opts),
		env:    opts.Clock.env(),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s.own(tb)
}

// own ties the server to tb: it ends with it and fails it.
func (s *Server) own(tb testing.TB) *Server {
	tb.Helper()
	s.tb = tb
	tb.Cleanup(s.close)
	return s
}

func serverArgs(opts *Options) []string {
	aof := "no"
	if opts.AOF {
		aof = "yes"
	}
	return append([]string{
		"--save", "",
		"--appendonly", aof,
		"--appendfsync", "no", // written at once, and a killed process loses nothing; everysec may put it off while the disk is busy
		"--repl-diskless-sync-delay", "0",
	}, opts.Args...)
}

// startServer launches a process on a free port and connects to it.
func startServer(sp spec) (*Server, error) {
	proc, ports, err := launchOnFreePort(sp)
	if err != nil {
		return nil, err
	}
	sp.port = ports.port
	s := &Server{Addr: net.JoinHostPort(loopback, strconv.Itoa(sp.port)), spec: sp, proc: proc, ports: ports}
	s.Client, err = rueidis.NewClient(rueidis.ClientOption{
		InitAddress:       []string{s.Addr},
		ForceSingleClient: true,
		DisableCache:      true,
	})
	if err != nil {
		proc.kill()
		ports.release()
		return nil, fmt.Errorf("connect to redis-server: %w", err)
	}
	return s, nil
}

// URL is the address as redis://host:port.
func (s *Server) URL() string { return "redis://" + s.Addr }

// Kill ends the process with SIGKILL and returns when it is gone. Killing one that
// is gone does nothing.
func (s *Server) Kill() { s.proc.kill() }

// Running reports whether the process of this server runs. An answer on its port does not tell: a
// process that reserves no ports may have taken that of a dead server.
func (s *Server) Running() bool {
	select {
	case <-s.proc.exited:
		return false
	default:
		return true
	}
}

// Restart starts the server again on the same port and directory, and returns when it
// has loaded its data and answers. A server that still runs is killed first.
func (s *Server) Restart() {
	s.tb.Helper()
	s.proc.kill()
	s.cutTornTransaction()
	proc, err := launch(s.spec)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.proc = proc
}

// cutTornTransaction ends the log of a server that was killed while it wrote a transaction before
// that, as an operator does with redis-check-aof. A server takes only the torn command away when it
// starts, does not run the half that is left, and appends to it: started once more, it runs that
// half, too, with what was written since (valkey-io/valkey#4342).
func (s *Server) cutTornTransaction() {
	s.tb.Helper()
	manifest := filepath.Join(s.spec.dir, "appendonlydir", "appendonly.aof.manifest")
	if _, err := os.Stat(manifest); err != nil {
		return
	}
	check := exec.CommandContext(context.Background(), s.spec.binary)
	check.Args = []string{"redis-check-aof", "--fix", manifest} // which it is under that name
	check.Stdin = strings.NewReader("y\n")
	out, err := check.CombinedOutput()
	if err != nil {
		s.tb.Fatalf("redis-check-aof: %v\n%s", err, out)
	}
	if bytes.Contains(out, []byte("Successfully truncated")) {
		s.tb.Logf("the server was killed amid a transaction:\n%s", out)
	}
}

// Pause stops the process with SIGSTOP: connections stay open, and what is
// sent meanwhile is executed after Resume.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.tb.Helper()
	if err := s.proc.cmd.Process.Signal(sig); err != nil {
		s.tb.Fatalf("%v to redis-server: %v", sig, err)
	}
}

// Do runs one command, given as its words, and returns its error; for set-up
// and for the few commands a test needs by hand.
func (s *Server) Do(ctx context.Context, words ...string) error {
	return s.Client.Do(ctx, s.Client.B().Arbitrary(words...).Build()).Error()
}

// replication reads a section of INFO.
func (s *Server) replication(ctx context.Context) (map[string]string, error) {
	text, err := s.Client.Do(ctx, s.Client.B().Info().Section("replication").Build()).ToString()
	return parseInfo(text), err
}

func (s *Server) close() {
	s.Client.Close()
	s.proc.kill()
	s.ports.release()
}
