package mirror

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/examples/ingest/internal/treetest"
)

func TestAFileThatChangesEachTimeIsCountedAsChanged(t *testing.T) {
	tr := newTrees(t)
	tr.Write("file", strings.Repeat("x", 3*bufferSize), 0o644)
	require.NoError(t, os.Mkdir(tr.Dst, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(tr.Dst, "file"), []byte("as it was"), 0o600))
	from, calls := filepath.Join(tr.Src, "file"), 0
	c := copier{
		source: DirectorySource(tr.Src),
		path:   "file",
		to:     filepath.Join(tr.Dst, "file"),
		temp:   filepath.Join(tr.Dst, "temp"),
		progress: func(int64) {
			calls++
			require.NoError(t, os.Chtimes(from, time.Time{}, treetest.LongAgo.Add(time.Duration(calls)*time.Second)))
		},
	}
	src, err := os.Lstat(from)
	require.NoError(t, err)
	_, err = c.replace(t.Context(), src)
	require.ErrorIs(t, err, errChanged)
	require.Equal(t, 3*changeTries, calls)
	content, err := os.ReadFile(c.to)
	require.NoError(t, err)
	require.Equal(t, "as it was", string(content))

	var r record
	r.fail(from, &fileError{errChanged})
	require.Equal(t, Figures{Changed: 1, List: []Listed{{Path: []byte(from), Reason: errChanged.Error(), What: WasChanged}}}, r.Figures)
}

// A single write that takes long moves the time of its file once, when it begins.
func TestAWriteThatIsUnderWayIsNoticedByWhatItWrites(t *testing.T) {
	tr := newTrees(t)
	from := filepath.Join(tr.Src, "file")
	require.NoError(t, os.WriteFile(from, []byte(strings.Repeat("x", 3*bufferSize)), 0o600))
	now := time.Now()
	require.NoError(t, os.Chtimes(from, now, now))
	require.NoError(t, os.Mkdir(tr.Dst, 0o755))
	written := false
	c := copier{
		source: DirectorySource(tr.Src),
		path:   "file",
		to:     filepath.Join(tr.Dst, "file"),
		temp:   filepath.Join(tr.Dst, "temp"),
		progress: func(done int64) {
			if done < 2*bufferSize || written {
				return
			}
			written = true // what was read already
			f, err := os.OpenFile(from, os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.WriteAt([]byte("new"), 0)
			require.NoError(t, errors.Join(err, f.Close(), os.Chtimes(from, now, now)))
		},
	}
	src, err := os.Lstat(from)
	require.NoError(t, err)
	_, err = c.replace(t.Context(), src)
	require.NoError(t, err)
	content, err := os.ReadFile(c.to)
	require.NoError(t, err)
	require.Equal(t, "newx", string(content[:4]))
}

func TestAFileThatChangedOnceIsCopiedAgain(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"its time": func(path string) error { return os.Chtimes(path, time.Time{}, treetest.LongAgo.Add(time.Hour)) },
		"its size": func(path string) error { return os.Truncate(path, bufferSize) },
		"replaced": func(path string) error {
			if err := os.WriteFile(path+".new", []byte("new"), 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrees(t)
			tr.Write("file", strings.Repeat("x", 3*bufferSize), 0o644)
			require.NoError(t, os.Mkdir(tr.Dst, 0o755))
			from := filepath.Join(tr.Src, "file")
			calls := 0
			c := copier{
				source: DirectorySource(tr.Src),
				path:   "file",
				to:     filepath.Join(tr.Dst, "file"),
				temp:   filepath.Join(tr.Dst, "temp"),
				progress: func(int64) {
					if calls++; calls == 2 {
						require.NoError(t, change(from))
					}
				},
			}
			src, err := os.Lstat(from)
			require.NoError(t, err)
			n, err := c.replace(t.Context(), src)
			require.NoError(t, err)
			now, err := os.Lstat(from)
			require.NoError(t, err)
			require.Equal(t, now.Size(), n)
			require.NoError(t, os.Chtimes(tr.Dst, time.Time{}, modified(t, tr.Src)))
			tr.RequireEqual()
		})
	}
}

func modified(t *testing.T, path string) time.Time {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.ModTime()
}

func TestAFileThatVanishedWhileItWasCopiedIsListed(t *testing.T) {
	tr := newTrees(t)
	tr.Write("file", strings.Repeat("x", 3*bufferSize), 0o644)
	require.NoError(t, os.Mkdir(tr.Dst, 0o755))
	from := filepath.Join(tr.Src, "file")
	src, err := os.Lstat(from)
	require.NoError(t, err)
	c := copier{
		source:   DirectorySource(tr.Src),
		path:     "file",
		to:       filepath.Join(tr.Dst, "file"),
		temp:     filepath.Join(tr.Dst, "temp"),
		progress: func(int64) { _ = os.Remove(from) },
	}
	_, err = c.replace(t.Context(), src)
	var failed *fileError
	require.ErrorAs(t, err, &failed)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoFileExists(t, filepath.Join(tr.Dst, "file"))
}
