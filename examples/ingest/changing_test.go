package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/syncjob"
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
// a copy is of one letter, and that each file is counted once, is not.
func TestACopyIsNeverOfTwoHalves(t *testing.T) {
	tr := newTrees(t)
	tr.write("calm", "x", 0o644)
	stop := keepsChanging(t, filepath.Join(tr.src, "busy"), 8<<20)
	defer stop()
	for range 4 {
		require.NoError(t, os.RemoveAll(tr.dst))
		status, stdout, stderr := command(t.Context(), "start", "-src", tr.src, "-dst", tr.dst, "-json", "-strict")
		got := lastLine(t, stdout).files
		require.EqualValues(t, 2, got.Copied+got.Changed, stderr)
		content, err := os.ReadFile(filepath.Join(tr.dst, "busy"))
		if got.Changed == 0 {
			require.NoError(t, err)
			require.Equal(t, exitOK, status)
			require.Equal(t, 8<<20, strings.Count(string(content), string(content[:1])))
			continue
		}
		require.ErrorIs(t, err, os.ErrNotExist)
		require.Equal(t, exitFailed, status)
		require.Contains(t, stdout, `changed: "`+tr.src+`/busy": `)
	}
	stop()
	status, _, _ := command(t.Context(), "start", "-src", tr.src, "-dst", tr.dst, "-strict")
	require.Equal(t, exitOK, status)
	tr.requireEqual()
}

func TestAFileThatChangesEachTimeIsCountedAsChanged(t *testing.T) {
	tr := newTrees(t)
	tr.write("file", strings.Repeat("x", 3*bufferSize), 0o644)
	require.NoError(t, os.Mkdir(tr.dst, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(tr.dst, "file"), []byte("as it was"), 0o600))
	from, calls := filepath.Join(tr.src, "file"), 0
	c := copier{from: from, to: filepath.Join(tr.dst, "file"), temp: filepath.Join(tr.dst, "temp"), progress: func(int64) {
		calls++
		require.NoError(t, os.Chtimes(from, time.Time{}, longAgo.Add(time.Duration(calls)*time.Second)))
	}}
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
	require.Equal(t, figures{Changed: 1, List: listed{{Path: []byte(from), Reason: errChanged.Error(), What: changed}}}, r.figures)
	f := startFlags{strict: true}
	succeeded := syncjob.RunState{Status: syncjob.StatusSucceeded}
	require.ErrorIs(t, f.verdict(succeeded, r.figures), errFilesFailed)
	require.NoError(t, (&startFlags{}).verdict(succeeded, r.figures))
	require.NoError(t, f.verdict(succeeded, figures{Copied: 1}))
}

// A single write that takes long moves the time of its file once, when it begins.
func TestAWriteThatIsUnderWayIsNoticedByWhatItWrites(t *testing.T) {
	tr := newTrees(t)
	from := filepath.Join(tr.src, "file")
	require.NoError(t, os.WriteFile(from, []byte(strings.Repeat("x", 3*bufferSize)), 0o600))
	now := time.Now()
	require.NoError(t, os.Chtimes(from, now, now))
	require.NoError(t, os.Mkdir(tr.dst, 0o755))
	written := false
	c := copier{from: from, to: filepath.Join(tr.dst, "file"), temp: filepath.Join(tr.dst, "temp"), progress: func(done int64) {
		if done < 2*bufferSize || written {
			return
		}
		written = true // what was read already
		f, err := os.OpenFile(from, os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteAt([]byte("new"), 0)
		require.NoError(t, errors.Join(err, f.Close(), os.Chtimes(from, now, now)))
	}}
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
		"its time": func(path string) error { return os.Chtimes(path, time.Time{}, longAgo.Add(time.Hour)) },
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
			tr.write("file", strings.Repeat("x", 3*bufferSize), 0o644)
			require.NoError(t, os.Mkdir(tr.dst, 0o755))
			from := filepath.Join(tr.src, "file")
			calls := 0
			c := copier{from: from, to: filepath.Join(tr.dst, "file"), temp: filepath.Join(tr.dst, "temp"), progress: func(int64) {
				if calls++; calls == 2 {
					require.NoError(t, change(from))
				}
			}}
			src, err := os.Lstat(from)
			require.NoError(t, err)
			n, err := c.replace(t.Context(), src)
			require.NoError(t, err)
			now, err := os.Lstat(from)
			require.NoError(t, err)
			require.Equal(t, now.Size(), n)
			require.NoError(t, os.Chtimes(tr.dst, time.Time{}, modified(t, tr.src)))
			tr.requireEqual()
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
	tr.write("file", strings.Repeat("x", 3*bufferSize), 0o644)
	require.NoError(t, os.Mkdir(tr.dst, 0o755))
	from := filepath.Join(tr.src, "file")
	src, err := os.Lstat(from)
	require.NoError(t, err)
	c := copier{
		from:     from,
		to:       filepath.Join(tr.dst, "file"),
		temp:     filepath.Join(tr.dst, "temp"),
		progress: func(int64) { _ = os.Remove(from) },
	}
	_, err = c.replace(t.Context(), src)
	var failed *fileError
	require.ErrorAs(t, err, &failed)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoFileExists(t, filepath.Join(tr.dst, "file"))
}
