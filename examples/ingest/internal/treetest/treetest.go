// Package treetest has trees of files for tests.
package treetest

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// LongAgo is a time that no file has by itself. Its fraction must be kept too.
var LongAgo = time.Date(2001, 2, 3, 4, 5, 6, 123456789, time.UTC)

// Trees is a source and a destination for one test.
type Trees struct {
	T        *testing.T
	Src, Dst string
}

// New makes an empty source. The destination does not exist.
func New(t *testing.T) *Trees {
	dir := t.TempDir()
	tr := &Trees{T: t, Src: filepath.Join(dir, "src"), Dst: filepath.Join(dir, "dst")}
	require.NoError(t, os.Mkdir(tr.Src, 0o755))
	return tr
}

// Write makes a file of the source, and the directories above it.
func (tr *Trees) Write(rel, content string, mode fs.FileMode) {
	tr.T.Helper()
	path := filepath.Join(tr.Src, rel)
	require.NoError(tr.T, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(tr.T, os.WriteFile(path, []byte(content), 0o600))
	require.NoError(tr.T, os.Chmod(path, mode))
	require.NoError(tr.T, os.Chtimes(path, time.Time{}, LongAgo))
}

// Entry is what must be equal of a source and its copy.
type Entry struct {
	Mode     fs.FileMode
	Modified time.Time // zero for links
	Content  string    // of a file; where a link leads
}

// Snapshot reads a tree.
func Snapshot(t *testing.T, dir string) map[string]Entry {
	t.Helper()
	found := make(map[string]Entry)
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		e := Entry{Mode: info.Mode(), Modified: info.ModTime()}
		switch {
		case info.Mode().Type() == fs.ModeSymlink:
			e.Modified = time.Time{}
			e.Content, err = os.Readlink(path)
		case info.Mode().IsRegular():
			var content []byte
			content, err = os.ReadFile(path)
			e.Content = string(content)
		}
		rel, _ := filepath.Rel(dir, path)
		found[rel] = e
		return err
	}))
	return found
}

// RequireEqual requires the trees to be equal in every respect that is kept.
func (tr *Trees) RequireEqual() {
	tr.T.Helper()
	require.Equal(tr.T, Snapshot(tr.T, tr.Src), Snapshot(tr.T, tr.Dst))
}
