package redistest

import (
	_ "embed"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// clockSource is a library that, preloaded, moves what a process takes for the time of day.
//
//go:embed testdata/clock.c
var clockSource []byte

// clockEnv names the file that holds by how many seconds, for [clockSource].
const clockEnv = "REDISTEST_CLOCK"

// Clock is the time of day of a server that was started with it, off from everybody else's.
type Clock struct {
	tb      testing.TB
	library string
	file    string
}

// NewClock makes a clock that is off by that much, in whole seconds. It needs a C compiler, and is
// skipped, or fails, without one as without a server.
func NewClock(tb testing.TB, offset time.Duration) *Clock {
	tb.Helper()
	dir := tb.TempDir()
	c := &Clock{tb: tb, library: filepath.Join(dir, "clock.so"), file: filepath.Join(dir, "offset")}
	source := filepath.Join(dir, "clock.c")
	if err := os.WriteFile(source, clockSource, 0o600); err != nil {
		tb.Fatal(err)
	}
	if _, err := exec.LookPath("cc"); err != nil {
		if os.Getenv(RequireEnv) == "1" {
			tb.Fatalf("no C compiler, and %s=1: %v", RequireEnv, err)
		}
		tb.Skipf("no C compiler to move a server's clock with: %v", err)
	}
	out, err := exec.CommandContext(tb.Context(), "cc", "-shared", "-fPIC", "-o", c.library, source, "-ldl").
		CombinedOutput()
	if err != nil {
		tb.Fatalf("compile the clock: %v\n%s", err, out)
	}
	c.Set(offset)
	return c
}

// Set moves the clock: from now on it is off by that much.
func (c *Clock) Set(offset time.Duration) {
	c.tb.Helper()
	f, err := os.OpenFile(c.file, os.O_CREATE|os.O_WRONLY, 0o600) // not truncated: it is mapped by the server
	if err != nil {
		c.tb.Fatal(err)
	}
	_, err = f.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(int64(offset/time.Second))), 0)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		c.tb.Fatal(err)
	}
}

func (c *Clock) env() []string {
	if c == nil {
		return nil
	}
	return []string{"LD_PRELOAD=" + c.library, clockEnv + "=" + c.file}
}
