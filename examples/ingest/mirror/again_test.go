package mirror

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// stumble makes the first attempt at each change end after the change, before its hook is done, as
// if the worker had died. The hooks that were done are in the map that it returns.
func (tr *trees) stumble() map[string]bool {
	var mu sync.Mutex
	begun, done := make(map[string]bool), make(map[string]bool)
	tr.hooks.After = func(ctx context.Context, e handlers.Event) error {
		mu.Lock()
		defer mu.Unlock()
		rel, err := filepath.Rel(tr.Dst, PathOf(ctx))
		if name := e.Name + " " + rel; begun[name] {
			done[name] = true
		} else {
			begun[name] = true
			err = fmt.Errorf("died: %w", hookErr)
		}
		return err
	}
	return done
}

// hookErr is of the kinds that say something about the destination, if the destination reports them.
var hookErr = errors.Join(syscall.EACCES, syscall.ENOENT, syscall.ENOTEMPTY, syscall.ENOTDIR)

func TestHooksAreCalledAgainAfterADeathBetweenAChangeAndItsHook(t *testing.T) {
	for name, set := range map[string]func(tr *trees) func(*Args){
		"none":   func(*trees) func(*Args) { return func(*Args) {} },
		"delete": func(*trees) func(*Args) { return deleting },
		"trash":  func(tr *trees) func(*Args) { return tr.toTrash },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newTrees(t)
				options := set(tr)
				sync := func(want map[string]bool) {
					t.Helper()
					done := tr.stumble()
					final, f := tr.sync(options)
					require.Equal(t, states.Succeeded, final.Status, final.LastError)
					require.Empty(t, f.List)
					require.Equal(t, want, done)
				}
				for _, file := range []string{"dir/sub/file", "becomes file/file", "becomes directory", "gone/sub/file"} {
					tr.Write(file, "x", 0o644)
				}
				require.NoError(t, os.Mkdir(filepath.Join(tr.Src, "empty"), 0o500))
				sync(map[string]bool{
					"directory.create .": true, "directory.create dir": true, "directory.create dir/sub": true,
					"directory.create empty":        true,
					"directory.create becomes file": true, "directory.create gone": true, "directory.create gone/sub": true,
					"file.create dir/sub/file": true, "file.create becomes file/file": true, "file.create becomes directory": true,
					"file.create gone/sub/file": true,
				})
				tr.RequireEqual()

				require.NoError(t, os.Chmod(filepath.Join(tr.Src, "dir"), 0o700))
				tr.Write("dir/sub/file", "longer", 0o644)
				want := map[string]bool{
					"directory.modify .": true, "directory.modify dir": true, "file.modify dir/sub/file": true,
					"file.delete becomes directory": true, "directory.create becomes directory": true,
				}
				tr.remove("becomes directory")
				require.NoError(t, os.Mkdir(filepath.Join(tr.Src, "becomes directory"), 0o755))
				if name != "none" {
					tr.remove("gone", "becomes file", "empty")
					tr.Write("becomes file", "x", 0o644)
					for _, more := range []string{
						"file.delete gone/sub/file", "directory.delete gone/sub", "directory.delete gone", "directory.delete empty",
						"file.delete becomes file/file", "directory.delete becomes file", "file.create becomes file",
					} {
						want[more] = true
					}
				}
				sync(want)
				tr.RequireEqual()
			})
		})
	}
}

// The source has the directory again when the task is tried again: then the next run makes it.
func TestADirectoryThatIsBackWasDeletedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrees(t)
		tr.Write("dir/sub/file", "x", 0o644)
		tr.Write("empty/file", "x", 0o644)
		tr.remove("empty/file")
		tr.mustSync(deleting)
		tr.remove("dir", "empty")
		var mu sync.Mutex
		called := make(map[string]int)
		tr.hooks.After = func(ctx context.Context, e handlers.Event) error {
			mu.Lock()
			defer mu.Unlock()
			rel, err := filepath.Rel(tr.Dst, PathOf(ctx))
			name := e.Name + " " + rel
			if called[name]++; called[name] == 1 && e.Name != DirectoryModify {
				tr.Write(filepath.Join(rel, "new"), "x", 0o644)
				err = hookErr
			}
			return err
		}
		tr.mustSync(deleting)
		delete(called, "directory.modify .")
		require.Equal(t, map[string]int{"file.delete dir/sub/file": 2, "directory.delete empty": 2}, called)
		tr.hooks = handlers.EventHooks{}
		tr.mustSync(deleting)
		tr.RequireEqual()
	})
}
