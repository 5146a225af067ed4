package mirror

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// directory makes the copy of a directory, or updates its mode and time, but not its entries. If
// the mode and time cannot be set, the directory is listed; this is not an error.
//
// What is made is written down with the pen of the directory above it. The root has none.
func (s *syncer) directory(ctx context.Context, t *tree, known *cache, rel string, r *record, p *pen) error {
	src, err := t.source.Stat(ctx, rel)
	if err != nil {
		return &fileError{err}
	}
	if !src.IsDir() {
		return &fileError{errNotDirectory}
	}
	if t.DryRun {
		return nil
	}
	mode := src.Mode() & keptMode
	var have fs.FileInfo
	if err = fs.ErrNotExist; !t.Initial {
		have, err = t.copiedInfo(rel)
	}
	if err != nil || !like(have, src) {
		// The entries may have changed. Forget the marks first: an attempt may die after it corrected the
		// directory.
		if err := known.forget(ctx, t.place(rel)); err != nil {
			return err
		}
	}
	_, name := split(t.place(rel))
	marks := []mark{syncedMark(name)}
	if err != nil || !have.IsDir() {
		marks = append(marks, madeMark(name))
	}
	if err := p.add(marks...); err != nil {
		return fmt.Errorf("write down what is put there: %w", err)
	}
	err = s.putDirectory(ctx, t, rel, src, have, err)
	var notSet *modeError
	switch {
	case errors.As(err, &notSet):
		r.list(t.from(rel), NotSet, notSet.cause)
		return nil
	case err == nil && mode&ownerMode != ownerMode && !t.changesNothing():
		r.closed = append(r.closed, closedDir{Dir: []byte(t.place(rel)), Mode: mode})
	}
	return err
}

// like reports whether two directories have the same mode and time.
func like(have, src fs.FileInfo) bool {
	return have.Mode()&keptMode == src.Mode()&keptMode && hasTime(have, src)
}

// hasTime reports whether a directory has the time of its source, if that has one.
func hasTime(have, src fs.FileInfo) bool {
	return src.ModTime().IsZero() || have.ModTime().Equal(src.ModTime())
}

// putDirectory makes or updates the directory. It gets what is in its place, or the error of that
// read.
func (s *syncer) putDirectory(ctx context.Context, t *tree, rel string, src, have fs.FileInfo, err error) error {
	path := t.to(rel)
	mode := src.Mode() & keptMode
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return t.event(ctx, DirectoryCreate, path, func() error {
			return makeDirectory(path, rel, mode, src.ModTime())
		})
	case err != nil:
		return ofEntry(err)
	case t.operation() == OperationPut && !have.IsDir():
		return &fileError{errNoDirectory}
	case t.operation() == OperationPut:
		return nil
	case !have.IsDir():
		if err := t.event(ctx, FileDelete, path, func() error {
			return ignoreMissing(t.discard(ctx, t.place(rel)))
		}); err != nil {
			return err
		}
		return t.event(ctx, DirectoryCreate, path, func() error {
			return makeDirectory(path, rel, mode, src.ModTime())
		})
	case !like(have, src):
		return t.event(ctx, DirectoryModify, path, func() error {
			return describeDirectory(path, mode, src.ModTime())
		})
	case mode&ownerMode != ownerMode && !t.changesNothing():
		return modeOnly(os.Chmod(path, mode|ownerMode)) // until the end
	}
	return nil
}

func makeDirectory(path, rel string, mode fs.FileMode, modified time.Time) error {
	mkdir := os.Mkdir
	if rel == "" {
		mkdir = os.MkdirAll // the destination, with its parents
	}
	// Two attempts may be here at once, if one of them does not know yet that it lost its lease.
	err := mkdir(path, ownerMode)
	if errors.Is(err, fs.ErrExist) {
		var info fs.FileInfo
		if info, err = os.Lstat(path); err == nil && !info.IsDir() && rel != "" {
			err = &fileError{errNoDirectory}
		}
	}
	if err != nil {
		return err
	}
	return describeDirectory(path, mode, modified)
}

func describeDirectory(path string, mode fs.FileMode, modified time.Time) error {
	err := os.Chmod(path, mode|ownerMode)
	if !modified.IsZero() {
		err = errors.Join(err, setModified(path, modified))
	}
	return modeOnly(err)
}

// modeOnly marks an error of a directory that exists.
func modeOnly(err error) error {
	if lasts(err) {
		return &modeError{err}
	}
	return err
}

// keepTime sets the time of a copied directory to that of its source again. Several tasks may write
// into one directory at once, and each write changes the time. So each task calls this after its
// last write. Then the last call comes after every write.
func (t *tree) keepTime(ctx context.Context, rel string) error {
	if t.changesNothing() {
		return nil
	}
	src, err := t.stat(ctx, rel)
	if err != nil || !src.IsDir() {
		return nil //nolint:nilerr // it is gone, and the task has reported it
	}
	have, err := t.copiedInfo(rel)
	if err == nil && !hasTime(have, src) {
		err = setModified(t.to(rel), src.ModTime())
	}
	if lasts(err) {
		return nil // another user owns it: its scan, or that of its parent, has reported it
	}
	return err
}

// copiedInfo describes an entry of the destination. Its root may be a link, too.
func (t *tree) copiedInfo(rel string) (fs.FileInfo, error) {
	if rel == "" {
		return os.Stat(t.dst)
	}
	return os.Lstat(t.to(rel))
}

// close gives directories the mode of their source, the innermost first, because a closed directory
// cannot be entered.
func (t *tree) close(dirs []closedDir) error {
	var problems []error
	slices.SortFunc(dirs, func(a, b closedDir) int { return cmp.Compare(depth(b.Dir), depth(a.Dir)) })
	for _, d := range dirs {
		path := filepath.Join(t.dst, string(d.Dir))
		info, err := os.Lstat(path)
		if err == nil && info.IsDir() {
			err = os.Chmod(path, d.Mode)
		}
		if ignoreMissing(err) != nil {
			problems = append(problems, fmt.Errorf("restore the mode of a directory: %w", err))
		}
	}
	return errors.Join(problems...)
}

func depth(dir []byte) int {
	if len(dir) == 0 {
		return 0
	}
	return 1 + bytes.Count(dir, []byte{os.PathSeparator})
}
