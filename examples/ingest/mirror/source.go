package mirror

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Source is a tree to copy from. Paths are relative to its root, which is the empty path, and have
// slashes. A Source is used by many goroutines at once.
//
// An entry that does not exist gives an error that matches [fs.ErrNotExist]. Nothing else does: the
// copy of an entry may be deleted because of this error. An entry that cannot be read gives another
// error, which is listed, and its copy stays.
//
// A Source that has a method String is shown by it, and excludes match what it returns and a path.
type Source interface {
	// Stat describes an entry. It does not follow a link, except at the root. A directory with a zero
	// time has none, and its copy keeps its own.
	Stat(ctx context.Context, path string) (fs.FileInfo, error)
	// List yields the entries of a directory in any order, in bounded memory. An error ends it: then
	// entries may be missing. Without an error, all of them were there.
	List(ctx context.Context, path string) iter.Seq2[fs.DirEntry, error]
	// Open opens a file. The context is that of everything that is read.
	Open(ctx context.Context, path string) (File, error)
	// Readlink says where a link leads.
	Readlink(ctx context.Context, path string) (string, error)
	// Same reports whether two descriptions are of one file, and not of two that had the same name.
	Same(a, b fs.FileInfo) bool
}

// File is an open file of a source. It is read from its start to its end, maybe twice.
type File interface {
	io.ReaderAt
	io.Closer
	// Stat describes the file as it is now. The name may be of another file by now.
	Stat() (fs.FileInfo, error)
}

// directory is a source on a file system. It may be a link to a directory.
type directory string

// DirectorySource returns the tree below a directory as a source.
func DirectorySource(path string) Source { return directory(path) }

func (d directory) path(rel string) string { return filepath.Join(string(d), rel) }

// Stat implements Source.
func (d directory) Stat(_ context.Context, rel string) (fs.FileInfo, error) {
	stat := os.Lstat
	if rel == "" {
		stat = os.Stat
	}
	info, err := stat(d.path(rel))
	return info, gone(err)
}

// gone makes it the same whether an entry does not exist, or what was its directory is a file now.
func gone(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) && errors.Is(pe.Err, syscall.ENOTDIR) {
		return &fs.PathError{Op: pe.Op, Path: pe.Path, Err: fs.ErrNotExist}
	}
	return err
}

// isMissing reports whether an error says that an entry of the destination does not exist.
func isMissing(err error) bool { return errors.Is(gone(err), fs.ErrNotExist) }

func ignoreMissing(err error) error {
	if isMissing(err) {
		return nil
	}
	return err
}

// List implements Source.
func (d directory) List(_ context.Context, rel string) iter.Seq2[fs.DirEntry, error] {
	return list(d.path(rel))
}

// entriesAtOnce is how many entries of a directory are in memory at once.
const entriesAtOnce = 1024

// list yields the entries of a directory.
func list(path string) iter.Seq2[fs.DirEntry, error] {
	return func(yield func(fs.DirEntry, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.Close()
		for {
			entries, err := f.ReadDir(entriesAtOnce)
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
			switch {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				yield(nil, err)
				return
			}
		}
	}
}

// Open implements Source.
func (d directory) Open(_ context.Context, rel string) (File, error) {
	f, err := os.Open(d.path(rel))
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Readlink implements Source.
func (d directory) Readlink(_ context.Context, rel string) (string, error) {
	return os.Readlink(d.path(rel))
}

// Same implements Source.
func (directory) Same(a, b fs.FileInfo) bool { return os.SameFile(a, b) }

// join returns a path below a directory of a tree. An empty name is the directory itself.
func join(dir, name string) string {
	switch {
	case dir == "":
		return name
	case name == "":
		return dir
	}
	return strings.TrimSuffix(dir, "/") + "/" + name
}

// split returns the directory and the name of an entry.
func split(path string) (dir, name string) {
	at := strings.LastIndexByte(path, '/')
	return path[:max(0, at)], path[at+1:]
}
