package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/syncjobtest"
)

// again syncs the trees as further runs of one job.
func (tr *trees) again() func(change func(*syncArgs)) figures {
	registry, err := newRegistry(tr.hooks)
	require.NoError(tr.t, err)
	kit := syncjobtest.New(tr.t, registry, nil)
	return func(change func(*syncArgs)) figures {
		tr.t.Helper()
		args := tr.args(change)
		final := kit.Run(syncjob.Job{Name: "job", Set: setName, Root: args})
		require.Equal(tr.t, syncjob.StatusSucceeded, final.Status)
		f, err := figuresOf(tr.t.Context(), kit.Manager.Values(), final)
		require.NoError(tr.t, err)
		return f
	}
}

// spoil changes the content of a copied file in place, and leaves no trace.
func (tr *trees) spoil(rel string) {
	path := filepath.Join(tr.dst, rel)
	info, err := os.Stat(path)
	require.NoError(tr.t, err)
	require.NoError(tr.t, os.WriteFile(path, []byte("spoiled, and longer"), 0o600))
	require.NoError(tr.t, os.Chtimes(path, time.Time{}, info.ModTime()))
}

func TestWhatWasSyncedIsNotLookedAtAgainUnlessTheCacheIsIgnored(t *testing.T) {
	tr := newTrees(t)
	tr.write("a/one", "1", 0o644)
	tr.write("a/two", "2", 0o644)
	sync := tr.again()
	require.EqualValues(t, 2, sync(nil).Copied)
	require.EqualValues(t, 2, sync(nil).Unchanged, "this run finds them equal, and remembers it")
	tr.spoil("a/one")
	require.EqualValues(t, 2, sync(nil).Unchanged, "what is known is not looked at")
	tr.write("a/two", "two", 0o644)
	f := sync(nil)
	require.EqualValues(t, 1, f.Copied, "a source that changed is")
	require.EqualValues(t, 1, f.Unchanged)
	require.EqualValues(t, 2, sync(func(a *syncArgs) { a.IgnoreCache = true }).Copied)
	content, err := os.ReadFile(filepath.Join(tr.dst, "a/one"))
	require.NoError(t, err)
	require.Equal(t, "1", string(content))
}

func TestADirectoryThatSomebodyTouchedIsLookedAtAgain(t *testing.T) {
	tr := newTrees(t)
	tr.write("a/one", "1", 0o644)
	tr.write("a/two", "2", 0o644)
	sync := tr.again()
	sync(nil)
	require.EqualValues(t, 2, sync(nil).Unchanged)
	require.NoError(t, os.Remove(filepath.Join(tr.dst, "a/one")))
	f := sync(nil)
	require.EqualValues(t, 1, f.Copied)
	require.FileExists(t, filepath.Join(tr.dst, "a/one"))
}

func TestAnotherDestinationOfTheSameJobIsKnownByItself(t *testing.T) {
	tr := newTrees(t)
	tr.write("one", "1", 0o644)
	sync := tr.again()
	sync(nil)
	sync(nil)
	tr.dst += "-other"
	require.EqualValues(t, 1, sync(nil).Copied)
}
