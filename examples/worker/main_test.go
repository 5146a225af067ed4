package main

import (
	"bufio"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestItWorksAnswersAndDrains(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "worker")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, string(built))
	cmd := exec.CommandContext(t.Context(), binary, "-health", "127.0.0.1:0")
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	out := bufio.NewReader(pipe)

	line, err := out.ReadString('\n')
	require.NoError(t, err)
	_, err = out.ReadString('\n') // a mail was sent: it runs
	require.NoError(t, err)
	resp, err := http.Get(strings.TrimSpace(strings.TrimPrefix(line, "healthy? curl ")))
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)

	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	rest, err := io.ReadAll(out)
	require.NoError(t, err)
	require.NoError(t, cmd.Wait())
	require.True(t, strings.HasSuffix(string(rest), "\ndrained\n"))
}
