package mirror

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/examples/ingest/internal/treetest"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/syncjobtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// trees is a source and a destination for one test.
type trees struct {
	*treetest.Trees
	hooks handlers.EventHooks
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
func (tr *trees) sync(change func(*Args)) (syncjob.RunState, Figures) {
	tr.T.Helper()
	registry, err := NewRegistry(Config{Hooks: tr.hooks})
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
	require.Equal(tr.T, syncjob.StatusSucceeded, final.Status, final.LastError)
	return f
}
