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
	moved   []nameHash // names of the source that are others in the destination
	clashes []nameHash // those that several entries have
	more    int        // tasks that were enqueued
	stays   bool       // a directory that is gone has something foreign
}

// scan makes the copy of one directory, if it is missing, and compares the two. It enqueues a scan
// of each subdirectory, and the files that differ, or that vanished, in chunks. These tasks appear
// when the scan succeeds, so a scan that is tried again has changed only its own directory.
func (s *syncer) scan(ctx context.Context, t *handlers.Task[scanArgs]) error {
	tr, err := s.load(ctx, &t.Run, t.Args)
	if err != nil {
		return err
	}
	tr.rules = s.rules(ctx)
	sc := &scanner{syncer: s, tree: tr, task: t, dir: string(t.Args.Dir), cache: openCache(ctx, t.Run.Job, tr)}
	sc.pen = tr.ledger.pen(tr.at, tr.stamp)
	if sc.put, err = tr.ledger.read(tr.at); err != nil {
		return fmt.Errorf("read what was put into %q: %w", tr.to(sc.dir), err)
	}
	if sc.pen != nil {
		sc.pen.known = sc.put
	}
	if t.Args.Gone {
		err = sc.gone(ctx)
	} else {
		err = sc.sync(ctx)
	}
	// Also after an error: the work that was done is reported.
	return errors.Join(err, tr.keepTime(ctx, sc.dir), s.tell(ctx, t.Attempt, &sc.record), sc.pen.Close())
}

// sync makes the copy of a directory if it is missing, and compares the two.
func (s *scanner) sync(ctx context.Context) error {
	err := s.prepare(ctx)
	if failed := (*fileError)(nil); errors.As(err, &failed) {
		if s.dir == "" {
			return handlers.Permanent(err) // without the root directory there is nothing to sync
		}
		s.record.fail(s.tree.from(s.dir), failed.cause)
		return nil
	}
	if err != nil {
		return err
	}
	return s.compare(ctx)
}

// compare compares a directory of the source with its copy.
func (s *scanner) compare(ctx context.Context) (err error) {
	if s.known, err = s.cache.directory(ctx, s.tree.at); err != nil {
		return err
	}
	if len(s.tree.characters) > 0 || s.tree.rules.Rename != nil {
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
		excluded, name, err := s.judge(ctx, e)
		if err != nil {
			return names // so does it here
		}
		if !excluded {
			names = append(names, hashOf(name))
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
	slices.Sort(s.moved)
	return true, problem
}

// entry handles one entry of the directory.
func (s *scanner) entry(ctx context.Context, e fs.DirEntry) error {
	excluded, name, err := s.judge(ctx, e)
	if err != nil {
		return err
	}
	if s.tree.deletes() {
		s.seen = append(s.seen, hashOf(name))
		if name != e.Name() && !excluded {
			s.moved = append(s.moved, hashOf(e.Name()))
		}
	}
	if excluded {
		return nil
	}
	rel := join(s.dir, e.Name())
	path := s.tree.from(rel)
	err = s.checkName(e.Name(), name)
	if err == nil {
		s.tree.rename(nil)
		if name != s.tree.characters.name(e.Name()) {
			s.tree.rename([]renaming{{[]byte(e.Name()), []byte(name)}})
		}
		err = s.one(ctx, e, rel, name)
	}
	if failed := (*fileError)(nil); errors.As(err, &failed) {
		s.record.fail(path, failed.cause)
		return nil
	}
	return err
}

// judge reports whether an entry is excluded, and returns its name in the destination. After an
// error of a rule the attempt fails: nobody knows what the rule wants.
func (s *scanner) judge(ctx context.Context, e fs.DirEntry) (excluded bool, name string, err error) {
	name, path := e.Name(), join(s.dir, e.Name())
	excluded = s.tree.exclude.excludes(s.tree.from(path), e.Type())
	if e.IsDir() {
		path += "/"
	}
	if !excluded {
		included, err := s.tree.rules.include(ctx, path)
		if err != nil {
			return false, "", err
		}
		excluded = !included
	}
	if s.tree.rules.Rename != nil {
		if name, err = s.tree.rules.Rename(ctx, path, s.tree.at); err != nil {
			return false, "", fmt.Errorf("rename %q: %w", path, err)
		}
	}
	return excluded, s.tree.characters.name(name), nil
}

// one enqueues what an entry needs.
func (s *scanner) one(ctx context.Context, e fs.DirEntry, rel, name string) error {
	if e.IsDir() {
		return s.subdirectory(ctx, rel, name)
	}
	src, err := e.Info()
	if err != nil {
		return &fileError{err}
	}
	todo := keep
	if !s.known.has(e.Name(), name, src) {
		todo, err = s.tree.compare(ctx, src, rel)
		if errors.Is(err, errInTheWay) && s.put.has(syncedMark(name)) {
			args := s.tree.scanOf(rel, s.tree.place(rel))
			args.Gone = true
			return s.enqueueScan(ctx, args) // whoever removes the directory enqueues the file
		}
		if err != nil {
			return err
		}
	}
	switch todo {
	case keep:
		s.known.add(e.Name(), name, src)
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
	case create:
		s.work.Create = append(s.work.Create, []byte(e.Name()))
	default:
		s.work.Copy = append(s.work.Copy, []byte(e.Name()))
	}
	if to, renamed := s.tree.names[e.Name()]; renamed {
		s.work.Renamed = append(s.work.Renamed, renaming{[]byte(e.Name()), []byte(to)})
	}
	return s.flushFull(ctx)
}

// subdirectory enqueues the scan of a directory with what its copy needs.
func (s *scanner) subdirectory(ctx context.Context, rel, name string) (err error) {
	args := s.tree.scanOf(rel, s.tree.place(rel))
	if args.Need, err = s.tree.needs(ctx, rel); err != nil {
		return err
	}
	if !s.tree.changesNothing() {
		if err := s.pen.add(syncedMark(name)); err != nil {
			return fmt.Errorf("write down what is put there: %w", err)
		}
	}
	return s.enqueueScan(ctx, args)
}

// enqueueScan enqueues the scan of a subdirectory.
func (s *scanner) enqueueScan(ctx context.Context, args scanArgs) error {
	s.more++
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
