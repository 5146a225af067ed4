package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/syncjob"
)

func TestACopyIsLikeItsSource(t *testing.T) {
	tr := newTrees(t)
	tr.write("empty", "", 0o644)
	tr.write("a/script", "#!/bin/sh\n", 0o755)
	tr.write("a/private", "secret", 0o600)
	tr.write("a/read only", "x", 0o444)
	tr.write("a/b/c/large", strings.Repeat("0123456789", bufferSize/5), 0o640)
	tr.write("a/b/line\nbreak", "x", 0o644)
	for i := range 10 {
		tr.write(fmt.Sprintf("many/%d", i), fmt.Sprint(i), 0o644)
	}
	require.NoError(t, os.Mkdir(filepath.Join(tr.src, "a/nothing in it"), 0o700))
	require.NoError(t, os.Symlink("a/script", filepath.Join(tr.src, "link")))
	require.NoError(t, os.Symlink("not there", filepath.Join(tr.src, "a/dangling")))
	require.NoError(t, os.Symlink("/", filepath.Join(tr.src, "many/outside")))
	for _, dir := range []string{"a/nothing in it", "many", "a/b/c", "a/b", "a", "."} {
		require.NoError(t, os.Chtimes(filepath.Join(tr.src, dir), time.Time{}, longAgo.Add(time.Duration(len(dir))*time.Hour)))
	}
	f := tr.mustSync(nil)
	tr.requireEqual()
	require.Equal(t, figures{Copied: 19, Bytes: int64(10 + 6 + 1 + bufferSize/5*10 + 1 + 10)}, f)
}

func TestNamesNeedNotBeUTF8(t *testing.T) {
	tr := newTrees(t)
	tr.write("dir\xff/file\xfe\x80", "x", 0o644)
	tr.write("dir\xff/sub\xc3/ok", "y", 0o644)
	require.NoError(t, os.Symlink("to\xfd", filepath.Join(tr.src, "link\xfc")))
	f := tr.mustSync(nil)
	tr.requireEqual()
	require.EqualValues(t, 3, f.Copied)
}

func TestDirectoriesThatTheirOwnerMayNotWriteAreCopiedWithTheirContent(t *testing.T) {
	tr := newTrees(t)
	tr.write("closed/inner/file", "x", 0o444)
	for _, dir := range []string{"closed/inner", "closed"} {
		path := filepath.Join(tr.src, dir)
		require.NoError(t, os.Chmod(path, 0o555))
		t.Cleanup(func() { _ = os.Chmod(path, 0o755) })
		t.Cleanup(func() { _ = os.Chmod(filepath.Join(tr.dst, dir), 0o755) })
	}
	for range 2 { // the copy is closed then, too
		tr.mustSync(nil)
		tr.requireEqual()
	}
}

func TestOnlyWhatChangedIsCopied(t *testing.T) {
	tr := newTrees(t)
	for i := range 20 {
		tr.write(fmt.Sprintf("%d/%d", i%4, i), "content", 0o644)
	}
	require.NoError(t, os.Symlink("0", filepath.Join(tr.src, "link")))
	require.EqualValues(t, 21, tr.mustSync(nil).Copied)
	require.Equal(t, figures{Unchanged: 21}, tr.mustSync(nil))

	for _, rel := range []string{"0/4", "1/5", "1/9"} {
		require.NoError(t, os.Chtimes(filepath.Join(tr.src, rel), time.Time{}, longAgo.Add(time.Nanosecond)))
	}
	require.Equal(t, figures{Copied: 3, Unchanged: 18, Bytes: 21}, tr.mustSync(nil))
	tr.requireEqual()

	tr.write("1/5", "longer content", 0o644)
	require.NoError(t, os.Remove(filepath.Join(tr.src, "link")))
	require.NoError(t, os.Symlink("1", filepath.Join(tr.src, "link")))
	require.Equal(t, figures{Copied: 2, Unchanged: 19, Bytes: 14}, tr.mustSync(nil))
	tr.requireEqual()
	require.Equal(t, figures{Copied: 21, Bytes: 19*7 + 14}, tr.mustSync(func(a *syncArgs) { a.IgnoreCache = true }))
	tr.requireEqual()
}

func TestANewModeAloneDoesNotRewriteAFile(t *testing.T) {
	tr := newTrees(t)
	tr.write("dir/file", "content", 0o644)
	tr.mustSync(nil)
	copied := filepath.Join(tr.dst, "dir/file")
	before, err := os.Stat(copied)
	require.NoError(t, err)

	require.NoError(t, os.Chmod(filepath.Join(tr.src, "dir/file"), 0o600))
	require.NoError(t, os.Chmod(filepath.Join(tr.src, "dir"), 0o700))
	require.Equal(t, figures{Unchanged: 1, Updated: 1}, tr.mustSync(nil))
	tr.requireEqual()
	after, err := os.Stat(copied)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
}

func TestWhatIsInThePlaceOfACopyMakesWayUnlessItIsADirectory(t *testing.T) {
	tr := newTrees(t)
	outside := t.TempDir()
	require.NoError(t, os.Mkdir(tr.dst, 0o755))
	tr.write("dir/file", "x", 0o644)
	require.NoError(t, os.Symlink(outside, filepath.Join(tr.dst, "dir"))) // not to be followed
	tr.write("file", "x", 0o644)
	require.NoError(t, os.Symlink(filepath.Join(outside, "target"), filepath.Join(tr.dst, "file")))
	require.NoError(t, os.Symlink("x", filepath.Join(tr.src, "link")))
	require.NoError(t, os.WriteFile(filepath.Join(tr.dst, "link"), nil, 0o600))
	tr.mustSync(nil)
	tr.requireEqual()
	left, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Empty(t, left)

	tr.write("taken", "x", 0o644)
	require.NoError(t, os.MkdirAll(filepath.Join(tr.dst, "taken/full"), 0o755))
	f := tr.mustSync(nil)
	require.EqualValues(t, 1, f.Failed)
	require.Equal(t, listed{{Path: []byte(filepath.Join(tr.src, "taken")), Reason: errInTheWay.Error()}}, f.List)
	require.DirExists(t, filepath.Join(tr.dst, "taken/full"))
}

func TestWhatHasNoCopyIsCountedAndListed(t *testing.T) {
	tr := newTrees(t)
	tr.write("file", "x", 0o644)
	for i := range maxListed + 5 {
		require.NoError(t, syscall.Mkfifo(filepath.Join(tr.src, fmt.Sprintf("pipe%03d", i)), 0o600))
	}
	f := tr.mustSync(nil)
	require.EqualValues(t, 1, f.Copied)
	require.EqualValues(t, maxListed+5, f.Failed)
	require.Len(t, f.List, maxListed)
	require.Equal(t, errSpecial.Error(), f.List[0].Reason)
}

func TestExcludesLeaveOutFilesAndWholeDirectories(t *testing.T) {
	tr := newTrees(t)
	tr.write("keep/a.go", "x", 0o644)
	tr.write("keep/a.o", "x", 0o644)
	tr.write("node/a.go", "x", 0o644)
	tr.write("keep/node.go", "x", 0o644)
	require.NoError(t, os.Symlink("a.go", filepath.Join(tr.src, "keep/link")))
	for name, c := range map[string]struct {
		exclude excludes
		want    []string
	}{
		"names":       {excludes{Names: []string{`\.o$`, `^` + tr.src + `/keep/n`}}, []string{"keep", "keep/a.go", "keep/link", "node", "node/a.go"}},
		"directories": {excludes{Dirs: []string{`node`}}, []string{"keep", "keep/a.go", "keep/a.o", "keep/link", "keep/node.go"}},
		"links":       {excludes{Types: []string{"link"}, Names: []string{`/a[^/]*$`}}, []string{"keep", "keep/node.go", "node"}},
		"types":       {excludes{Types: []string{"regular", "link"}}, []string{"keep", "node"}},
		"all":         {excludes{Types: []string{"directory"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			one := &trees{t: t, src: tr.src, dst: filepath.Join(t.TempDir(), "dst")}
			one.mustSync(func(a *syncArgs) { a.Exclude = c.exclude })
			found := snapshot(t, one.dst)
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
	tr.write("a/b", "xyz", 0o644)
	tr.write("c", "x", 0o644)
	dry := func(a *syncArgs) { a.DryRun = true }
	require.Equal(t, figures{Copied: 2, Bytes: 4}, tr.mustSync(dry))
	require.NoDirExists(t, tr.dst)

	tr.mustSync(nil)
	tr.write("c", "xy", 0o644)
	require.NoError(t, os.Chmod(filepath.Join(tr.src, "a/b"), 0o600))
	before := snapshot(t, tr.dst)
	require.Equal(t, figures{Copied: 1, Unchanged: 1, Updated: 1, Bytes: 2}, tr.mustSync(dry))
	require.Equal(t, before, snapshot(t, tr.dst))

	deep := &trees{t: t, src: tr.src, dst: filepath.Join(t.TempDir(), "not/yet/there")}
	deep.mustSync(dry)
	left, err := os.ReadDir(filepath.Dir(filepath.Dir(filepath.Dir(deep.dst))))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestALargeDirectoryIsSplitIntoTasks(t *testing.T) {
	tr := newTrees(t)
	for i := range entriesAtOnce + 10 {
		tr.write(fmt.Sprintf("%d", i), "", 0o644)
	}
	final, f := tr.sync(nil)
	require.EqualValues(t, entriesAtOnce+10, f.Copied)
	require.EqualValues(t, 2+(entriesAtOnce+10+2)/3, final.Counts.Succeeded)
	tr.requireEqual()
}

func TestARunThatCannotSucceedFailsBeforeItBegins(t *testing.T) {
	tr := newTrees(t)
	tr.write("sub/file", "x", 0o644)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(tr.src, link))
	in := func(dir, rel string) []byte { return []byte(filepath.Join(dir, rel)) }
	for name, change := range map[string]func(*syncArgs){
		"no source":                     func(a *syncArgs) { a.Src = in(tr.src, "missing") },
		"source is a file":              func(a *syncArgs) { a.Src = in(tr.src, "sub/file") },
		"destination is a file":         func(a *syncArgs) { a.Dst = in(tr.src, "sub/file") },
		"destination is the source":     func(a *syncArgs) { a.Dst = in(tr.src, "") },
		"destination in the source":     func(a *syncArgs) { a.Dst = in(tr.src, "sub/new/dst") },
		"destination in it by a link":   func(a *syncArgs) { a.Dst = in(link, "dst") },
		"source inside the destination": func(a *syncArgs) { a.Src, a.Dst = in(tr.src, "sub"), in(tr.src, "") },
		"exclude that does not compile": func(a *syncArgs) { a.Exclude.Names = []string{"("} },
	} {
		t.Run(name, func(t *testing.T) {
			before := snapshot(t, filepath.Dir(tr.src))
			final, f := (&trees{t: t, src: tr.src, dst: tr.dst}).sync(change)
			require.Equal(t, syncjob.StatusFailed, final.Status)
			require.NotEmpty(t, final.LastError)
			require.Zero(t, final.Counts.Succeeded)
			require.Zero(t, f)
			require.Equal(t, before, snapshot(t, filepath.Dir(tr.src)))
		})
	}
}
