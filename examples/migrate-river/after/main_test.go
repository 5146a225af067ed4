package main

import (
	"bufio"
	"io"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestItSendsMails(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "after")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, string(built))
	cmd := exec.CommandContext(t.Context(), binary, "-store", "memory://")
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	out := bufio.NewReader(pipe)
	for range 3 {
		line, err := out.ReadString('\n')
		require.NoError(t, err)
		require.Regexp(t, `^(welcome, user [12]|there is no user 0)\n$`, line)
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	rest, err := io.ReadAll(out)
	require.NoError(t, err)
	require.NoError(t, cmd.Wait())
	require.Equal(t, "2 sent, 1 failed\n", string(rest))
}
