package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
)

// program makes the program, once for all tests.
var program = sync.OnceValues(func() (binary string, err error) {
	dir, err := os.MkdirTemp("", "fleet-test-")
	if err != nil {
		return "", err
	}
	binary = filepath.Join(dir, "fleet")
	out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return binary, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if binary, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}

// fleet is a started program.
type fleet struct {
	*testing.T
	cmd  *exec.Cmd
	out  *bufio.Reader
	errs bytes.Buffer // what it and its members complain of
}

func launch(t *testing.T, args ...string) *fleet {
	binary, err := program()
	require.NoError(t, err)
	f := &fleet{T: t, cmd: exec.CommandContext(t.Context(), binary, args...)}
	out, err := f.cmd.StdoutPipe()
	require.NoError(t, err)
	f.out = bufio.NewReader(out)
	f.cmd.Stderr = &f.errs
	require.NoError(t, f.cmd.Start())
	return f
}

// until reads what it prints, up to a line with the text.
func (f *fleet) until(text string) {
	for {
		line, err := f.out.ReadString('\n')
		require.NoError(f, err)
		if strings.Contains(line, text) {
			return
		}
	}
}

// Members are stopped and killed while tasks flow. What they did is on the disk: each parcel has
// its effect, nobody began one in vain but who was killed, and no two had the same place of the
// gate, which the locks of the system would have refused.
func TestAFleetIsReplacedWhileTasksFlow(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, nil)
	dir := filepath.Join(t.TempDir(), "parcels")
	f := launch(t, "-redis", server.URL(), "-dir", dir, "-lease", "5s", "-processes", "5", "-places", "3",
		"-rounds", "4", "-kill", "2", "-batch", "75")
	out, err := io.ReadAll(f.out)
	require.NoError(t, err)
	require.NoError(t, f.cmd.Wait(), &f.errs)
	require.Empty(t, f.errs.String())
	require.NotContains(t, string(out), "failed")
	require.Contains(t, string(out), "succeeded: 300 of 300 tasks succeeded")
	require.Equal(t, 2, strings.Count(string(out), " was killed\n"))
	require.Equal(t, 2, strings.Count(string(out), " stopped within "))

	parcels, err := filepath.Glob(filepath.Join(dir, "parcel-*"))
	require.NoError(t, err)
	require.Len(t, parcels, 300)
	places, err := filepath.Glob(filepath.Join(dir, "place-*"))
	require.NoError(t, err)
	require.Len(t, places, 3)
	log, err := os.ReadFile(filepath.Join(dir, "attempts"))
	require.NoError(t, err)
	last := make(map[string]string) // who began a parcel last
	for line := range strings.Lines(string(log)) {
		parcel, member, _ := strings.Cut(strings.TrimSpace(line), " ")
		if before := last[parcel]; before != "" {
			require.Contains(t, string(out), before+" was killed\n", "it began parcel %s, as %s did", parcel, member)
		}
		last[parcel] = member
	}
	require.Len(t, last, 300)
}

// One signal ends all, and members do not outlive their supervisor, whatever ends it.
func TestTheFleetEndsAsAWhole(t *testing.T) {
	t.Parallel()
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		redistest.Binary(t)
		f := launch(t, "-processes", "3", "-places", "2")
		f.until("parcels are delivered")
		require.NoError(t, f.cmd.Process.Signal(syscall.SIGINT))
		f.until("interrupted")
		f.until("members stopped")
		require.NoError(t, f.cmd.Wait(), "this waits for the members, too")
		require.Empty(t, f.errs.String())
	})
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		server := redistest.Start(t, nil)
		f := launch(t, "-redis", server.URL(), "-dir", filepath.Join(t.TempDir(), "parcels"), "-processes", "3", "-places", "2")
		f.until("parcels are delivered")
		require.NoError(t, f.cmd.Process.Kill())
		require.Error(t, f.cmd.Wait(), "this waits for the members, too")
		require.Empty(t, f.errs.String(), "members stopped in order")
	})
}
