package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/examples/ingest/internal/treetest"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/handlerstest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func deleting(a *Args) { a.Delete = DeleteDelete }

// toTrash moves what vanished beside the trees.
func (tr *trees) toTrash(a *Args) {
	a.Delete, a.Trash = DeleteTrash, []byte(tr.trash())
}

func (tr *trees) trash() string { return filepath.Join(filepath.Dir(tr.Dst), "trash") }

// trashed lists the files of the trash, without the stamps of runs.
func (tr *trees) trashed() (names []string) {
	for path, e := range treetest.Snapshot(tr.T, tr.trash()) {
		_, rel, _ := strings.Cut(path, "/")
		if !e.Mode.IsDir() {
			names = append(names, rel)
		}
	}
	return names
}

// remove removes entries of the source.
func (tr *trees) remove(rel ...string) {
	tr.T.Helper()
	for _, name := range rel {
		require.NoError(tr.T, os.RemoveAll(filepath.Join(tr.Src, name)))
	}
}

// foreign puts a file into the destination, as somebody else.
func (tr *trees) foreign(rel string) string {
	tr.T.Helper()
	path := filepath.Join(tr.Dst, rel)
	require.NoError(tr.T, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(tr.T, os.WriteFile(path, []byte("foreign"), 0o600))
	return path
}

func TestWhatVanishedFromTheSourceVanishesFromItsCopy(t *testing.T) {
	for _, mode := range []DeleteMode{DeleteDelete, DeleteTrash} {
		t.Run(string(mode), func(t *testing.T) {
			tr := newTrees(t)
			set := deleting
			if mode == DeleteTrash {
				set = tr.toTrash
			}
			tr.Write("stays/file", "x", 0o644)
			tr.Write("stays/goes", "x", 0o644)
			tr.Write("goes/a/b/file", "x", 0o600)
			tr.Write("goes/closed/file", "x", 0o400)
			for i := range 10 {
				tr.Write(fmt.Sprintf("goes/many/%d", i), "x", 0o644)
			}
			require.NoError(t, os.MkdirAll(filepath.Join(tr.Src, "goes/empty/empty"), 0o755))
			require.NoError(t, os.Symlink("nowhere", filepath.Join(tr.Src, "goes/link")))
			require.NoError(t, os.Symlink("stays", filepath.Join(tr.Src, "link")))
			require.NoError(t, os.Chmod(filepath.Join(tr.Src, "goes/closed"), 0o555))
			tr.mustSync(set)
			tr.RequireEqual()

			require.NoError(t, os.Chmod(filepath.Join(tr.Src, "goes/closed"), 0o755))
			tr.remove("goes", "link", "stays/goes")
			f := tr.mustSync(set)
			require.Equal(t, Figures{Unchanged: 1, Deleted: 15}, f)
			tr.RequireEqual()
			require.Equal(t, Figures{Unchanged: 1}, tr.mustSync(set), "two runs in a row")
			if mode == DeleteTrash {
				require.ElementsMatch(t, []string{
					"stays/goes", "link", "goes/link", "goes/a/b/file", "goes/closed/file", "goes/many/0", "goes/many/1", "goes/many/2",
					"goes/many/3",
					"goes/many/4", "goes/many/5", "goes/many/6", "goes/many/7", "goes/many/8", "goes/many/9",
				}, tr.trashed())
				found, err := filepath.Glob(filepath.Join(tr.trash(), "*/goes/empty/empty"))
				require.NoError(t, err)
				require.Len(t, found, 1)
			}
		})
	}
}

func TestOnlyWhatWasPutThereIsDeleted(t *testing.T) {
	tr := newTrees(t)
	tr.Write("dir/file", "x", 0o644)
	tr.Write("dir/sub/file", "x", 0o644)
	tr.Write("theirs/file", "x", 0o644)
	tr.Write("replaced", "x", 0o644)
	tr.Write("equal", "foreign", 0o600)
	equal := tr.foreign("equal")
	require.NoError(t, os.Chtimes(equal, time.Time{}, treetest.LongAgo))
	require.NoError(t, os.Mkdir(filepath.Join(tr.Dst, "theirs"), 0o755))
	kept := []string{tr.foreign("file"), tr.foreign("other/dir/file"), equal}
	require.EqualValues(t, 4, tr.mustSync(deleting).Copied)
	kept = append(kept, tr.foreign("dir/foreign"), tr.foreign("replaced"), tr.foreign("dir/sub/more/foreign"))

	tr.remove("dir", "theirs", "replaced", "equal")
	require.Equal(t, Figures{Deleted: 3}, tr.mustSync(deleting))
	for _, path := range kept {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "foreign", string(content))
	}
	require.DirExists(t, filepath.Join(tr.Dst, "theirs"), "it was there before")
	require.NoFileExists(t, filepath.Join(tr.Dst, "theirs/file"))
	require.NoFileExists(t, filepath.Join(tr.Dst, "dir/sub/file"))

	require.NoError(t, os.RemoveAll(filepath.Join(tr.Dst, "dir/sub/more")))
	require.NoError(t, os.Remove(filepath.Join(tr.Dst, "dir/foreign")))
	tr.mustSync(deleting)
	require.NoDirExists(t, filepath.Join(tr.Dst, "dir"), "nothing foreign is left in it")
}

func TestWithoutTheOptionNothingIsDeletedOrWrittenDown(t *testing.T) {
	tr := newTrees(t)
	tr.Write("dir/file", "x", 0o644)
	tr.mustSync(nil)
	tr.remove("dir")
	require.Equal(t, Figures{}, tr.mustSync(nil))
	require.FileExists(t, filepath.Join(tr.Dst, "dir/file"))
	require.Equal(t, Figures{}, tr.mustSync(deleting), "nor is it known later what was put there")
}

func TestAnotherSourceDeletesOnlyWhatItPutThere(t *testing.T) {
	tr := newTrees(t)
	tr.Write("dir/one", "x", 0o644)
	tr.mustSync(deleting)
	other := &trees{Trees: treetest.New(t)}
	other.Dst = tr.Dst
	other.Write("dir/two", "x", 0o644)
	require.Equal(t, Figures{Copied: 1, Bytes: 1}, other.mustSync(deleting))
	other.remove("dir")
	require.Equal(t, Figures{Deleted: 1}, other.mustSync(deleting))
	tr.mustSync(deleting)
	tr.RequireEqual()
}

func TestAnEntryMayBecomeOneOfAnotherType(t *testing.T) {
	makers := map[string]func(tr *trees){
		"file": func(tr *trees) { tr.Write("x", "content", 0o644) },
		"link": func(tr *trees) { require.NoError(tr.T, os.Symlink("target", filepath.Join(tr.Src, "x"))) },
		"directory": func(tr *trees) {
			for i := range 8 {
				tr.Write(fmt.Sprintf("x/%d/%d", i%2, i), "x", 0o644)
			}
		},
		"empty directory": func(tr *trees) { require.NoError(tr.T, os.Mkdir(filepath.Join(tr.Src, "x"), 0o755)) },
	}
	for from, before := range makers {
		for to, after := range makers {
			t.Run(from+" to "+to, func(t *testing.T) {
				for _, mode := range []string{"delete", "trash"} {
					tr := newTrees(t)
					set := deleting
					if mode == "trash" {
						set = tr.toTrash
					}
					before(tr)
					tr.mustSync(set)
					tr.remove("x")
					after(tr)
					f := tr.mustSync(set)
					tr.RequireEqual()
					require.Zero(t, f.Failed)
					if to == "file" || to == "link" {
						require.LessOrEqual(t, f.Copied, int64(1), "once, though several tasks see that it can be copied")
					}
				}
			})
		}
	}
}

// Another task may put the file there between the look at the directory and its removal.
func TestAFileThatTakesThePlaceOfADirectoryWhileThatIsRemovedStays(t *testing.T) {
	for _, mode := range []string{"delete", "trash"} {
		t.Run(mode, func(t *testing.T) {
			tr := newTrees(t)
			set := deleting
			if mode == "trash" {
				set = tr.toTrash
			}
			tr.Write("x/file", "x", 0o644)
			tr.mustSync(set)
			tr.remove("x")
			tr.hooks.Before = func(ctx context.Context, e handlers.Event) error {
				if e.Name != DirectoryDelete {
					return nil
				}
				return errors.Join(os.Remove(PathOf(ctx)), os.WriteFile(PathOf(ctx), []byte("new"), 0o600))
			}
			tr.mustSync(set)
			text, err := os.ReadFile(filepath.Join(tr.Dst, "x"))
			require.NoError(t, err)
			require.Equal(t, "new", string(text))
		})
	}
}

func TestAFileInThePlaceOfADirectoryThatStaysIsOneFailure(t *testing.T) {
	tr := newTrees(t)
	for i := range 4 {
		tr.Write(fmt.Sprintf("x/%d/file", i), "x", 0o644)
	}
	tr.mustSync(deleting)
	for i := range 3 {
		tr.foreign(fmt.Sprintf("x/%d/foreign", i))
	}
	tr.remove("x")
	tr.Write("x", "x", 0o644)
	f := tr.mustSync(deleting)
	require.Equal(t, []Listed{{Path: []byte(filepath.Join(tr.Src, "x")), Reason: errInTheWay.Error()}}, f.List)
	require.EqualValues(t, 1, f.Failed)
	require.EqualValues(t, 4, f.Deleted)
	require.NoDirExists(t, filepath.Join(tr.Dst, "x/3"))
}

// What is in the way of a file stays for a reason; the file is counted once.
func TestAFileIsNeverForgottenBecauseItsPlaceIsTaken(t *testing.T) {
	for name, prepare := range map[string]func(tr *trees){
		"the directory was there before": func(tr *trees) {
			require.NoError(tr.T, os.MkdirAll(filepath.Join(tr.Dst, "x"), 0o755))
		},
		"one in it was there before": func(tr *trees) {
			tr.foreign("x/0/foreign")
			require.NoError(tr.T, os.Remove(filepath.Join(tr.Dst, "x/0/foreign")))
		},
		"a hook refuses to delete a file": func(tr *trees) {
			tr.hooks.Before = func(ctx context.Context, e handlers.Event) error {
				if e.Name == FileDelete && PathOf(ctx) == filepath.Join(tr.Dst, "x/0/4") {
					return errors.New("refused")
				}
				return nil
			}
		},
		"a hook refuses to delete a directory": func(tr *trees) {
			tr.hooks.Before = func(ctx context.Context, e handlers.Event) error {
				if e.Name == DirectoryDelete && PathOf(ctx) == filepath.Join(tr.Dst, "x/1") {
					return errors.New("refused")
				}
				return nil
			}
		},
		"a file was changed meanwhile": func(tr *trees) {
			tr.hooks.Before = func(ctx context.Context, e handlers.Event) error {
				if e.Name == FileDelete {
					tr.foreign("x/1/1")
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrees(t)
			prepare(tr)
			for i := range 8 {
				tr.Write(fmt.Sprintf("x/%d/%d", i%2, i), "x", 0o644)
			}
			tr.mustSync(deleting)
			tr.remove("x")
			tr.Write("x", "x", 0o644)
			f := tr.mustSync(deleting)
			require.EqualValues(t, 1, f.Failed)
			require.Zero(t, f.Copied)
			require.DirExists(t, filepath.Join(tr.Dst, "x"))
			tr.hooks = handlers.EventHooks{}
			require.NoError(t, os.RemoveAll(filepath.Join(tr.Dst, "x")))
			require.EqualValues(t, 1, tr.mustSync(deleting).Copied)
			tr.RequireEqual()
		})
	}
}

func TestASourceThatCannotBeReadDeletesNothing(t *testing.T) {
	denied := &fs.PathError{Op: "lstat", Err: syscall.EACCES}
	for name, fault := range map[string]faulty{
		"the root":             {list: map[string]int{"": 0}},
		"a directory":          {list: map[string]int{"dir": 0}},
		"a part of it":         {list: map[string]int{"dir": 1}},
		"after all of it":      {list: map[string]int{"dir": 2}},
		"each entry by itself": {stat: map[string]error{"dir/gone": denied, "dir/sub": denied, "dir/sub/file": denied}},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrees(t)
			tr.Write("dir/file", "x", 0o644)
			tr.Write("dir/other", "x", 0o644)
			tr.Write("dir/gone", "x", 0o644)
			tr.Write("dir/sub/file", "x", 0o644)
			tr.mustSync(deleting)
			before := treetest.Snapshot(t, tr.Dst)
			tr.remove("dir/gone", "dir/sub")
			fault.Source = DirectorySource(tr.Src)
			tr.source = &fault
			require.Zero(t, tr.mustSync(deleting).Deleted)
			after := treetest.Snapshot(t, tr.Dst)
			for path := range before {
				require.Contains(t, after, path)
			}
			tr.source = nil
			require.EqualValues(t, 2, tr.mustSync(deleting).Deleted)
			tr.RequireEqual()
		})
	}
}

func TestWhatIsExcludedHasNotVanished(t *testing.T) {
	tr := newTrees(t)
	tr.Write("dir/a.o", "x", 0o644)
	tr.Write("old/file", "x", 0o644)
	tr.mustSync(deleting)
	f := tr.mustSync(func(a *Args) {
		a.Delete, a.Exclude = DeleteDelete, Excludes{Names: []string{`\.o$`}, Dirs: []string{"/old$"}}
	})
	require.Equal(t, Figures{}, f)
	tr.RequireEqual()
}

func TestADryRunListsWhatItWouldDelete(t *testing.T) {
	for _, mode := range []string{"delete", "trash"} {
		tr := newTrees(t)
		set := deleting
		if mode == "trash" {
			set = tr.toTrash
		}
		tr.Write("dir/sub/file", "x", 0o644)
		tr.Write("file", "x", 0o644)
		tr.Write("type", "x", 0o644)
		tr.mustSync(set)
		tr.foreign("dir/sub/foreign")
		before := treetest.Snapshot(t, filepath.Dir(tr.Dst))
		tr.remove("dir", "file", "type")
		f := tr.mustSync(func(a *Args) { set(a); a.DryRun = true })
		for path := range treetest.Snapshot(t, tr.Src) {
			delete(before, filepath.Join("src", path))
		}
		require.EqualValues(t, 3, f.Deleted)
		var listed []string
		for _, file := range f.List {
			require.Equal(t, ToDelete, file.What)
			listed = append(listed, strings.TrimPrefix(string(file.Path), tr.Dst+"/"))
		}
		require.ElementsMatch(t, []string{"dir/", "dir/sub/", "dir/sub/file", "file", "type"}, listed)
		after := treetest.Snapshot(t, filepath.Dir(tr.Dst))
		for path, e := range before {
			if strings.HasPrefix(path, "dst") {
				require.Equal(t, e, after[path], path)
			}
		}
	}
}

func TestHooksAreCalledAroundEveryDeletion(t *testing.T) {
	tr := newTrees(t)
	tr.Write("dir/file", "x", 0o644)
	tr.Write("place/file", "x", 0o644)
	tr.mustSync(deleting)
	tr.remove("dir", "place")
	tr.Write("place", "x", 0o644)
	var mu sync.Mutex // tasks call hooks at the same time
	var seen []string
	note := func(when string) func(context.Context, handlers.Event) error {
		return func(ctx context.Context, e handlers.Event) error {
			rel, err := filepath.Rel(tr.Dst, PathOf(ctx))
			if e.Name == DirectoryModify { // the root has a new time
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if seen = append(seen, fmt.Sprint(when, " ", e.Name, " ", rel)); rel == "dir/file" {
				return errors.New("refused")
			}
			return err
		}
	}
	tr.hooks = handlers.EventHooks{Before: note("before"), After: note("after")}
	f := tr.mustSync(deleting)
	require.Equal(t, []Listed{{Path: []byte(filepath.Join(tr.Dst, "dir/file")), Reason: "refused", What: NotDeleted}}, f.List)
	require.FileExists(t, filepath.Join(tr.Dst, "dir/file"))
	require.ElementsMatch(t, []string{
		"before file.delete dir/file", "before file.delete place/file", "after file.delete place/file",
		"before directory.delete place", "after directory.delete place", "before file.create place", "after file.create place",
	}, seen)
}

// A worker that dies right after it put a file in place has not told anybody.
func TestWhatADeadAttemptPutThereIsDeletedLater(t *testing.T) {
	for _, when := range []string{"copied", "temporary"} {
		t.Run(when, func(t *testing.T) {
			tr := newTrees(t)
			tr.Write("file", "x", 0o644)
			require.NoError(t, os.Mkdir(tr.Dst, 0o755))
			ctx, kill := context.WithCancelCause(t.Context())
			hook := func(context.Context, handlers.Event) error {
				kill(store.ErrLeaseLost)
				if when == "temporary" { // as if it had died in the middle of the copy
					require.NoError(t, os.WriteFile(filepath.Join(tr.Dst, tempName("task", 0)), []byte("x"), 0o600))
					return errors.New("dead")
				}
				return store.ErrLeaseLost
			}
			tr.hooks = handlers.EventHooks{After: hook}
			if when == "temporary" {
				tr.hooks = handlers.EventHooks{Before: hook}
			}
			registry, err := NewRegistry(tr.config())
			require.NoError(t, err)
			set, _ := registry.Set(SetName)
			handlerstest.Do(t, set, filesArgs{scanArgs: scanArgs{Stamp: "1"}, Copy: names("file")}, &handlerstest.Options{
				Context: ctx, Task: &enqueue.Options{ID: "task"}, RunArgs: tr.args(deleting),
			})
			require.Len(t, treetest.Snapshot(t, tr.Dst), 2)
			tr.hooks = handlers.EventHooks{}
			tr.remove("file")
			tr.foreign(".rollcall-foreign-0")
			tr.mustSync(deleting)
			require.Len(t, treetest.Snapshot(t, tr.Dst), 2, "the root and the foreign file")
		})
	}
}

func TestTheLedgerForgetsWhatIsNotThereAnyMore(t *testing.T) {
	tr := newTrees(t)
	tr.Write("sub/file", "x", 0o644)
	for i := range 30 {
		tr.Write("file", strings.Repeat("x", i), 0o644)
		require.EqualValues(t, 1, tr.mustSync(deleting).Copied-btoi(i == 0))
	}
	record := (&tree{Args: tr.args(deleting), dst: tr.Dst}).recordPath()
	p, err := newLedger(record, tr.Src).read("")
	require.NoError(t, err)
	require.Less(t, p.lines, 30)
	require.LessOrEqual(t, len(p.files), 9)
	tr.remove("file", "sub")
	require.EqualValues(t, 2, tr.mustSync(deleting).Deleted)
	tr.RequireEqual()
}

func btoi(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func TestPlacesBesideTheTreesMustBeOutsideOfThem(t *testing.T) {
	tr := newTrees(t)
	tr.Write("file", "x", 0o644)
	for name, change := range map[string]func(*Args){
		"trash in the source":       func(a *Args) { a.Delete, a.Trash = DeleteTrash, []byte(tr.Src+"/trash") },
		"trash in the destination":  func(a *Args) { a.Delete, a.Trash = DeleteTrash, []byte(tr.Dst+"/trash") },
		"record in the source":      func(a *Args) { a.Delete, a.Record = DeleteDelete, []byte(tr.Src) },
		"record in the destination": func(a *Args) { a.Delete, a.Record = DeleteDelete, []byte(tr.Dst+"/x/y") },
		"record under a file":       func(a *Args) { a.Delete, a.Record = DeleteDelete, []byte("/dev/null/x") },
	} {
		t.Run(name, func(t *testing.T) {
			final, f := tr.sync(change)
			require.Equal(t, states.Failed, final.Status)
			require.NotEmpty(t, final.LastError)
			require.Zero(t, f)
			require.NoDirExists(t, tr.Dst)
		})
	}
}

func TestOptionsThatDoNotGoTogetherAreRefused(t *testing.T) {
	good := Options{FilesPerTask: 1, PathQueue: PathQueue, FileQueue: FileQueue}
	for want, change := range map[string]func(*Options){
		"FilesPerTask":              func(o *Options) { o.FilesPerTask = 0 },
		"PathQueue":                 func(o *Options) { o.PathQueue = "a/b" },
		"FileQueue":                 func(o *Options) { o.FileQueue = "" },
		"Delete":                    func(o *Options) { o.Delete = "all" },
		"Trash":                     func(o *Options) { o.Delete = DeleteTrash },
		"Trash, which nothing uses": func(o *Options) { o.Trash = []byte("/trash") },
	} {
		o := good
		require.NoError(t, o.Validate())
		change(&o)
		var fe *store.FieldError
		require.ErrorAs(t, o.Validate(), &fe, want)
		field, _, _ := strings.Cut(want, ",")
		require.Equal(t, field, fe.Field)
	}
}
