package command

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// keepsChanging rewrites a file, all of one letter at a time, until stop is called.
func keepsChanging(t *testing.T, path string, size int) (stop func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(t, err)
	write := func(n int) {
		_, err := f.WriteAt([]byte(strings.Repeat(string(rune('a'+n%26)), size)), 0)
		require.NoError(t, err)
	}
	write(0)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			default:
				write(n)
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(done)
		<-ended
		require.NoError(t, f.Close())
	})
}

// Whether the writer is in the middle of it when the file is copied is for the machine to say; that
// a copy is of one letter, and that each file is Counted once, is not.
func TestACopyIsNeverOfTwoHalves(t *testing.T) {
	tr := newTrees(t)
	tr.Write("calm", "x", 0o644)
	stop := keepsChanging(t, filepath.Join(tr.Src, "busy"), 8<<20)
	defer stop()
	for range 4 {
		require.NoError(t, os.RemoveAll(tr.Dst))
		status, stdout, stderr := command(t.Context(), "start", "-src", tr.Src, "-dst", tr.Dst, "-json", "-strict")
		got := lastLine(t, stdout).files
		require.EqualValues(t, 2, got.Copied+got.Changed, stderr)
		content, err := os.ReadFile(filepath.Join(tr.Dst, "busy"))
		if got.Changed == 0 {
			require.NoError(t, err)
			require.Equal(t, exitOK, status)
			require.Equal(t, 8<<20, strings.Count(string(content), string(content[:1])))
			continue
		}
		require.ErrorIs(t, err, os.ErrNotExist)
		require.Equal(t, exitFailed, status)
		require.Contains(t, stdout, `changed: "`+tr.Src+`/busy": `)
	}
	stop()
	status, _, _ := command(t.Context(), "start", "-src", tr.Src, "-dst", tr.Dst, "-strict")
	require.Equal(t, exitOK, status)
	tr.RequireEqual()
}

func TestStrictFailsForAFileThatChanged(t *testing.T) {
	f := startFlags{strict: true}
	succeeded := states.Run{Status: states.Succeeded}
	require.ErrorIs(t, f.verdict(succeeded, mirror.Figures{Changed: 1}), errFilesFailed)
	require.NoError(t, (&startFlags{}).verdict(succeeded, mirror.Figures{Changed: 1}))
	require.NoError(t, f.verdict(succeeded, mirror.Figures{Copied: 1}))
}
