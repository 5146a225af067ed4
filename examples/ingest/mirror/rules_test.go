package mirror

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/examples/ingest/internal/treetest"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
	"github.com/rollcall-go/rollcall/syncjob/syncjobtest"
)

// numbered leaves out names with an x, and adds the number to about half of the others.
type numbered int

func (n numbered) target(name string) string {
	if (int(name[0])+int(n))%2 == 0 {
		return fmt.Sprintf("%s.%d", name, n)
	}
	return name
}

func (n numbered) rules(context.Context) Rules {
	return Rules{
		Include: func(_ context.Context, name string) (bool, error) { return path.Base(name) != "x", nil },
		Rename:  func(_ context.Context, name, _ string) (string, error) { return n.target(path.Base(name)), nil },
	}
}

// want returns the source as it is after the rules.
func (n numbered) want(src map[string]treetest.Entry) map[string]treetest.Entry {
	want := make(map[string]treetest.Entry)
	for rel, e := range src {
		names := strings.Split(rel, "/")
		excluded := false
		for i, name := range names {
			if excluded = excluded || name == "x"; name != "." {
				names[i] = n.target(name)
			}
		}
		if !excluded {
			want[strings.Join(names, "/")] = e
		}
	}
	return want
}

// Rules that rename change from run to run, while the source does, too. What has another name now
// has lost its old one, and all the rest is as it was.
func TestTheCopyFollowsRulesThatChange(t *testing.T) {
	for seed := range uint64(3) {
		tr := newTrees(t)
		rules := numbered(0)
		registry, err := NewRegistry(Config{Rules: func(ctx context.Context) Rules { return rules.rules(ctx) }})
		require.NoError(t, err)
		kit := syncjobtest.New(t, registry, nil)
		random := rand.New(rand.NewPCG(seed, 1))
		set := deleting
		if seed%2 == 1 {
			set = tr.toTrash
		}
		for round := range 8 {
			for range 15 {
				rel := string("abcdx"[random.IntN(5)])
				for range random.IntN(3) {
					rel = path.Join(rel, string("abcdx"[random.IntN(5)]))
				}
				for dir := path.Dir(rel); dir != "."; dir = path.Dir(dir) {
					if info, err := os.Lstat(filepath.Join(tr.Src, dir)); err == nil && !info.IsDir() {
						tr.remove(dir)
					}
				}
				if tr.remove(rel); random.IntN(3) > 0 {
					tr.Write(rel, fmt.Sprint(round, rel), 0o644)
					at := treetest.LongAgo.Add(time.Duration(random.Int64N(1e15)))
					require.NoError(t, os.Chtimes(filepath.Join(tr.Src, rel), time.Time{}, at))
				}
			}
			rules = numbered(random.IntN(3))
			for try := range 2 { // the second finds nothing to do
				final := kit.Run(syncjob.Job{Name: "job", Set: SetName, Root: tr.args(set)})
				require.Equal(t, states.Succeeded, final.Status, final.LastError)
				f := Counted(final.Counters)
				require.Zero(t, f.Failed)
				require.Equal(t, rules.want(treetest.Snapshot(t, tr.Src)), treetest.Snapshot(t, tr.Dst))
				if try == 1 {
					require.Zero(t, f.Copied+f.Deleted)
				}
			}
		}
	}
}

// A file that is put under a new name is not taken for the one of before, which has its size and
// time.
func TestACharacterMapMayComeLater(t *testing.T) {
	tr := newTrees(t)
	tr.Write("a:b", "x", 0o644)
	tr.Write("d:d/a:b", "x", 0o644)
	require.EqualValues(t, 2, tr.mustSync(deleting).Copied)
	f := tr.mustSync(func(a *Args) { windows(a); deleting(a) })
	require.Equal(t, Figures{Copied: 2, Bytes: 2, Deleted: 2}, f)
	require.ElementsMatch(t, []string{"a_b", "d_d", "d_d/a_b"}, tr.destination())
}

// The scan has chosen the names. Its tasks keep to them, whatever the rules say by then.
func TestTasksKeepToTheNamesThatTheirScanChose(t *testing.T) {
	tr := newTrees(t)
	for i := range 20 {
		tr.Write(fmt.Sprintf("%c/%c/%c", 'a'+i%4, 'a'+i%5, 'a'+i), "x", 0o644)
	}
	var calls atomic.Int64
	registry, err := NewRegistry(Config{Rules: func(ctx context.Context) Rules {
		return numbered(calls.Add(1)).rules(ctx)
	}})
	require.NoError(t, err)
	kit := syncjobtest.New(t, registry, nil)
	final := kit.Run(syncjob.Job{Name: "job", Set: SetName, Root: tr.args(deleting)})
	require.Equal(t, states.Succeeded, final.Status, final.LastError)
	require.EqualValues(t, 20, Counted(final.Counters).Copied)
	files := 0
	for rel, e := range treetest.Snapshot(t, tr.Dst) {
		if !e.Mode.IsDir() {
			files++
			require.Regexp(t, `^[a-d](\.\d+)?/[a-e](\.\d+)?/[a-t](\.\d+)?$`, rel)
		}
	}
	require.Equal(t, 20, files)
}

func TestARuleThatFailsDeletesNothing(t *testing.T) {
	errRule := errors.New("no rule")
	for name, rules := range map[string]Rules{
		"include": {Include: func(context.Context, string) (bool, error) { return true, errRule }},
		"rename":  {Rename: func(context.Context, string, string) (string, error) { return "", errRule }},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrees(t)
			tr.Write("a", "x", 0o644)
			tr.Write("b", "x", 0o644)
			tr.mustSync(deleting)
			tr.remove("b")
			registry, err := NewRegistry(Config{Rules: func(context.Context) Rules { return rules }})
			require.NoError(t, err)
			kit := syncjobtest.New(t, registry, nil)
			final := kit.Run(syncjob.Job{Name: "job", Set: SetName, Root: tr.args(deleting), Configuration: &syncjob.Configuration{
				Set: handlers.Attributes{MaxRetries: handlers.NoRetries},
			}})
			require.Equal(t, states.Failed, final.Status)
			require.Contains(t, final.LastError, errRule.Error())
			require.ElementsMatch(t, []string{"a", "b"}, tr.destination())
		})
	}
}

func TestNamesOfRulesThatNoFileHasAreListed(t *testing.T) {
	tr := newTrees(t)
	names := map[string]string{"a": "", "b": "..", "c": "c/d", "d": "x\x00", "e": "same", "f": "same", "g": "ok", "h": "i", "i": "h"}
	for name := range names {
		tr.Write(name, name, 0o644)
	}
	registry, err := NewRegistry(Config{Rules: func(context.Context) Rules {
		return Rules{Rename: func(_ context.Context, name, _ string) (string, error) { return names[name], nil }}
	}})
	require.NoError(t, err)
	kit := syncjobtest.New(t, registry, nil)
	for range 2 {
		final := kit.Run(syncjob.Job{Name: "job", Set: SetName, Root: tr.args(deleting)})
		require.EqualValues(t, 6, Counted(final.Counters).Failed)
		require.ElementsMatch(t, []string{"ok", "h", "i"}, tr.destination())
		require.Equal(t, "h", tr.read("i"))
		require.Equal(t, "i", tr.read("h"))
	}
}
