package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

const (
	// keptMode are the bits of a mode that a copy has too.
	keptMode = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	// ownerMode is what the owner must be allowed in a directory that is written to.
	ownerMode = 0o700
)

// directory makes the copy of a directory, or brings its mode and time up to date. What is in
// it is not its business. One that cannot be given its mode and time is listed, and is no error.
func (s *syncer) directory(ctx context.Context, t *tree, known *cache, rel string, r *record) error {
	src, err := t.sourceInfo(rel)
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
	have, err := t.copiedInfo(rel)
	if err != nil || !like(have, src) {
		// Somebody may have changed what is in it. First of all, so that an attempt
		// that dies after it was put right leaves nothing to trust.
		if err := known.forget(ctx, rel); err != nil {
			return err
		}
	}
	err = s.putDirectory(ctx, t, rel, src, have, err)
	var notSet *modeError
	switch {
	case errors.As(err, &notSet):
		r.list(t.source(rel), kept, notSet.cause)
		return nil
	case err == nil && mode&ownerMode != ownerMode:
		r.closed = append(r.closed, closedDir{Dir: []byte(rel), Mode: mode})
	}
	return err
}

// like reports whether a directory has the mode and time of another.
func like(have, src fs.FileInfo) bool {
	return have.Mode()&keptMode == src.Mode()&keptMode && have.ModTime().Equal(src.ModTime())
}

// putDirectory does it, given what is in its place, or the error of looking there.
func (s *syncer) putDirectory(ctx context.Context, t *tree, rel string, src, have fs.FileInfo, err error) error {
	path := t.copied(rel)
	mode := src.Mode() & keptMode
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return event(ctx, directoryCreate, path, func() error {
			return makeDirectory(path, rel, mode, src.ModTime())
		})
	case err != nil:
		return ofEntry(err)
	case !have.IsDir():
		return event(ctx, directoryCreate, path, func() error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return makeDirectory(path, rel, mode, src.ModTime())
		})
	case !like(have, src):
		return event(ctx, directoryModify, path, func() error {
			return describeDirectory(path, mode, src.ModTime())
		})
	case mode&ownerMode != ownerMode:
		return modeOnly(os.Chmod(path, mode|ownerMode)) // until the end
	}
	return nil
}

func makeDirectory(path, rel string, mode fs.FileMode, modified time.Time) error {
	mkdir := os.Mkdir
	if rel == "" {
		mkdir = os.MkdirAll // the destination, with what is above it
	}
	// Two attempts may meet here, if one of them does not know yet that it is out.
	if err := mkdir(path, ownerMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return describeDirectory(path, mode, modified)
}

func describeDirectory(path string, mode fs.FileMode, modified time.Time) error {
	return modeOnly(errors.Join(os.Chmod(path, mode|ownerMode), setModified(path, modified)))
}

// modeOnly marks an error of a directory that is there.
func modeOnly(err error) error {
	if lasts(err) {
		return &modeError{err}
	}
	return err
}

// keepTime gives the copy of a directory the time of its source again. Several tasks may write into
// one directory at once, in any order, and each write moves the time: so each task calls this
// after its last write. Whichever call comes last comes after every write.
func (t *tree) keepTime(rel string) error {
	if t.DryRun {
		return nil
	}
	src, err := t.sourceInfo(rel)
	if err != nil {
		return nil //nolint:nilerr // it is gone, and the task has said so
	}
	have, err := t.copiedInfo(rel)
	if err == nil && !have.ModTime().Equal(src.ModTime()) {
		err = setModified(t.copied(rel), src.ModTime())
	}
	if lasts(err) {
		return nil // it is somebody else's: its scan, or that above it, has said so
	}
	return err
}

// sourceInfo describes an entry of the source. The top may be a link to a directory.
func (t *tree) sourceInfo(rel string) (fs.FileInfo, error) {
	if rel == "" {
		return os.Stat(t.src)
	}
	return os.Lstat(t.source(rel))
}

// copiedInfo describes an entry of the destination, whose top may be a link too.
func (t *tree) copiedInfo(rel string) (fs.FileInfo, error) {
	if rel == "" {
		return os.Stat(t.dst)
	}
	return os.Lstat(t.copied(rel))
}

// close gives directories the mode of their source, the innermost first: a closed
// directory cannot be entered.
func (t *tree) close(dirs []closedDir) error {
	var problems []error
	slices.SortFunc(dirs, func(a, b closedDir) int { return cmp.Compare(depth(b.Dir), depth(a.Dir)) })
	for _, d := range dirs {
		if err := os.Chmod(t.copied(string(d.Dir)), d.Mode); err != nil && !errors.Is(err, fs.ErrNotExist) {
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
