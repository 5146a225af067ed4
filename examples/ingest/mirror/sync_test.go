package mirror

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/examples/ingest/internal/treetest"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func TestACopyIsLikeItsSource(t *testing.T) {
	tr := newTrees(t)
	tr.Write("empty", "", 0o644)
	tr.Write("a/script", "#!/bin/sh\n", 0o755)
	tr.Write("a/private", "secret", 0o600)
	tr.Write("a/read only", "x", 0o444)
	tr.Write("a/b/c/large", strings.Repeat("0123456789", bufferSize/5), 0o640)
	tr.Write("a/b/line\nbreak", "x", 0o644)
	for i := range 10 {
		tr.Write(fmt.Sprintf("many/%d", i), fmt.Sprint(i), 0o644)
	}
	require.NoError(t, os.Mkdir(filepath.Join(tr.Src, "a/nothing in it"), 0o700))
	require.NoError(t, os.Symlink("a/script", filepath.Join(tr.Src, "link")))
	require.NoError(t, os.Symlink("not there", filepath.Join(tr.Src, "a/dangling")))
	require.NoError(t, os.Symlink("/", filepath.Join(tr.Src, "many/outside")))
	for _, dir := range []string{"a/nothing in it", "many", "a/b/c", "a/b", "a", "."} {
		require.NoError(t, os.Chtimes(filepath.Join(tr.Src, dir), time.Time{}, treetest.LongAgo.Add(time.Duration(len(dir))*time.Hour)))
	}
	f := tr.mustSync(nil)
	tr.RequireEqual()
	require.Equal(t, Figures{Copied: 19, Bytes: int64(10 + 6 + 1 + bufferSize/5*10 + 1 + 10)}, f)
}

func TestNamesNeedNotBeUTF8(t *testing.T) {
	tr := newTrees(t)
	tr.Write("dir\xff/file\xfe\x80", "x", 0o644)
	tr.Write("dir\xff/sub\xc3/ok", "y", 0o644)
	require.NoError(t, os.Symlink("to\xfd", filepath.Join(tr.Src, "link\xfc")))
	f := tr.mustSync(nil)
	tr.RequireEqual()
	require.EqualValues(t, 3, f.Copied)
}

func TestDirectoriesThatTheirOwnerMayNotWriteAreCopiedWithTheirContent(t *testing.T) {
	tr := newTrees(t)
	tr.Write("closed/inner/file", "x", 0o444)
	for _, dir := range []string{"closed/inner", "closed"} {
		path := filepath.Join(tr.Src, dir)
		require.NoError(t, os.Chmod(path, 0o555))
		t.Cleanup(func() { _ = os.Chmod(path, 0o755) })
		t.Cleanup(func() { _ = os.Chmod(filepath.Join(tr.Dst, dir), 0o755) })
	}
	for range 2 { // the copy is closed then, too
		tr.mustSync(nil)
		tr.RequireEqual()
	}
}

func TestOnlyWhatChangedIsCopied(t *testing.T) {
	tr := newTrees(t)
	for i := range 20 {
		tr.Write(fmt.Sprintf("%d/%d", i%4, i), "content", 0o644)
	}
	require.NoError(t, os.Symlink("0", filepath.Join(tr.Src, "link")))
	require.EqualValues(t, 21, tr.mustSync(nil).Copied)
	require.Equal(t, Figures{Unchanged: 21}, tr.mustSync(nil))

	for _, rel := range []string{"0/4", "1/5", "1/9"} {
		require.NoError(t, os.Chtimes(filepath.Join(tr.Src, rel), time.Time{}, treetest.LongAgo.Add(time.Nanosecond)))
	}
	require.Equal(t, Figures{Copied: 3, Unchanged: 18, Bytes: 21}, tr.mustSync(nil))
	tr.RequireEqual()

	tr.Write("1/5", "longer content", 0o644)
	require.NoError(t, os.Remove(filepath.Join(tr.Src, "link")))
	require.NoError(t, os.Symlink("1", filepath.Join(tr.Src, "link")))
	require.Equal(t, Figures{Copied: 2, Unchanged: 19, Bytes: 14}, tr.mustSync(nil))
	tr.RequireEqual()
	require.Equal(t, Figures{Copied: 21, Bytes: 19*7 + 14}, tr.mustSync(func(a *Args) { a.IgnoreCache = true }))
	tr.RequireEqual()
}

func TestANewModeAloneDoesNotRewriteAFile(t *testing.T) {
	tr := newTrees(t)
	tr.Write("dir/file", "content", 0o644)
	tr.mustSync(nil)
	copied := filepath.Join(tr.Dst, "dir/file")
	before, err := os.Stat(copied)
	require.NoError(t, err)

	require.NoError(t, os.Chmod(filepath.Join(tr.Src, "dir/file"), 0o600))
	require.NoError(t, os.Chmod(filepath.Join(tr.Src, "dir"), 0o700))
	require.Equal(t, Figures{Unchanged: 1, Updated: 1}, tr.mustSync(nil))
	tr.RequireEqual()
	after, err := os.Stat(copied)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
}

func TestWhatIsInThePlaceOfACopyMakesWayUnlessItIsADirectory(t *testing.T) {
	tr := newTrees(t)
	outside := t.TempDir()
	require.NoError(t, os.Mkdir(tr.Dst, 0o755))
	tr.Write("dir/file", "x", 0o644)
	require.NoError(t, os.Symlink(outside, filepath.Join(tr.Dst, "dir"))) // not to be followed
	tr.Write("file", "x", 0o644)
	require.NoError(t, os.Symlink(filepath.Join(outside, "target"), filepath.Join(tr.Dst, "file")))
	require.NoError(t, os.Symlink("x", filepath.Join(tr.Src, "link")))
	require.NoError(t, os.WriteFile(filepath.Join(tr.Dst, "link"), nil, 0o600))
	tr.mustSync(nil)
	tr.RequireEqual()
	left, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Empty(t, left)

	tr.Write("taken", "x", 0o644)
	require.NoError(t, os.MkdirAll(filepath.Join(tr.Dst, "taken/full"), 0o755))
	f := tr.mustSync(nil)
	require.EqualValues(t, 1, f.Failed)
	require.Equal(t, []Listed{{Path: []byte(filepath.Join(tr.Src, "taken")), Reason: errInTheWay.Error()}}, f.List)
	require.DirExists(t, filepath.Join(tr.Dst, "taken/full"))
}

func TestWhatHasNoCopyIsCountedAndListed(t *testing.T) {
	tr := newTrees(t)
	tr.Write("file", "x", 0o644)
	for i := range MaxListed + 5 {
		require.NoError(t, syscall.Mkfifo(filepath.Join(tr.Src, fmt.Sprintf("pipe%03d", i)), 0o600))
	}
	f := tr.mustSync(nil)
	require.EqualValues(t, 1, f.Copied)
	require.EqualValues(t, MaxListed+5, f.Failed)
	require.Len(t, f.List, MaxListed)
	require.Equal(t, errSpecial.Error(), f.List[0].Reason)
}

func TestExcludesLeaveOutFilesAndWholeDirectories(t *testing.T) {
	tr := newTrees(t)
	tr.Write("keep/a.go", "x", 0o644)
	tr.Write("keep/a.o", "x", 0o644)
	tr.Write("node/a.go", "x", 0o644)
	tr.Write("keep/node.go", "x", 0o644)
	require.NoError(t, os.Symlink("a.go", filepath.Join(tr.Src, "keep/link")))
	for name, c := range map[string]struct {
		exclude Excludes
		want    []string
	}{
		"names":       {Excludes{Names: []string{`\.o$`, `^` + tr.Src + `/keep/n`}}, []string{"keep", "keep/a.go", "keep/link", "node", "node/a.go"}},
		"directories": {Excludes{Dirs: []string{`node`}}, []string{"keep", "keep/a.go", "keep/a.o", "keep/link", "keep/node.go"}},
		"links":       {Excludes{Types: []string{"link"}, Names: []string{`/a[^/]*$`}}, []string{"keep", "keep/node.go", "node"}},
		"types":       {Excludes{Types: []string{"regular", "link"}}, []string{"keep", "node"}},
		"all":         {Excludes{Types: []string{"directory"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			one := &trees{Trees: &treetest.Trees{T: t, Src: tr.Src, Dst: filepath.Join(t.TempDir(), "dst")}}
			one.mustSync(func(a *Args) { a.Exclude = c.exclude })
			found := treetest.Snapshot(t, one.Dst)
			delete(found, ".")
			names := make([]string, 0, len(found))
			for name := range found {
				names = append(names, name)
			}
			require.ElementsMatch(t, c.want, names)
		})
	}
}

func TestADryRunCountsAndWritesNothing(t *testing.T) {
	tr := newTrees(t)
	tr.Write("a/b", "xyz", 0o644)
	tr.Write("c", "x", 0o644)
	dry := func(a *Args) { a.DryRun = true }
	require.Equal(t, Figures{Copied: 2, Bytes: 4}, tr.mustSync(dry))
	require.NoDirExists(t, tr.Dst)

	tr.mustSync(nil)
	tr.Write("c", "xy", 0o644)
	require.NoError(t, os.Chmod(filepath.Join(tr.Src, "a/b"), 0o600))
	before := treetest.Snapshot(t, tr.Dst)
	require.Equal(t, Figures{Copied: 1, Unchanged: 1, Updated: 1, Bytes: 2}, tr.mustSync(dry))
	require.Equal(t, before, treetest.Snapshot(t, tr.Dst))

	deep := &trees{Trees: &treetest.Trees{T: t, Src: tr.Src, Dst: filepath.Join(t.TempDir(), "not/yet/there")}}
	deep.mustSync(dry)
	left, err := os.ReadDir(filepath.Dir(filepath.Dir(filepath.Dir(deep.Dst))))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestALargeDirectoryIsSplitIntoTasks(t *testing.T) {
	tr := newTrees(t)
	for i := range entriesAtOnce + 10 {
		tr.Write(fmt.Sprintf("%d", i), "", 0o644)
	}
	final, f := tr.sync(nil)
	require.EqualValues(t, entriesAtOnce+10, f.Copied)
	require.EqualValues(t, 2+(entriesAtOnce+10+2)/3, final.Counts.Succeeded)
	tr.RequireEqual()
}

func TestARunThatCannotSucceedFailsBeforeItBegins(t *testing.T) {
	tr := newTrees(t)
	tr.Write("sub/file", "x", 0o644)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(tr.Src, link))
	in := func(dir, rel string) []byte { return []byte(filepath.Join(dir, rel)) }
	for name, change := range map[string]func(*Args){
		"no source":                     func(a *Args) { a.Src = in(tr.Src, "missing") },
		"source is a file":              func(a *Args) { a.Src = in(tr.Src, "sub/file") },
		"destination is a file":         func(a *Args) { a.Dst = in(tr.Src, "sub/file") },
		"destination is the source":     func(a *Args) { a.Dst = in(tr.Src, "") },
		"destination in the source":     func(a *Args) { a.Dst = in(tr.Src, "sub/new/dst") },
		"destination in it by a link":   func(a *Args) { a.Dst = in(link, "dst") },
		"source inside the destination": func(a *Args) { a.Src, a.Dst = in(tr.Src, "sub"), in(tr.Src, "") },
		"exclude that does not compile": func(a *Args) { a.Exclude.Names = []string{"("} },
	} {
		t.Run(name, func(t *testing.T) {
			before := treetest.Snapshot(t, filepath.Dir(tr.Src))
			final, f := (&trees{Trees: &treetest.Trees{T: t, Src: tr.Src, Dst: tr.Dst}}).sync(change)
			require.Equal(t, states.Failed, final.Status)
			require.NotEmpty(t, final.LastError)
			require.Zero(t, final.Counts.Succeeded)
			require.Zero(t, f)
			require.Equal(t, before, treetest.Snapshot(t, filepath.Dir(tr.Src)))
		})
	}
}
