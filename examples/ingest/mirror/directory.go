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

// needs decides what the copy of a directory needs.
func (t *tree) needs(ctx context.Context, rel string) (need, error) {
	src, err := t.sourceDirectory(ctx, rel)
	switch {
	case err != nil:
		return "", err
	case t.DryRun:
		return needNothing, nil
	case t.Initial:
		return needMake, nil
	}
	have, err := t.copiedInfo(rel)
	switch {
	case isMissing(err):
		return needMake, nil
	case err != nil:
		return "", ofEntry(err)
	case t.operation() == OperationPut && !have.IsDir():
		return "", &fileError{errNoDirectory}
	case t.operation() == OperationPut:
		return needNothing, nil
	case !have.IsDir():
		return needReplace, nil
	case !like(have, src):
		return needUpdate, nil
	case src.Mode()&ownerMode != ownerMode && !t.changesNothing():
		return needRights, nil
	}
	return needNothing, nil
}

// sourceDirectory describes a directory of the source.
func (t *tree) sourceDirectory(ctx context.Context, rel string) (fs.FileInfo, error) {
	src, err := t.source.Stat(ctx, rel)
	switch {
	case err != nil:
		return nil, &fileError{err}
	case !src.IsDir():
		return nil, &fileError{errNotDirectory}
	}
	return src, nil
}

// like reports whether two directories have the same mode and time.
func like(have, src fs.FileInfo) bool {
	return have.Mode()&keptMode == src.Mode()&keptMode && hasTime(have, src)
}

// hasTime reports whether a directory has the time of its source, if that has one.
func hasTime(have, src fs.FileInfo) bool {
	return src.ModTime().IsZero() || have.ModTime().Equal(src.ModTime())
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
	if lasts(err) || isMissing(err) {
		return nil // another user owns it, or it was not made: its scan has reported it
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
