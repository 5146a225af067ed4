package mirror

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/examples/ingest/internal/treetest"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/handlerstest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

func operation(o Operation) func(*Args) { return func(a *Args) { a.Operation = o } }

func (tr *trees) read(rel string) string {
	tr.T.Helper()
	content, err := os.ReadFile(filepath.Join(tr.Dst, rel))
	require.NoError(tr.T, err)
	return string(content)
}

func TestOperationsGoWithSomeDeleteModesOnly(t *testing.T) {
	good := Options{FilesPerTask: 1, PathQueue: PathQueue, FileQueue: FileQueue}
	for op, allowed := range map[Operation]string{
		"": "none trash delete", OperationSync: "none trash delete", OperationAppend: "none trash delete", OperationPut: "none",
		OperationNone: "none",
	} {
		for _, mode := range []DeleteMode{"", DeleteNone, DeleteTrash, DeleteDelete} {
			o := good
			if o.Operation, o.Delete = op, mode; mode == DeleteTrash {
				o.Trash = []byte("/trash")
			}
			err := o.Validate()
			if mode == "" || strings.Contains(allowed, string(mode)) {
				require.NoError(t, err)
				continue
			}
			var fe *store.FieldError
			require.ErrorAs(t, err, &fe)
			require.Equal(t, "Delete", fe.Field)
			require.Contains(t, fe.Reason, "changes", "the reason")
		}
	}
}

func TestPutNeverChangesWhatIsThere(t *testing.T) {
	tr := newTrees(t)
	tr.Write("dir/new", "new", 0o644)
	tr.Write("dir/theirs", "source", 0o644)
	tr.Write("taken", "source", 0o644)
	tr.Write("made/file", "x", 0o644)
	require.NoError(t, os.Symlink("target", filepath.Join(tr.Src, "dir/link")))
	tr.Write("blocked/file", "x", 0o644)
	theirs := tr.foreign("dir/theirs")
	blocked := tr.foreign("blocked")
	require.NoError(t, os.MkdirAll(filepath.Join(tr.Dst, "taken/full"), 0o755))
	require.NoError(t, os.Chmod(filepath.Join(tr.Dst, "dir"), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(tr.Src, "closed"), 0o555))
	require.NoError(t, os.Mkdir(filepath.Join(tr.Dst, "closed"), 0o700))
	before := treetest.Snapshot(t, tr.Dst)
	for range 2 {
		f := tr.mustSync(operation(OperationPut))
		require.EqualValues(t, 1, f.Failed)
		require.Equal(t, errNoDirectory.Error(), f.List[0].Reason)
		require.Equal(t, "foreign", tr.read("dir/theirs"))
		require.Equal(t, "foreign", tr.read("blocked"))
		require.FileExists(t, theirs)
		require.FileExists(t, blocked)
		after := treetest.Snapshot(t, tr.Dst)
		for path, e := range before {
			require.Equal(t, e.Mode, after[path].Mode, path)
		}
		require.Equal(t, "new", tr.read("dir/new"))
		require.Equal(t, "x", tr.read("made/file"))
		require.Equal(t, "target", after["dir/link"].Content)
		before = after
	}
	tr.Write("dir/new", "newer", 0o644)
	require.Equal(t, int64(0), tr.mustSync(operation(OperationPut)).Copied)
	require.Equal(t, "new", tr.read("dir/new"))
	require.NotZero(t, tr.mustSync(nil).Copied, "a sync still sees what differs")
}

func TestPutDoesNotChangeWhatAppearsWhileItCopies(t *testing.T) {
	tr := newTrees(t)
	tr.Write("file", "source", 0o644)
	require.NoError(t, os.Symlink("target", filepath.Join(tr.Src, "link")))
	tr.hooks.Before = func(_ context.Context, e handlers.Event) error {
		if e.Name == FileCreate {
			tr.foreign("file")
			tr.foreign("link")
		}
		return nil
	}
	require.Equal(t, Figures{Unchanged: 2}, tr.mustSync(operation(OperationPut)))
	require.Equal(t, "foreign", tr.read("file"))
	require.Equal(t, "foreign", tr.read("link"))
	require.Len(t, treetest.Snapshot(t, tr.Dst), 3, "no temporary file is left")
}

func TestAPutThatIsTriedAgainCountsWhatItPutBefore(t *testing.T) {
	tr := newTrees(t)
	tr.Write("file", "source", 0o644)
	calls := 0
	tr.hooks.After = func(_ context.Context, e handlers.Event) error {
		if calls++; calls == 1 {
			return errors.New("not now")
		}
		return nil
	}
	for range 2 {
		result, f := tr.attempt(tr.args(operation(OperationPut)), filesArgs{Copy: names("file")})
		if result.Outcome.Verdict == verdicts.Success {
			require.Equal(t, Figures{Copied: 1, Bytes: 6}, f)
		}
	}
}

// grow writes more to a file of the source.
func (tr *trees) grow(rel, more string) {
	tr.T.Helper()
	f, err := os.OpenFile(filepath.Join(tr.Src, rel), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(tr.T, err)
	_, err = f.WriteString(more)
	require.NoError(tr.T, errors.Join(err, f.Close()))
}

func TestAppendAddsWhatIsNewInPlace(t *testing.T) {
	tr := newTrees(t)
	tr.Write("log", strings.Repeat("a", 2*bufferSize), 0o644)
	tr.Write("small", "1", 0o644)
	tr.Write("touched", "1", 0o644)
	require.NoError(t, os.Symlink("target", filepath.Join(tr.Src, "link")))
	tr.mustSync(operation(OperationAppend))
	tr.RequireEqual()
	copied, err := os.Stat(filepath.Join(tr.Dst, "log"))
	require.NoError(t, err)

	tr.grow("log", strings.Repeat("b", bufferSize+1))
	tr.grow("small", "2")
	require.NoError(t, os.Chtimes(filepath.Join(tr.Src, "touched"), time.Time{}, treetest.LongAgo.Add(time.Hour)))
	tr.Write("new", "x", 0o644)
	f := tr.mustSync(operation(OperationAppend))
	require.Equal(t, Figures{Copied: 4, Unchanged: 1, Bytes: bufferSize + 3}, f)
	tr.RequireEqual()
	after, err := os.Stat(filepath.Join(tr.Dst, "log"))
	require.NoError(t, err)
	require.True(t, os.SameFile(copied, after))
	require.Equal(t, Figures{Unchanged: 5}, tr.mustSync(operation(OperationAppend)))
}

func TestAppendChangesNothingThatIsNotTheBeginning(t *testing.T) {
	tr := newTrees(t)
	for _, name := range []string{"shorter", "other begin", "other end", "link", "type"} {
		tr.Write(name, strings.Repeat("a", bufferSize+10), 0o644)
	}
	tr.remove("link")
	require.NoError(t, os.Symlink("target", filepath.Join(tr.Src, "link")))
	tr.mustSync(operation(OperationAppend))
	before := treetest.Snapshot(t, tr.Dst)
	tr.Write("shorter", "a", 0o644)
	tr.Write("other begin", "b"+strings.Repeat("a", bufferSize+20), 0o644)
	tr.Write("other end", strings.Repeat("a", bufferSize+9)+"bb", 0o644)
	tr.remove("link", "type")
	require.NoError(t, os.Symlink("elsewhere", filepath.Join(tr.Src, "link")))
	require.NoError(t, os.Symlink("elsewhere", filepath.Join(tr.Src, "type")))
	f := tr.mustSync(operation(OperationAppend))
	require.EqualValues(t, 5, f.Failed)
	reasons := make(map[string]string)
	for _, file := range f.List {
		reasons[filepath.Base(string(file.Path))] = file.Reason
	}
	require.Equal(t, map[string]string{
		"shorter": errShrank.Error(), "other begin": errOtherBegin.Error(), "other end": errOtherBegin.Error(),
		"link": errOtherType.Error(), "type": errOtherType.Error(),
	}, reasons)
	after := treetest.Snapshot(t, tr.Dst)
	delete(before, ".")
	for path, e := range before {
		require.Equal(t, e, after[path], path)
	}
}

// An attempt that died has appended a part, or all of it.
func TestAnAppendGoesOnWhereAnotherDied(t *testing.T) {
	for _, part := range []int{0, 1, bufferSize, 2*bufferSize + 5} {
		tr := newTrees(t)
		tr.Write("log", "begin", 0o640)
		tr.mustSync(operation(OperationAppend))
		tr.grow("log", strings.Repeat("x", 2*bufferSize+5))
		f, err := os.OpenFile(filepath.Join(tr.Dst, "log"), os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteString(strings.Repeat("x", part))
		require.NoError(t, errors.Join(err, f.Close()))
		task := filesArgs{Grow: []growth{{Name: []byte("log"), From: 5}}}
		for range 2 { // the second attempt finds that all is done
			result, figures := tr.attempt(tr.args(operation(OperationAppend)), task)
			require.Equal(t, verdicts.Success, result.Outcome.Verdict, result.Err)
			require.Equal(t, Figures{Copied: 1, Bytes: 2*bufferSize + 5}, figures)
			tr.RequireEqual()
		}
	}
}

func TestAGrownFileThatVanishedIsDeleted(t *testing.T) {
	tr := newTrees(t)
	set := func(a *Args) { a.Operation, a.Delete = OperationAppend, DeleteDelete }
	tr.Write("log", "begin", 0o640)
	tr.mustSync(set)
	tr.grow("log", "more")
	tr.mustSync(set)
	tr.RequireEqual()
	tr.remove("log")
	require.Equal(t, Figures{Deleted: 1}, tr.mustSync(set))
	tr.RequireEqual()
}

func TestNoneCallsHooksAndChangesNothing(t *testing.T) {
	tr := newTrees(t)
	tr.Write("dir/file", "x", 0o644)
	tr.Write("closed/file", "x", 0o644)
	require.NoError(t, os.Chmod(filepath.Join(tr.Src, "closed"), 0o555))
	var mu sync.Mutex // tasks call hooks at the same time
	var seen []string
	tr.hooks.After = func(ctx context.Context, e handlers.Event) error {
		rel, err := filepath.Rel(tr.Dst, PathOf(ctx))
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprint(e.Name, " ", rel))
		return err
	}
	want := []string{
		"directory.create .", "directory.create dir", "directory.create closed", "file.create dir/file", "file.create closed/file",
	}
	for range 2 {
		require.Equal(t, Figures{Copied: 2, Bytes: 2}, tr.mustSync(operation(OperationNone)))
		require.ElementsMatch(t, want, seen)
		require.NoDirExists(t, tr.Dst)
		seen = nil
	}
	tr.mustSync(nil)
	require.NoError(t, os.Chmod(filepath.Join(tr.Src, "dir/file"), 0o600))
	tr.Write("closed/file", "xy", 0o644)
	before := treetest.Snapshot(t, tr.Dst)
	seen = nil
	tr.mustSync(operation(OperationNone))
	require.ElementsMatch(t, []string{"file.modify dir/file", "file.modify closed/file"}, seen)
	require.Equal(t, before, treetest.Snapshot(t, tr.Dst))
}

func TestInitialDoesNotLookAtTheDestination(t *testing.T) {
	tr := newTrees(t)
	tr.Write("dir/file", "x", 0o644)
	tr.Write("other", "x", 0o644)
	initial := func(a *Args) { a.Initial = true }
	for range 2 {
		require.Equal(t, Figures{Copied: 2, Bytes: 2}, tr.mustSync(initial), "all of it, though it is there")
		tr.RequireEqual()
	}
	require.NoError(t, os.RemoveAll(tr.Dst))
	tr.foreign("dir")
	require.NoError(t, os.MkdirAll(filepath.Join(tr.Dst, "other/full"), 0o755))
	f := tr.mustSync(initial)
	require.EqualValues(t, 2, f.Failed)
	require.Equal(t, "foreign", tr.read("dir"))
	for field, change := range map[string]func(*Options){
		"delete": func(o *Options) { o.Delete = DeleteDelete },
		"append": func(o *Options) { o.Operation = OperationAppend },
	} {
		o := Options{FilesPerTask: 1, PathQueue: PathQueue, FileQueue: FileQueue, Initial: true}
		change(&o)
		var fe *store.FieldError
		require.ErrorAs(t, o.Validate(), &fe, field)
		require.Equal(t, "Initial", fe.Field)
	}
}

func TestAnAttemptOfAGrowthThatIsTriedAgainIsCountedOnce(t *testing.T) {
	tr := newTrees(t)
	tr.Write("log", "begin", 0o640)
	tr.mustSync(operation(OperationAppend))
	registry, err := NewRegistry(tr.config())
	require.NoError(t, err)
	set, _ := registry.Set(SetName)
	tr.remove("log")
	tr.Write("log", "replaced", 0o640)
	result := handlerstest.Do(t, set, filesArgs{Grow: []growth{{Name: []byte("log"), From: 5}}}, &handlerstest.Options{
		Task: &enqueue.Options{ID: "task"}, RunArgs: tr.args(operation(OperationAppend)),
	})
	require.EqualValues(t, 1, result.Counters[filesFailed], "it is not what it was when it was scanned")
	require.Equal(t, "begin", tr.read("log"))
}
