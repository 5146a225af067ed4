package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func build(t *testing.T) string {
	binary := filepath.Join(t.TempDir(), "gate")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, string(built))
	return binary
}

func TestWhoeverIsLockedOutLetsItBe(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), build(t), "-nights", "1", "-night", "2s").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, 1, strings.Count(string(out), ": runs, night 1, fencing number "), string(out))
	require.Equal(t, 2, strings.Count(string(out), `: gate skipped: semaphore "nightly-report" is taken, slot 0 by "machine `), string(out))
}

func TestThePredicateKeepsAllFromRunning(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), build(t), "-nights", "1", "-night", "10ms")
	cmd.Env = append(cmd.Environ(), "MAINTENANCE=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, 3, strings.Count(string(out), ": gate skipped: the predicate does not allow it\n"), string(out))
}
