package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOneMachineReportsANightAndTheOthersLetItBe(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "nightly")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, string(built))
	cmd := exec.CommandContext(t.Context(), binary)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	fences, ends := make(map[string]bool), 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), ": ran ") {
			ends++
		}
		_, fence, reports := strings.Cut(lines.Text(), "reports, fencing number ")
		if !reports {
			continue
		}
		require.False(t, fences[fence], "a fencing number was given twice")
		if fences[fence] = true; len(fences) == 3 {
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
		}
	}
	require.NoError(t, cmd.Wait())
	require.GreaterOrEqual(t, len(fences), 3)
	require.Equal(t, 3, ends)
}

func TestTheProgramIsShort(t *testing.T) {
	text, err := os.ReadFile("main.go")
	require.NoError(t, err)
	require.Less(t, strings.Count(string(text), "\n"), 80)
}
