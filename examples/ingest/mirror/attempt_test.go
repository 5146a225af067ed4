package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/examples/ingest/internal/treetest"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/handlerstest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// attempt runs one attempt of one task of a run on the trees.
func (tr *trees) attempt(root Args, task enqueue.Args) (*handlerstest.Result, Figures) {
	tr.T.Helper()
	registry, err := NewRegistry(tr.config())
	require.NoError(tr.T, err)
	set, _ := registry.Set(SetName)
	require.NoError(tr.T, os.MkdirAll(tr.Dst, 0o755))
	result := handlerstest.Do(tr.T, set, task, &handlerstest.Options{
		Task:    &enqueue.Options{ID: "task"},
		RunArgs: root,
	})
	f := Counted(result.Counters)
	for _, w := range result.Writes {
		require.Equal(tr.T, filesListed, w.Name)
		for _, d := range w.Data {
			var file Listed
			require.NoError(tr.T, json.Unmarshal(d.Bytes, &file))
			f.add(file)
		}
	}
	return result, f
}

func names(list ...string) (bytes [][]byte) {
	for _, name := range list {
		bytes = append(bytes, []byte(name))
	}
	return bytes
}

func TestAFileThatVanishedOrWasReplacedDoesNotFailItsTask(t *testing.T) {
	tr := newTrees(t)
	tr.Write("stays", "x", 0o644)
	tr.Write("replaced/by a directory", "x", 0o644)
	result, f := tr.attempt(tr.args(nil), filesArgs{Copy: names("vanished", "replaced", "stays"), Mode: names("vanished too")})
	require.Equal(t, verdicts.Success, result.Outcome.Verdict)
	require.EqualValues(t, 1, f.Copied)
	require.EqualValues(t, 3, f.Failed)
	require.Equal(t, tr.Src+"/vanished", string(f.List[0].Path))
	require.Equal(t, "lstat: no such file or directory", f.List[0].Reason)
	require.Equal(t, errSpecial.Error(), f.List[1].Reason)
}

func TestADirectoryThatVanishedIsCounted(t *testing.T) {
	tr := newTrees(t)
	result, f := tr.attempt(tr.args(nil), scanArgs{Dir: []byte("vanished")})
	require.Equal(t, verdicts.Success, result.Outcome.Verdict)
	require.EqualValues(t, 1, f.Failed)
}

func TestAnErrorOfTheDestinationFailsTheAttempt(t *testing.T) {
	tr := newTrees(t)
	tr.Write("dir/file", "x", 0o644)
	// The directory of the copy is missing, though its scan made it.
	result, f := tr.attempt(tr.args(nil), filesArgs{scanArgs: scanArgs{Dir: []byte("dir")}, Copy: names("file")})
	require.Equal(t, verdicts.Retry, result.Outcome.Verdict)
	require.ErrorIs(t, result.Err, os.ErrNotExist)
	require.Zero(t, f)
}

func TestAnAttemptCountsWhatAnotherDidBeforeItDied(t *testing.T) {
	tr := newTrees(t)
	args := tr.args(nil)
	task := filesArgs{Copy: names("0", "1", "2", "3"), Mode: names("m")}
	for _, name := range append(task.Copy, task.Mode...) {
		tr.Write(string(name), "content", 0o640)
	}
	require.NoError(t, os.Mkdir(tr.Dst, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(tr.Dst, "m"), []byte("content"), 0o600))
	require.NoError(t, os.Chtimes(filepath.Join(tr.Dst, "m"), treetest.LongAgo, treetest.LongAgo))

	// The first worker dies with two files copied, in the middle of the third.
	ctx, kill := context.WithCancelCause(t.Context())
	calls := 0
	tr.hooks.Before = func(_ context.Context, e handlers.Event) error {
		if calls++; calls == 3 {
			kill(store.ErrLeaseLost)
			require.NoError(t, os.WriteFile(filepath.Join(tr.Dst, ".rollcall-task-2"), []byte("cont"), 0o400))
		}
		return nil
	}
	registry, err := NewRegistry(tr.config())
	require.NoError(t, err)
	set, _ := registry.Set(SetName)
	result := handlerstest.Do(t, set, task, &handlerstest.Options{Context: ctx, Task: &enqueue.Options{ID: "task"}, RunArgs: args})
	require.Zero(t, result.Outcome.Verdict)
	require.NoFileExists(t, filepath.Join(tr.Dst, "2"))

	result, f := tr.attempt(args, task)
	require.Equal(t, verdicts.Success, result.Outcome.Verdict)
	require.Equal(t, Figures{Copied: 4, Unchanged: 1, Updated: 1, Bytes: 28}, f)
	tr.RequireEqual() // nothing is left of the first attempt
}

func TestAScanHandsOnWhatDiffersInChunks(t *testing.T) {
	tr := newTrees(t)
	for i := range 7 {
		tr.Write(fmt.Sprint(i), "x", 0o644)
	}
	tr.Write("sub/file", "x", 0o644)
	args := tr.args(func(a *Args) { a.FileQueue, a.PathQueue = "files-2", "paths-2" })
	result, f := tr.attempt(args, scanArgs{})
	require.Zero(t, f) // they are Counted by who copies them
	var sizes []int
	for _, child := range result.Children {
		switch child.Route.Kind {
		case scanArgs{}.Kind():
			require.Equal(t, "paths-2", child.Route.Queue)
		default:
			var chunk filesArgs
			require.NoError(t, child.Decode(&chunk))
			require.Equal(t, "files-2", child.Route.Queue)
			sizes = append(sizes, chunk.len())
		}
	}
	require.ElementsMatch(t, []int{3, 3, 1}, sizes)
	require.Len(t, result.Children, 4)
}

func TestHooksAreCalledAroundEveryChange(t *testing.T) {
	tr := newTrees(t)
	tr.Write("dir/file", "x", 0o644)
	var seen []string
	note := func(when string) func(context.Context, handlers.Event) error {
		return func(ctx context.Context, e handlers.Event) error {
			rel, err := filepath.Rel(tr.Dst, PathOf(ctx))
			seen = append(seen, fmt.Sprint(when, " ", e.Name, " ", rel))
			return err
		}
	}
	tr.hooks = handlers.EventHooks{Before: note("before"), After: note("after")}
	tr.mustSync(nil)
	require.Equal(t, []string{
		"before directory.create .", "after directory.create .",
		"before directory.create dir", "after directory.create dir",
		"before file.create dir/file", "after file.create dir/file",
	}, seen)

	seen = nil
	tr.mustSync(nil)
	require.Empty(t, seen)

	tr.Write("dir/file", "longer", 0o644)
	require.NoError(t, os.Chmod(filepath.Join(tr.Src, "dir"), 0o700))
	tr.mustSync(nil)
	require.Equal(t, []string{
		"before directory.modify dir", "after directory.modify dir",
		"before file.modify dir/file", "after file.modify dir/file",
	}, seen)
}

func TestAnErrorBeforeAnEventSkipsIt(t *testing.T) {
	tr := newTrees(t)
	tr.Write("file", "x", 0o644)
	tr.Write("dir/below", "x", 0o644)
	tr.Write("other/file", "x", 0o644)
	refused := errors.New("refused")
	tr.hooks.Before = func(ctx context.Context, e handlers.Event) error {
		if name := filepath.Base(PathOf(ctx)); name == "dir" || PathOf(ctx) == filepath.Join(tr.Dst, "file") {
			return refused
		}
		return nil
	}
	tr.hooks.After = func(ctx context.Context, e handlers.Event) error {
		require.NotEqual(t, "dir", filepath.Base(PathOf(ctx)))
		return nil
	}
	f := tr.mustSync(nil)
	require.EqualValues(t, 1, f.Copied)
	require.EqualValues(t, 2, f.Failed)
	require.Equal(t, refused.Error(), f.List[0].Reason)
	require.NoFileExists(t, filepath.Join(tr.Dst, "file"))
	require.NoDirExists(t, filepath.Join(tr.Dst, "dir"))
}

func TestAnErrorAfterAnEventIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrees(t)
		tr.Write("file", "x", 0o644)
		var calls []string
		tr.hooks.After = func(_ context.Context, e handlers.Event) error {
			if calls = append(calls, e.Name); len(calls) == 2 {
				return errors.New("not now")
			}
			return nil
		}
		final, f := tr.sync(nil)
		require.Equal(t, states.Succeeded, final.Status)
		require.EqualValues(t, 1, final.Retried)
		require.Equal(t, []string{DirectoryCreate, FileCreate, FileCreate}, calls, "the file is there already, and yet it is new")
		require.Equal(t, Figures{Copied: 1, Bytes: 1}, f)
	})
}

func TestARunOfWhichATaskFailsTellsWhatItDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrees(t)
		tr.Write("a/file", "x", 0o644)
		tr.Write("b/file", "x", 0o644)
		tr.hooks.After = func(ctx context.Context, e handlers.Event) error {
			if PathOf(ctx) == filepath.Join(tr.Dst, "b/file") {
				return errors.New("never")
			}
			return nil
		}
		final, f := tr.sync(nil)
		require.Equal(t, states.Failed, final.Status)
		require.EqualValues(t, 1, final.Counts.Failed)
		require.EqualValues(t, 3, final.Retried)
		require.Contains(t, final.LastError, "never")
		require.Equal(t, Figures{Copied: 1, Bytes: 1}, f) // what is in a task that failed is not counted
	})
}

func TestAnAttemptTellsOnlyWhatItFound(t *testing.T) {
	tr := newTrees(t)
	args, task := tr.args(nil), filesArgs{Copy: names("file")}
	_, f := tr.attempt(args, task)
	require.Len(t, f.List, 1)
	tr.Write("file", "x", 0o644)
	_, f = tr.attempt(args, task)
	require.Equal(t, Figures{Copied: 1, Bytes: 1}, f)
}

func TestTheListHoldsLongPaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrees(t)
		long := strings.Repeat("d", 250)
		dir := filepath.Join(long, long, long, long)
		tr.Write(filepath.Join(dir, "file"), "x", 0o644)
		for i := range MaxListed {
			require.NoError(t, syscall.Mkfifo(filepath.Join(tr.Src, dir, fmt.Sprint(i)), 0o600))
		}
		f := tr.mustSync(nil)
		require.EqualValues(t, MaxListed, f.Failed)
		require.Len(t, f.List, MaxListed)
	})
}

func TestALargeFileTellsHowFarItIs(t *testing.T) {
	tr := newTrees(t)
	tr.Write("large", strings.Repeat("x", 3*bufferSize+1), 0o644)
	tr.Write("small", "x", 0o644)
	registry, err := NewRegistry(Config{})
	require.NoError(t, err)
	set, ok := registry.Set(SetName)
	require.True(t, ok)
	args := tr.args(nil)
	require.NoError(t, os.MkdirAll(tr.Dst, 0o755))
	result := handlerstest.Do(t, set, filesArgs{Copy: [][]byte{[]byte("large"), []byte("small")}}, &handlerstest.Options{RunArgs: args})
	require.NoError(t, result.Err)
	tr.RequireEqual()
	const total = 3*bufferSize + 1
	require.Equal(t, []store.Progress{
		{Done: bufferSize, Total: total, Message: "large"}, {Done: 2 * bufferSize, Total: total, Message: "large"},
		{Done: 3 * bufferSize, Total: total, Message: "large"}, {Done: total, Total: total, Message: "large"},
	}, result.Progress)
}
