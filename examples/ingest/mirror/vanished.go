package mirror

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What vanished from the source
//
// An entry of the destination is deleted if the ledger has its mark, a listing of the source that
// was complete does not name it, and the source, when asked for it, says that it does not exist. So
// a source that cannot be read deletes nothing. If the source has an entry of that name that has
// another one in the destination, the listing is enough.
//
// The scan of a directory enqueues the deletion of files as it does for copies. For a directory it
// enqueues a scan that says that the directory is gone. Whoever deletes the last entry of such a
// directory removes the directory, and then those above it that are gone, too. If the source has a
// file in the place of the directory, that task enqueues the copy of the file.

// nameHash stands for a name of the source while its directory is scanned.
type nameHash uint64

var nameSeed = maphash.MakeSeed()

func hashOf(name string) nameHash { return nameHash(maphash.String(nameSeed, name)) }

// tempPrefix begins the names of temporary files. The ID of the task follows.
const tempPrefix = ".rollcall-"

// errVanished is the reason why something is deleted.
var errVanished = errors.New("vanished from the source")

// gone handles a directory that the source does not have any more.
func (s *scanner) gone(ctx context.Context) error {
	if r := s.remover(); r.removed(s.dir) {
		return r.settle(ctx, s.dir)
	}
	src, err := s.tree.stat(ctx, s.dir)
	switch {
	case err == nil && src.IsDir():
		return nil // it is back, and the next run will scan it
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		s.record.list(s.tree.to(s.dir), NotDeleted, err)
		return nil
	}
	if err := s.cache.forget(ctx, s.tree.at); err != nil {
		return err
	}
	if s.tree.DryRun {
		s.record.list(s.tree.to(s.dir)+"/", ToDelete, errVanished)
	} else if err := s.open(); err != nil {
		s.record.list(s.tree.to(s.dir), NotDeleted, err)
		return nil
	}
	if err := s.vanished(ctx); err != nil {
		return err
	}
	if err := s.flush(ctx); err != nil || s.more > 0 || s.stays {
		return err
	}
	return s.remover().settle(ctx, s.dir)
}

func (s *scanner) remover() *remover {
	return &remover{tree: s.tree, task: s.task.Attempt, record: &s.record}
}

// open lets the owner change a directory that is gone. It was closed at the end of the run before.
func (s *scanner) open() error {
	path := s.tree.to(s.dir)
	info, err := os.Lstat(path)
	switch {
	case isMissing(err):
		return nil
	case err != nil:
		return err
	case !info.IsDir() || info.Mode()&ownerMode == ownerMode:
		return nil
	}
	s.record.closed = append(s.record.closed, closedDir{Dir: []byte(s.tree.at), Mode: info.Mode() & keptMode})
	return os.Chmod(path, info.Mode()&keptMode|ownerMode)
}

// vanished looks in the copy for what the source did not name.
func (s *scanner) vanished(ctx context.Context) error {
	if s.put.empty() {
		return nil
	}
	var live []mark
	crowded := !s.tree.DryRun && s.put.crowded(len(s.seen))
	for e, err := range list(s.tree.to(s.dir)) {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case isMissing(err):
			return nil
		case err != nil:
			s.record.list(s.tree.to(s.dir), NotDeleted, err)
			return nil
		}
		isNamed := s.named(e.Name())
		if isNamed && !crowded {
			continue
		}
		marks, err := s.marks(e)
		if err != nil {
			return err
		}
		live = append(live, marks...)
		if isNamed {
			continue
		}
		if err := s.missing(ctx, e, marks); err != nil {
			return err
		}
	}
	if crowded {
		return s.put.rewrite(s.tree.stamp, live)
	}
	return nil
}

// named reports whether the source named an entry.
func (s *scanner) named(name string) bool {
	_, found := slices.BinarySearch(s.seen, hashOf(name))
	return found
}

// marks returns the marks of an entry of the destination that the ledger has. There are none if the
// entry is not as it was put there.
func (s *scanner) marks(e fs.DirEntry) (known []mark, err error) {
	name := e.Name()
	all := []mark{syncedMark(name), madeMark(name)}
	if !e.IsDir() {
		info, err := e.Info()
		if isMissing(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		m, err := fileMark(name, info, filepath.Join(s.tree.to(s.dir), name))
		if err != nil {
			return nil, err
		}
		if all = []mark{m}; s.tree.operation() == OperationAppend {
			all = append(all, grownMark(name))
		}
	}
	return slices.DeleteFunc(all, func(m mark) bool { return !s.put.has(m) }), nil
}

// missing handles an entry of the destination that the source did not name.
func (s *scanner) missing(ctx context.Context, e fs.DirEntry, marks []mark) error {
	rel := join(s.dir, e.Name())
	if task, ok := taskOf(e.Name()); ok && s.put.has(tempMark(task)) {
		if s.tree.DryRun {
			return nil
		}
		return ignoreMissing(os.Remove(filepath.Join(s.tree.to(s.dir), e.Name()))) // a worker was killed while it copied
	}
	if len(marks) == 0 {
		return s.foreign(ctx)
	}
	_, moved := slices.BinarySearch(s.moved, hashOf(e.Name()))
	if _, err := s.tree.stat(ctx, rel); !moved && !errors.Is(err, fs.ErrNotExist) {
		return nil // it is there, or who knows
	}
	if e.IsDir() {
		args := s.tree.scanOf(rel, join(s.tree.at, e.Name()))
		if args.Gone = true; moved {
			args.Moved = args.Dir
		}
		return s.enqueueScan(ctx, args)
	}
	s.work.Delete = append(s.work.Delete, deletion{Name: []byte(e.Name()), Mark: marks[0], Moved: moved})
	return s.flushFull(ctx)
}

// tempName returns the name of a temporary file of a task. It depends on the task, so an attempt
// finds and removes the file that an earlier attempt left when its worker was killed.
func tempName(task string, index int) string { return fmt.Sprintf("%s%s-%d", tempPrefix, task, index) }

// taskOf returns the task of a temporary file.
func taskOf(name string) (task string, ok bool) {
	task, ok = strings.CutPrefix(name, tempPrefix)
	return task[:max(0, strings.LastIndexByte(task, '-'))], ok
}

// foreign handles an entry that was not put there. If its directory is gone, the directory stays.
func (s *scanner) foreign(ctx context.Context) error {
	if !s.task.Args.Gone {
		return nil
	}
	s.stays = true
	return s.remover().blocked(ctx, s.dir)
}
