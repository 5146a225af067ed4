package mirror

import (
	"context"
	"io/fs"
	"iter"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/examples/ingest/internal/treetest"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
	"github.com/rollcall-go/rollcall/syncjob/syncjobtest"
)

// trees is a source and a destination for one test.
type trees struct {
	*treetest.Trees
	hooks  handlers.EventHooks
	source *faulty // nil for the directory itself
}

// config is that of the handlers.
func (tr *trees) config() Config {
	c := Config{Hooks: tr.hooks}
	if tr.source != nil {
		c.Open = func(context.Context, string) (Source, error) { return tr.source, nil }
	}
	return c
}

// faulty is a source of which some directories cannot be read.
type faulty struct {
	Source
	list  map[string]int   // how many entries of a directory are named before an error
	stat  map[string]error // for entries
	point func()           // called before and after each call; may be nil
}

func (f *faulty) at() {
	if f.point != nil {
		f.point()
	}
}

// Stat implements Source.
func (f *faulty) Stat(ctx context.Context, path string) (fs.FileInfo, error) {
	f.at()
	if err := f.stat[path]; err != nil {
		return nil, err
	}
	return f.Source.Stat(ctx, path)
}

// List implements Source.
func (f *faulty) List(ctx context.Context, path string) iter.Seq2[fs.DirEntry, error] {
	return func(yield func(fs.DirEntry, error) bool) {
		left, fails := f.list[path]
		for e, err := range f.Source.List(ctx, path) {
			f.at()
			if left--; fails && left < 0 {
				break
			}
			if !yield(e, err) {
				return
			}
		}
		if fails {
			yield(nil, &fs.PathError{Op: "readdirent", Path: path, Err: syscall.EACCES})
		}
	}
}

// Open implements Source.
func (f *faulty) Open(ctx context.Context, path string) (File, error) {
	f.at()
	return f.Source.Open(ctx, path)
}

func newTrees(t *testing.T) *trees { return &trees{Trees: treetest.New(t)} }

// args are the arguments of a run on the trees.
func (tr *trees) args(change func(*Args)) Args {
	args := Args{
		Src:     []byte(tr.Src),
		Dst:     []byte(tr.Dst),
		Options: Options{FilesPerTask: 3, PathQueue: PathQueue, FileQueue: FileQueue},
	}
	if change != nil {
		change(&args)
	}
	return args
}

// sync runs a job on the trees and returns how it ended. It leaves nothing but the
// destination.
func (tr *trees) sync(change func(*Args)) (states.Run, Figures) {
	tr.T.Helper()
	registry, err := NewRegistry(tr.config())
	require.NoError(tr.T, err)
	args := tr.args(change)
	kit := syncjobtest.New(tr.T, registry, nil)
	final := kit.Run(syncjob.Job{Name: "job", Set: SetName, Root: args})
	require.Empty(tr.T, final.HookErr)
	require.True(tr.T, final.Counts.Balanced())
	f, err := FiguresOf(tr.T.Context(), kit.Manager.Values(), final)
	require.NoError(tr.T, err)
	return final, f
}

// mustSync is sync of a run that succeeds.
func (tr *trees) mustSync(change func(*Args)) Figures {
	tr.T.Helper()
	final, f := tr.sync(change)
	require.Equal(tr.T, states.Succeeded, final.Status, final.LastError)
	return f
}
