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
	keep   action = iota // the copy is as it should be
	chmod                // the copy has the right content, but another mode
	create               // the copy is missing
	modify               // the copy has other content, or another type
	grow                 // the copy has the beginning of the content
)

// compare decides what the copy of a file or link needs.
//
// A [*fileError] says that the file cannot be synced.
func (t *tree) compare(ctx context.Context, src fs.FileInfo, rel string) (action, error) {
	if src.Mode().Type() != 0 && src.Mode().Type() != fs.ModeSymlink {
		return keep, &fileError{errSpecial}
	}
	if t.Initial {
		return create, nil
	}
	dst, err := os.Lstat(t.to(rel))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return create, nil // in a dry run the parent directories may be missing
	case err != nil:
		return keep, ofEntry(err)
	case t.operation() == OperationPut:
		return keep, nil
	case dst.IsDir():
		return keep, &fileError{errInTheWay}
	case t.operation() == OperationAppend:
		return t.compareGrown(ctx, src, dst, rel)
	case t.IgnoreCache, dst.Mode().Type() != src.Mode().Type():
		return modify, nil
	case src.Mode().Type() == fs.ModeSymlink:
		return t.compareLinks(ctx, rel)
	}
	return compareFiles(src, dst), nil
}

// compareFiles compares two regular files. Contents count as equal if size and modification time
// are equal.
func compareFiles(src, dst fs.FileInfo) action {
	switch {
	case dst.Size() != src.Size(), !dst.ModTime().Equal(src.ModTime()):
		return modify
	case dst.Mode()&keptMode != src.Mode()&keptMode:
		return chmod
	}
	return keep
}

// compareGrown decides for [OperationAppend].
func (t *tree) compareGrown(ctx context.Context, src, dst fs.FileInfo, rel string) (action, error) {
	switch {
	case dst.Mode().Type() != src.Mode().Type():
		return keep, &fileError{errOtherType}
	case src.Mode().Type() == fs.ModeSymlink:
		todo, err := t.compareLinks(ctx, rel)
		if todo == modify {
			err = &fileError{errOtherType}
		}
		return keep, err
	case src.Size() < dst.Size():
		return keep, &fileError{errShrank}
	case t.IgnoreCache:
		return grow, nil
	}
	if todo := compareFiles(src, dst); todo != modify {
		return todo, nil
	}
	return grow, nil
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
