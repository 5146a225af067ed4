package redistest

import (
	"os"
	"os/exec"
	"testing"
)

// RequireEnv is the environment variable that, set to 1, makes tests fail
// instead of being skipped where redis-server is missing.
const RequireEnv = "ROLLCALL_REQUIRE_REDIS"

// Binary returns the path of redis-server. Without one it skips tb, or fails it
// if [RequireEnv] says so. With -short it always skips tb.
func Binary(tb testing.TB) string {
	tb.Helper()
	if testing.Short() {
		tb.Skip("-short leaves out what needs a redis-server")
	}
	path, err := exec.LookPath("redis-server")
	if err == nil {
		return path
	}
	const message = "redis-server is not on the PATH"
	if os.Getenv(RequireEnv) == "1" {
		tb.Fatalf("%s and %s=1: %v", message, RequireEnv, err)
	}
	tb.Skipf("%s; install it, or set %s=1 to fail instead", message, RequireEnv)
	return ""
}
