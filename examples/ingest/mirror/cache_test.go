package mirror

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
	"github.com/rollcall-go/rollcall/syncjob/syncjobtest"
)

// again syncs the trees as further runs of one job.
func (tr *trees) again() func(change func(*Args)) Figures {
	registry, err := NewRegistry(tr.config())
	require.NoError(tr.T, err)
	kit := syncjobtest.New(tr.T, registry, nil)
	return func(change func(*Args)) Figures {
		tr.T.Helper()
		args := tr.args(change)
		final := kit.Run(syncjob.Job{Name: "job", Set: SetName, Root: args})
		require.Equal(tr.T, states.Succeeded, final.Status)
		f, err := FiguresOf(tr.T.Context(), kit.Manager.Values(), final)
		require.NoError(tr.T, err)
		return f
	}
}

// spoil changes the content of a copied file in place, and leaves no trace.
func (tr *trees) spoil(rel string) {
	path := filepath.Join(tr.Dst, rel)
	info, err := os.Stat(path)
	require.NoError(tr.T, err)
	require.NoError(tr.T, os.WriteFile(path, []byte("spoiled, and longer"), 0o600))
	require.NoError(tr.T, os.Chtimes(path, time.Time{}, info.ModTime()))
}

func TestWhatWasSyncedIsNotLookedAtAgainUnlessTheCacheIsIgnored(t *testing.T) {
	tr := newTrees(t)
	tr.Write("a/one", "1", 0o644)
	tr.Write("a/two", "2", 0o644)
	sync := tr.again()
	require.EqualValues(t, 2, sync(nil).Copied)
	require.EqualValues(t, 2, sync(nil).Unchanged, "this run finds them equal, and remembers it")
	tr.spoil("a/one")
	require.EqualValues(t, 2, sync(nil).Unchanged, "what is known is not looked at")
	tr.Write("a/two", "two", 0o644)
	f := sync(nil)
	require.EqualValues(t, 1, f.Copied, "a source that changed is")
	require.EqualValues(t, 1, f.Unchanged)
	require.EqualValues(t, 2, sync(func(a *Args) { a.IgnoreCache = true }).Copied)
	content, err := os.ReadFile(filepath.Join(tr.Dst, "a/one"))
	require.NoError(t, err)
	require.Equal(t, "1", string(content))
}

func TestADirectoryThatSomebodyTouchedIsLookedAtAgain(t *testing.T) {
	tr := newTrees(t)
	tr.Write("a/one", "1", 0o644)
	tr.Write("a/two", "2", 0o644)
	sync := tr.again()
	sync(nil)
	require.EqualValues(t, 2, sync(nil).Unchanged)
	require.NoError(t, os.Remove(filepath.Join(tr.Dst, "a/one")))
	f := sync(nil)
	require.EqualValues(t, 1, f.Copied)
	require.FileExists(t, filepath.Join(tr.Dst, "a/one"))
}

func TestAnotherDestinationOfTheSameJobIsKnownByItself(t *testing.T) {
	tr := newTrees(t)
	tr.Write("one", "1", 0o644)
	sync := tr.again()
	sync(nil)
	sync(nil)
	tr.Dst += "-other"
	require.EqualValues(t, 1, sync(nil).Copied)
}
