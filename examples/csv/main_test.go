package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
)

func TestAMillionRowsAreImported(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "run", ".").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "succeeded: 1000000 rows in 1001 tasks")
}

func TestChunksKeepRowsWhole(t *testing.T) {
	const file = "1,\"two\nlines\"\n2,x\n3,\"\"\"\n\"\n"
	var found []enqueue.Item
	for it, err := range chunks(strings.NewReader(file), 2) {
		require.NoError(t, err)
		found = append(found, it)
	}
	second := int64(strings.Index(file, "3,"))
	require.Equal(t, []enqueue.Item{
		enqueue.Task(chunkArgs{0, second}, nil),
		enqueue.Task(chunkArgs{second, int64(len(file))}, nil),
	}, found)
}

func TestAFileThatDoesNotParseIsAnError(t *testing.T) {
	var last error
	for _, err := range chunks(strings.NewReader("1,2\n3\n"), 10) {
		last = err
	}
	require.Error(t, last)
}
