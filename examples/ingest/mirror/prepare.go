package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Directories
//
// The scan above a directory decides what the copy needs, and the scan of the directory does that
// before it looks at the entries. The decision is in the arguments of the task. So an attempt that
// finds it done knows that an earlier attempt did it, and calls the hooks again.

// prepare does what the copy of the scan's directory needs. If the mode and time cannot be set, the
// directory is listed; this is not an error.
func (s *scanner) prepare(ctx context.Context) error {
	needs := s.task.Args.Need
	if needs == needNothing {
		return nil
	}
	src, err := s.tree.sourceDirectory(ctx, s.dir)
	if err != nil {
		return err
	}
	if needs != needRights {
		// The entries may have changed. Forget the marks first: an attempt may die after it corrected the
		// directory.
		if err := s.cache.forget(ctx, s.tree.at); err != nil {
			return err
		}
	}
	err = s.provide(ctx, needs, src)
	var notSet *modeError
	switch {
	case errors.As(err, &notSet):
		s.record.list(s.tree.from(s.dir), NotSet, notSet.cause)
		return nil
	case err == nil && src.Mode()&ownerMode != ownerMode && !s.tree.changesNothing():
		s.record.closed = append(s.record.closed, closedDir{Dir: []byte(s.tree.at), Mode: src.Mode() & keptMode})
	}
	return err
}

// provide makes or updates the copy of the scan's directory, unless an earlier attempt did so.
func (s *scanner) provide(ctx context.Context, needs need, src fs.FileInfo) error {
	path, mode := s.tree.to(s.dir), src.Mode()&keptMode
	switch needs {
	case needRights:
		return modeOnly(os.Chmod(path, mode|ownerMode))
	case needUpdate:
		return s.tree.event(ctx, DirectoryModify, path, func() error {
			return describeDirectory(path, mode, src.ModTime())
		})
	case needReplace:
		err := s.tree.event(ctx, FileDelete, path, func() error {
			if info, err := os.Lstat(path); err != nil || info.IsDir() {
				return ignoreMissing(err)
			}
			return ignoreMissing(s.tree.discard(ctx, s.tree.at))
		})
		if err != nil {
			return err
		}
	}
	err := s.tree.event(ctx, DirectoryCreate, path, func() error {
		if err := s.noteMade(); err != nil {
			return err
		}
		return makeDirectory(path, s.dir, mode, src.ModTime())
	})
	if s.dir != "" { // the directory above it has changed after its own scan
		above, _ := split(s.dir)
		err = errors.Join(err, s.tree.keepTime(ctx, above))
	}
	return err
}

// noteMade writes down that the scan's directory is about to be made for the copy, unless it is
// there. Nobody deletes the root, so it has no mark.
func (s *scanner) noteMade() error {
	if info, err := s.tree.copiedInfo(s.dir); s.dir == "" || err == nil && info.IsDir() {
		return nil
	}
	above, name := split(s.tree.at)
	p := s.tree.ledger.pen(above, s.tree.stamp)
	if err := errors.Join(p.add(madeMark(name)), p.Close()); err != nil {
		return fmt.Errorf("write down what is put there: %w", err)
	}
	return nil
}
