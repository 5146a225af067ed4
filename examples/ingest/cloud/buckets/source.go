package buckets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"syscall"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
)

// source is the objects of a bucket whose keys have a prefix. Slashes of a key divide it into
// directories.
//
// A key may be what no path is. If there is an object "a", the objects "a/…" have no place in a tree
// of files: they are listed together as one entry that has no copy. So is what lies under an empty
// name, or one of dots. An object whose key ends with a slash is the mark of a directory.
type source struct {
	bucket *blob.Bucket
	name   string // for people
	prefix string // of all keys; empty, or with a slash at its end
}

// New returns the objects with a prefix as a source. The prefix is empty or ends with a slash. The
// name is what people see before each path.
func New(bucket *blob.Bucket, name, prefix string) mirror.Source {
	return &source{bucket, name, prefix}
}

// String implements fmt.Stringer.
func (s *source) String() string { return s.name }

// The modes of copies.
const (
	fileMode      = 0o644
	directoryMode = fs.ModeDir | 0o755
)

// errEmpty is the reason why a prefix is no source. A prefix that was mistyped must not look like
// one from which everything vanished.
var errEmpty = errors.New("no object has this prefix")

// Stat implements [mirror.Source].
func (s *source) Stat(ctx context.Context, path string) (fs.FileInfo, error) {
	key := s.prefix + path
	if path != "" {
		attrs, err := s.bucket.Attributes(ctx, key)
		if err == nil {
			return fileInfo(path, attrs.Size, attrs.ModTime), nil
		}
		if gcerrors.Code(err) != gcerrors.NotFound && !errors.Is(err, syscall.ENOTDIR) {
			return nil, problem("stat", path, err)
		}
		key += "/"
	}
	// It may be a directory. This also tells an object that is missing from a bucket that is.
	some, _, err := s.bucket.ListPage(ctx, blob.FirstPageToken, 1, &blob.ListOptions{Prefix: key})
	switch {
	case err != nil:
		return nil, problem("stat", path, err)
	case len(some) > 0 || key == "":
		return directoryInfo(path), nil
	case path == "":
		return nil, problem("stat", path, errEmpty)
	}
	return nil, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
}

// problem returns an error that does not say that an entry is missing, whatever the cause is.
func problem(op, path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%v", err)
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// List implements [mirror.Source]. The driver reads pages of the listing.
func (s *source) List(ctx context.Context, path string) iter.Seq2[fs.DirEntry, error] {
	prefix := s.prefix
	if path != "" {
		prefix += path + "/"
	}
	return func(yield func(fs.DirEntry, error) bool) {
		objects := s.bucket.List(&blob.ListOptions{Prefix: prefix, Delimiter: "/"})
		var before siblings
		last := ""
		for {
			o, err := objects.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, problem("list", path, err))
				return
			}
			name := strings.TrimPrefix(o.Key, prefix)
			if name == "" {
				continue // the mark of this directory
			}
			// A mark is not always listed as the directory that it stands for, and may come beside it.
			dir := o.IsDir || strings.HasSuffix(name, "/")
			if dir && name == last {
				continue
			}
			if last = name; !yield(fs.FileInfoToDirEntry(before.entry(name, o, dir)), nil) {
				return
			}
		}
	}
}

// siblings has the names of those objects before an entry that begin it. Keys are listed in their
// order, so an object "a" comes before all that begins with "a", and "a/" among them.
type siblings []string

// entry describes an entry of a listing.
func (s *siblings) entry(name string, o *blob.ListObject, dir bool) *info {
	for len(*s) > 0 && !strings.HasPrefix(name, (*s)[len(*s)-1]) {
		*s = (*s)[:len(*s)-1]
	}
	if !dir {
		*s = append(*s, name)
		return checked(fileInfo(name, o.Size, o.ModTime))
	}
	name = strings.TrimSuffix(name, "/")
	found := directoryInfo(name)
	for _, object := range *s {
		if object == name {
			found.mode = fs.ModeIrregular
		}
	}
	return checked(found)
}

// checked makes an entry irregular whose name no file has.
func checked(i *info) *info {
	if i.name == "" || i.name == "." || i.name == ".." {
		i.mode = fs.ModeIrregular
	}
	return i
}

// Open implements [mirror.Source].
func (s *source) Open(ctx context.Context, path string) (mirror.File, error) {
	f := &file{source: s, ctx: ctx, path: path}
	if err := f.seek(0); err != nil {
		return nil, err
	}
	f.opened = fileInfo(path, f.reader.Size(), f.reader.ModTime())
	return f, nil
}

// Readlink implements [mirror.Source]. A bucket has no links.
func (s *source) Readlink(_ context.Context, path string) (string, error) {
	return "", &fs.PathError{Op: "readlink", Path: path, Err: errors.ErrUnsupported}
}

// Same implements [mirror.Source]. An object that was written anew has a new time.
func (s *source) Same(a, b fs.FileInfo) bool {
	return a.Mode() == b.Mode() && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// file is an object that is read from its start. An object does not change: who writes it makes
// another one.
type file struct {
	source *source
	ctx    context.Context //nolint:containedctx // that of everything that is read
	path   string
	opened *info
	reader *blob.Reader
	at     int64 // the position of the reader
}

// seek opens the object at a position.
func (f *file) seek(at int64) (err error) {
	if f.reader != nil {
		_ = f.reader.Close() // nothing more is read from it
	}
	f.reader, err = f.source.bucket.NewRangeReader(f.ctx, f.source.prefix+f.path, at, -1, nil)
	if f.at = at; err != nil {
		return problem("open", f.path, err)
	}
	return nil
}

// ReadAt implements io.ReaderAt, for one goroutine at a time. It is fast if it goes on where the last
// call ended.
func (f *file) ReadAt(p []byte, at int64) (int, error) {
	if at >= f.opened.size {
		return 0, io.EOF
	}
	if at != f.at {
		if err := f.seek(at); err != nil {
			return 0, err
		}
	}
	n, err := io.ReadFull(f.reader, p)
	f.at += int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = problem("read", f.path, err)
	}
	return n, err
}

// Stat implements [mirror.File].
func (f *file) Stat() (fs.FileInfo, error) { return f.opened, nil }

// Close implements io.Closer.
func (f *file) Close() error { return f.reader.Close() }

// info describes an entry. Times are of whole seconds, because some services say less in one call
// than in another.
type info struct {
	name     string
	size     int64
	mode     fs.FileMode
	modified time.Time
}

func fileInfo(path string, size int64, modified time.Time) *info {
	return &info{name: base(path), size: size, mode: fileMode, modified: modified.Truncate(time.Second)}
}

func directoryInfo(path string) *info { return &info{name: base(path), mode: directoryMode} }

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// Name implements fs.FileInfo.
func (i *info) Name() string { return i.name }

// Size implements fs.FileInfo.
func (i *info) Size() int64 { return i.size }

// Mode implements fs.FileInfo.
func (i *info) Mode() fs.FileMode { return i.mode }

// ModTime implements fs.FileInfo.
func (i *info) ModTime() time.Time { return i.modified }

// IsDir implements fs.FileInfo.
func (i *info) IsDir() bool { return i.mode.IsDir() }

// Sys implements fs.FileInfo.
func (i *info) Sys() any { return nil }
