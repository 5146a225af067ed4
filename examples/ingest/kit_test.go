package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/syncjobtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		_ = os.RemoveAll(buildDir) // empty if nobody built
		os.Exit(status)
	}))
}

// longAgo is a time that no file has by itself. Its fraction must be kept too.
var longAgo = time.Date(2001, 2, 3, 4, 5, 6, 123456789, time.UTC)

// trees is a source and a destination for one test.
type trees struct {
	t        *testing.T
	src, dst string
	hooks    handlers.EventHooks
}

func newTrees(t *testing.T) *trees {
	dir := t.TempDir()
	tr := &trees{t: t, src: filepath.Join(dir, "src"), dst: filepath.Join(dir, "dst")}
	require.NoError(t, os.Mkdir(tr.src, 0o755))
	return tr
}

// write makes a file of the source, and the directories above it.
func (tr *trees) write(rel, content string, mode fs.FileMode) {
	tr.t.Helper()
	path := filepath.Join(tr.src, rel)
	require.NoError(tr.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(tr.t, os.WriteFile(path, []byte(content), 0o600))
	require.NoError(tr.t, os.Chmod(path, mode))
	require.NoError(tr.t, os.Chtimes(path, time.Time{}, longAgo))
}

// args are the arguments of a run on the trees.
func (tr *trees) args(change func(*syncArgs)) syncArgs {
	args := syncArgs{
		Src:          []byte(tr.src),
		Dst:          []byte(tr.dst),
		FilesPerTask: 3,
		PathQueue:    pathQueue,
		FileQueue:    fileQueue,
	}
	if change != nil {
		change(&args)
	}
	return args
}

// sync runs a job on the trees and returns how it ended. It leaves nothing but the
// destination.
func (tr *trees) sync(change func(*syncArgs)) (syncjob.RunState, figures) {
	tr.t.Helper()
	registry, err := newRegistry(tr.hooks)
	require.NoError(tr.t, err)
	args := tr.args(change)
	kit := syncjobtest.New(tr.t, registry, nil)
	final := kit.Run(syncjob.Job{Name: "job", Set: setName, Root: args})
	require.Empty(tr.t, final.HookErr)
	require.True(tr.t, final.Counts.Balanced())
	f, err := figuresOf(tr.t.Context(), kit.Manager.Values(), final)
	require.NoError(tr.t, err)
	return final, f
}

// mustSync is sync of a run that succeeds.
func (tr *trees) mustSync(change func(*syncArgs)) figures {
	tr.t.Helper()
	final, f := tr.sync(change)
	require.Equal(tr.t, syncjob.StatusSucceeded, final.Status, final.LastError)
	return f
}

// entry is what must be equal of a source and its copy.
type entry struct {
	mode     fs.FileMode
	modified time.Time // zero for links
	content  string    // of a file; where a link leads
}

// snapshot reads a tree.
func snapshot(t *testing.T, dir string) map[string]entry {
	t.Helper()
	found := make(map[string]entry)
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		e := entry{mode: info.Mode(), modified: info.ModTime()}
		switch {
		case info.Mode().Type() == fs.ModeSymlink:
			e.modified = time.Time{}
			e.content, err = os.Readlink(path)
		case info.Mode().IsRegular():
			var content []byte
			content, err = os.ReadFile(path)
			e.content = string(content)
		}
		rel, _ := filepath.Rel(dir, path)
		found[rel] = e
		return err
	}))
	return found
}

// requireEqual requires the trees to be equal in every respect that is kept.
func (tr *trees) requireEqual() {
	tr.t.Helper()
	require.Equal(tr.t, snapshot(tr.t, tr.src), snapshot(tr.t, tr.dst))
}
