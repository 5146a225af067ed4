package redistest

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// shared is the server that tests of one binary use together. It runs while
// any of them does, so that a leak check at the end of the binary finds nothing.
var shared struct {
	mu     sync.Mutex // held while starting and stopping: latecomers wait for the one server
	server *Server
	users  int
	dir    string
}

// Shared returns a server that all callers in this test binary share, started
// by the first and ended with the last, and a namespace of tb's own, whose keys are
// removed when tb ends. The server has no persistence and must not be killed, paused, flushed or
// reconfigured: [Start] one for that.
func Shared(tb testing.TB) (s *Server, namespace string) {
	tb.Helper()
	binary := Binary(tb)

	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.users == 0 {
		dir, err := os.MkdirTemp("", "redistest") //nolint:usetesting // it outlives the test that came first
		if err != nil {
			tb.Fatal(err)
		}
		server, err := startServer(spec{binary: binary, dir: dir, args: serverArgs(&Options{})})
		if err != nil {
			_ = os.RemoveAll(dir)
			tb.Fatal(err)
		}
		shared.server, shared.dir = server, dir
	}
	shared.users++
	tb.Cleanup(func() { leaveShared(tb) })

	s, namespace = shared.server, Namespace()
	tb.Cleanup(func() {
		if err := s.removeKeys(namespace); err != nil {
			tb.Errorf("remove the keys of namespace %s: %v", namespace, err)
		}
	})
	return s, namespace
}

// Namespace returns a name that no other test uses: a letter and lower-case
// letters and digits.
func Namespace() string { return "t" + strings.ToLower(rand.Text()) }

func leaveShared(tb testing.TB) {
	tb.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.users--; shared.users > 0 {
		return
	}
	shared.server.close()
	if err := os.RemoveAll(shared.dir); err != nil {
		tb.Errorf("remove the directory of the shared server: %v", err)
	}
	shared.server = nil
}

// removeKeys removes every key that holds the namespace in its name.
func (s *Server) removeKeys(namespace string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for cursor := uint64(0); ; {
		page, err := s.Client.Do(ctx, s.Client.B().Scan().Cursor(cursor).Match("*"+namespace+"*").Count(1000).Build()).
			AsScanEntry()
		if err != nil {
			return err
		}
		if len(page.Elements) > 0 {
			if err := s.Client.Do(ctx, s.Client.B().Unlink().Key(page.Elements...).Build()).Error(); err != nil {
				return err
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}
