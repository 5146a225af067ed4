package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
)

// scanner compares one directory with its copy.
type scanner struct {
	*syncer
	tree    *tree
	task    *handlers.Task[scanArgs]
	dir     string // relative
	work    filesArgs
	record  record
	cache   *cache
	known   *cachedDir
	put     *page      // what earlier runs put into the copy
	pen     *pen       // for what this scan puts there
	seen    []nameHash // names that the source has, as the destination has them
	clashes []nameHash // those that several entries have
	more    int        // tasks that were enqueued
	stays   bool       // a directory that is gone has something foreign
}

// scan compares one directory with its copy. It makes the subdirectories, and enqueues a scan of
// each. It enqueues the files that differ, or that vanished, in chunks. These tasks appear when the
// scan succeeds, so a scan that is tried again has changed only directories.
func (s *syncer) scan(ctx context.Context, t *handlers.Task[scanArgs]) error {
	tr, err := s.load(ctx, &t.Run, t.Args.Stamp)
	if err != nil {
		return err
	}
	sc := &scanner{syncer: s, tree: tr, task: t, dir: string(t.Args.Dir), cache: openCache(ctx, t.Run.Job, tr)}
	sc.pen = tr.ledger.pen(tr.characters.name(sc.dir), tr.stamp)
	if sc.put, err = tr.ledger.read(tr.characters.name(sc.dir)); err != nil {
		return fmt.Errorf("read what was put into %q: %w", tr.to(sc.dir), err)
	}
	if sc.pen != nil {
		sc.pen.known = sc.put
	}
	if t.Args.Gone {
		err = sc.gone(ctx)
	} else {
		err = sc.compare(ctx)
	}
	// Also after an error: the work that was done is reported.
	return errors.Join(err, tr.keepTime(ctx, sc.dir), s.tell(ctx, t.Attempt, &sc.record), sc.pen.Close())
}

// compare compares a directory of the source with its copy.
func (s *scanner) compare(ctx context.Context) (err error) {
	if s.known, err = s.cache.directory(ctx, s.dir); err != nil {
		return err
	}
	if len(s.tree.characters) > 0 {
		s.findClashes(s.names(ctx))
	}
	complete, err := s.entries(ctx)
	if err == nil && complete && s.tree.deletes() {
		err = s.vanished(ctx)
	}
	if err == nil {
		err = s.flush(ctx)
	}
	if err == nil {
		err = s.known.save(s.task.Attempt, s.synced)
	}
	return err
}

// names reads the names that entries of the directory would have in the destination.
func (s *scanner) names(ctx context.Context) (names []nameHash) {
	for e, err := range s.tree.source.List(ctx, s.dir) {
		if err != nil {
			return names // the second reading reports it
		}
		if !s.tree.exclude.excludes(s.tree.from(join(s.dir, e.Name())), e.Type()) {
			names = append(names, hashOf(s.tree.characters.name(e.Name())))
		}
	}
	return names
}

// entries handles all entries of the directory, even if one of them fails the attempt. It reports
// whether the source named all its entries.
func (s *scanner) entries(ctx context.Context) (complete bool, problem error) {
	for e, err := range s.tree.source.List(ctx, s.dir) {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if err != nil { // the rest of the directory is unreadable
			s.record.fail(s.tree.from(s.dir), err)
			return false, problem
		}
		if err := s.entry(ctx, e); err != nil && problem == nil {
			problem = err
		}
	}
	slices.Sort(s.seen)
	return true, problem
}

// entry handles one entry of the directory.
func (s *scanner) entry(ctx context.Context, e fs.DirEntry) error {
	if s.tree.deletes() {
		s.seen = append(s.seen, hashOf(s.tree.characters.name(e.Name())))
	}
	rel := join(s.dir, e.Name())
	path := s.tree.from(rel)
	if s.tree.exclude.excludes(path, e.Type()) {
		return nil
	}
	err := s.checkName(e.Name())
	if err == nil {
		err = s.sync(ctx, e, rel)
	}
	if failed := (*fileError)(nil); errors.As(err, &failed) {
		s.record.fail(path, failed.cause)
		return nil
	}
	return err
}

func (s *scanner) sync(ctx context.Context, e fs.DirEntry, rel string) error {
	if e.IsDir() {
		if err := s.directory(ctx, s.tree, s.cache, rel, &s.record, s.pen); err != nil {
			return err
		}
		return s.enqueueScan(ctx, rel, false)
	}
	src, err := e.Info()
	if err != nil {
		return &fileError{err}
	}
	todo := keep
	if !s.known.has(e.Name(), src) {
		todo, err = s.tree.compare(ctx, src, rel)
		if errors.Is(err, errInTheWay) && s.put.has(syncedMark(s.tree.characters.name(e.Name()))) {
			return s.enqueueScan(ctx, rel, true) // whoever removes the directory enqueues the file
		}
		if err != nil {
			return err
		}
	}
	switch todo {
	case keep:
		s.known.add(e.Name(), src)
		s.record.Unchanged++
		return nil
	case chmod:
		s.work.Mode = append(s.work.Mode, []byte(e.Name()))
	case grow:
		var dst fs.FileInfo
		if dst, err = os.Lstat(s.tree.to(rel)); err != nil {
			return ofEntry(err)
		}
		s.work.Grow = append(s.work.Grow, growth{Name: []byte(e.Name()), From: dst.Size()})
	default:
		s.work.Copy = append(s.work.Copy, []byte(e.Name()))
	}
	return s.flushFull(ctx)
}

// enqueueScan enqueues the scan of a subdirectory.
func (s *scanner) enqueueScan(ctx context.Context, rel string, gone bool) error {
	s.more++
	args := scanArgs{Dir: []byte(rel), Gone: gone, Stamp: s.tree.stamp}
	_, err := s.task.Enqueue(ctx, args, &enqueue.Options{Queue: s.tree.PathQueue})
	return err
}

// flushFull enqueues a task if it has enough files.
func (s *scanner) flushFull(ctx context.Context) error {
	if s.work.len() < s.tree.FilesPerTask {
		return nil
	}
	return s.flush(ctx)
}

// flush enqueues a task for the files collected up to now.
func (s *scanner) flush(ctx context.Context) error {
	if s.work.len() == 0 {
		return nil
	}
	s.more++
	s.work.scanArgs = s.task.Args
	_, err := s.task.Enqueue(ctx, s.work, &enqueue.Options{Queue: s.tree.FileQueue})
	s.work = filesArgs{}
	return err
}
