package mirror

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/examples/ingest/internal/treetest"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
	"github.com/rollcall-go/rollcall/syncjob/syncjobtest"
)

// The first job is in the middle of its copy while the others start.
func TestOneRunAtATimeChangesADestination(t *testing.T) {
	tr, other := newTrees(t), newTrees(t)
	tr.Write("file", "x", 0o644)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(filepath.Dir(tr.Dst), link))
	dsts := map[string]string{"same": tr.Dst, "by a link": filepath.Join(link, "dst"), "other": other.Dst}
	finals := make(map[string]states.Run)
	var once sync.Once
	tr.hooks.Before = func(ctx context.Context, e handlers.Event) (err error) {
		if PathOf(ctx) != filepath.Join(tr.Dst, "file") {
			return nil
		}
		once.Do(func() {
			m, _ := syncjob.FromContext(ctx)
			for name, dst := range dsts {
				args := tr.args(nil)
				args.Dst = []byte(dst)
				run, problem := m.Start(ctx, syncjob.Job{Name: name, Set: SetName, Root: args}, nil)
				if err = problem; err == nil {
					finals[name], err = run.Wait(ctx)
				}
				if err != nil {
					return
				}
			}
		})
		return err
	}
	registry, err := NewRegistry(tr.config())
	require.NoError(t, err)
	kit := syncjobtest.New(t, registry, nil)
	job := func(name, dst string) states.Run {
		args := tr.args(nil)
		args.Dst = []byte(dst)
		return kit.Run(syncjob.Job{Name: name, Set: SetName, Root: args})
	}
	require.Equal(t, states.Succeeded, job("first", tr.Dst).Status)
	require.Equal(t, states.Succeeded, finals["other"].Status)
	for _, name := range []string{"same", "by a link"} {
		require.Equal(t, states.Failed, finals[name].Status)
		require.Contains(t, finals[name].LastError, "of the job first")
		require.Equal(t, states.Succeeded, job(name, dsts[name]).Status, "the first one has ended")
	}
	n, err := claims(kit.Manager).Len(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)

	// A run that was stopped has no post-job hook.
	field, err := (&tree{dst: tr.Dst}).claimField()
	require.NoError(t, err)
	for _, dead := range []claim{{Job: "first", Run: 1}, {Job: "never", Run: 7}, {Job: "first", Run: 9}} {
		require.NoError(t, claims(kit.Manager).Set(t.Context(), field, dead))
		require.Equal(t, states.Succeeded, job("next", tr.Dst).Status)
	}
}

func TestHardLinksAreFilesOfTheirOwn(t *testing.T) {
	tr := newTrees(t)
	tr.Write("one", "x", 0o644)
	tr.Write("alone", "x", 0o644)
	require.NoError(t, os.Link(filepath.Join(tr.Src, "one"), filepath.Join(tr.Src, "two")))
	require.Equal(t, Figures{Copied: 3, Linked: 2, Bytes: 3}, tr.mustSync(nil))
	require.Equal(t, treetest.Snapshot(t, tr.Src), treetest.Snapshot(t, tr.Dst))
}
