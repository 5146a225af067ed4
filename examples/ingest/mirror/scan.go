package mirror

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
)

// entriesAtOnce is how many entries of a directory are in memory at once.
const entriesAtOnce = 1024

// scanner compares one directory with its copy.
type scanner struct {
	*syncer
	tree   *tree
	task   *handlers.Task[scanArgs]
	dir    string // relative
	work   filesArgs
	record record
	cache  *cache
	known  *cachedDir
}

// scan compares one directory with its copy. It makes the subdirectories, and enqueues a scan of
// each. It enqueues the files that differ, in chunks. These tasks appear when the scan succeeds, so
// a scan that is tried again has changed only directories.
func (s *syncer) scan(ctx context.Context, t *handlers.Task[scanArgs]) error {
	tr, err := loadTree(&t.Run)
	if err != nil {
		return err
	}
	sc := &scanner{syncer: s, tree: tr, task: t, dir: string(t.Args.Dir), cache: openCache(ctx, t.Run.Job, tr)}
	sc.known, err = sc.cache.directory(ctx, sc.dir)
	if err == nil {
		err = sc.entries(ctx)
	}
	if err == nil {
		err = sc.flush(ctx)
	}
	if err == nil {
		err = sc.known.save(t.Attempt, s.synced)
	}
	// Also after an error: the work that was done is reported.
	return errors.Join(err, tr.keepTime(sc.dir), s.tell(ctx, t.Attempt, &sc.record))
}

// entries handles all entries of the directory, even if one of them fails the attempt.
func (s *scanner) entries(ctx context.Context) error {
	path := s.tree.source(s.dir)
	d, err := os.Open(path)
	if err != nil {
		s.record.fail(path, err)
		return nil
	}
	defer d.Close()
	var problem error // the first
	for {
		entries, err := d.ReadDir(entriesAtOnce)
		for _, e := range entries {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := s.entry(ctx, e); err != nil && problem == nil {
				problem = err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return problem
		case err != nil: // the rest of the directory is unreadable
			s.record.fail(path, err)
			return problem
		}
	}
}

// entry handles one entry of the directory.
func (s *scanner) entry(ctx context.Context, e fs.DirEntry) error {
	rel := filepath.Join(s.dir, e.Name())
	path := s.tree.source(rel)
	if s.tree.exclude.excludes(path, e.Type()) {
		return nil
	}
	err := s.sync(ctx, e, rel)
	if failed := (*fileError)(nil); errors.As(err, &failed) {
		s.record.fail(path, failed.cause)
		return nil
	}
	return err
}

func (s *scanner) sync(ctx context.Context, e fs.DirEntry, rel string) error {
	if e.IsDir() {
		if err := s.directory(ctx, s.tree, s.cache, rel, &s.record); err != nil {
			return err
		}
		_, err := s.task.Enqueue(ctx, scanArgs{Dir: []byte(rel)}, &enqueue.Options{Queue: s.tree.PathQueue})
		return err
	}
	src, err := e.Info()
	if err != nil {
		return &fileError{err}
	}
	todo := keep
	if !s.known.has(e.Name(), src) {
		if todo, err = s.tree.compare(src, rel); err != nil {
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
	default:
		s.work.Copy = append(s.work.Copy, []byte(e.Name()))
	}
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
	s.work.Dir = s.task.Args.Dir
	_, err := s.task.Enqueue(ctx, s.work, &enqueue.Options{Queue: s.tree.FileQueue})
	s.work = filesArgs{}
	return err
}
