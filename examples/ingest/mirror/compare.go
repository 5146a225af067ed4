package mirror

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// action is what must be done to make a copy equal to its source.
type action int

// The actions.
const (
	keep   action = iota // the copy is equal
	chmod                // the copy has the right content, but another mode
	create               // the copy is missing
	modify               // the copy has other content, or another type
)

// Reasons why a file has no copy.
var (
	errNotDirectory = errors.New("is no longer a directory")
	errSpecial      = errors.New("is neither a file, nor a directory, nor a link")
	errInTheWay     = errors.New("a directory is in its place in the destination")
	errChanged      = errors.New("changed each time that it was copied")
)

// compare decides what the copy of a file or link needs. Contents count as equal if size and
// modification time are equal; with IgnoreCache they never do.
//
// A [*fileError] says that the file cannot be synced.
func (t *tree) compare(ctx context.Context, src fs.FileInfo, rel string) (action, error) {
	if src.Mode().Type() != 0 && src.Mode().Type() != fs.ModeSymlink {
		return keep, &fileError{errSpecial}
	}
	dst, err := os.Lstat(t.to(rel))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return create, nil // in a dry run the parent directories may be missing
	case err != nil:
		return keep, ofEntry(err)
	case dst.IsDir():
		return keep, &fileError{errInTheWay}
	case t.IgnoreCache, dst.Mode().Type() != src.Mode().Type():
		return modify, nil
	case src.Mode().Type() == fs.ModeSymlink:
		return t.compareLinks(ctx, rel)
	case dst.Size() != src.Size(), !dst.ModTime().Equal(src.ModTime()):
		return modify, nil
	case dst.Mode()&keptMode != src.Mode()&keptMode:
		return chmod, nil
	}
	return keep, nil
}

// compareLinks compares the targets of two links. Their own times and modes are not copied.
func (t *tree) compareLinks(ctx context.Context, rel string) (action, error) {
	want, err := t.source.Readlink(ctx, rel)
	if err != nil {
		return keep, &fileError{err}
	}
	have, err := os.Readlink(t.to(rel))
	if err != nil {
		return keep, ofEntry(err)
	}
	if want != have {
		return modify, nil
	}
	return keep, nil
}
