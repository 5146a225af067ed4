package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/rollcall-go/rollcall/handlers"
)

// filer runs one task of files.
type filer struct {
	*syncer
	tree   *tree
	task   *handlers.Task[filesArgs]
	dir    string
	pen    *pen
	record record
}

// files copies files of one directory, and sets the modes of others. A file that cannot be read, or
// that the destination does not accept, is Counted and listed. Any other error of the destination
// fails the attempt after the other files are done. The next attempt finds the finished files, and
// counts them as its own.
func (s *syncer) files(ctx context.Context, t *handlers.Task[filesArgs]) error {
	tr, err := s.load(ctx, &t.Run, t.Args.scanArgs)
	if err != nil {
		return err
	}
	tr.rules = s.rules(ctx)
	tr.rename(t.Args.Renamed)
	f := &filer{syncer: s, tree: tr, task: t, dir: string(t.Args.Dir)}
	f.pen = tr.ledger.pen(tr.at, tr.stamp)
	err = f.all(ctx)
	return errors.Join(err, tr.keepTime(ctx, f.dir), s.tell(ctx, t.Attempt, &f.record), f.pen.Close())
}

func (f *filer) all(ctx context.Context) error {
	var problem error // the first
	created := len(f.task.Args.Create)
	if created+len(f.task.Args.Copy) > 0 && !f.tree.changesNothing() {
		problem = f.pen.add(tempMark(f.task.ID))
		if problem != nil {
			return fmt.Errorf("write down what is put there: %w", problem)
		}
	}
	for i, name := range slices.Concat(f.task.Args.Create, f.task.Args.Copy) {
		err := f.one(ctx, name, func(rel string, src fs.FileInfo) error { return f.copy(ctx, rel, src, i, i < created) })
		problem = cmp.Or(problem, err)
	}
	for _, name := range f.task.Args.Mode {
		err := f.one(ctx, name, func(rel string, src fs.FileInfo) error { return f.chmod(ctx, rel, src) })
		problem = cmp.Or(problem, err)
	}
	for _, g := range f.task.Args.Grow {
		err := f.one(ctx, g.Name, func(rel string, src fs.FileInfo) error { return f.grow(ctx, rel, src, g.From) })
		problem = cmp.Or(problem, err)
	}
	r := &remover{tree: f.tree, task: f.task.Attempt, record: &f.record}
	for _, d := range f.task.Args.Delete {
		if ctx.Err() == nil {
			problem = cmp.Or(problem, r.file(ctx, f.dir, d))
		}
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case problem != nil || !f.task.Args.Gone:
		return problem
	case r.stays:
		return r.blocked(ctx, f.dir)
	}
	return r.settle(ctx, f.dir)
}

// one handles one file.
func (f *filer) one(ctx context.Context, name []byte, do func(rel string, src fs.FileInfo) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	rel := join(f.dir, string(name))
	if included, err := f.tree.rules.include(ctx, rel); err != nil || !included {
		return err
	}
	src, err := f.tree.source.Stat(ctx, rel)
	if err != nil {
		f.record.fail(f.tree.from(rel), err)
		return nil
	}
	err = do(rel, src)
	if failed := (*fileError)(nil); errors.As(err, &failed) {
		f.record.fail(f.tree.from(rel), failed.cause)
		return nil
	}
	if err != nil {
		return fmt.Errorf("sync %q: %w", rel, err)
	}
	return nil
}

// copy copies one file or link, unless an earlier attempt has done so. Also then the event has the
// name that it had before.
func (f *filer) copy(ctx context.Context, rel string, src fs.FileInfo, index int, isNew bool) error {
	todo, err := f.tree.compare(ctx, src, rel)
	if err != nil {
		return err
	}
	bytes := int64(0)
	if src.Mode().IsRegular() {
		bytes = src.Size()
	}
	if todo == keep && f.tree.operation() == OperationPut && !f.copied(rel, src) {
		f.record.Unchanged++ // somebody else has put it there
		return nil
	}
	if !f.tree.DryRun {
		c := copier{
			source:    f.tree.source,
			path:      rel,
			to:        f.tree.to(rel),
			temp:      filepath.Join(f.tree.to(f.dir), tempName(f.task.ID, index)),
			exclusive: f.tree.operation() == OperationPut,
			progress:  func(done int64) { f.task.Progress(ctx, done, bytes, rel) },
			placing:   func(placed fs.FileInfo) error { return f.placing(ctx, rel, index, placed) },
		}
		name := FileModify
		if isNew || todo == create {
			name = FileCreate
		}
		err := f.tree.event(ctx, name, c.to, func() (err error) {
			defer c.discard()
			switch todo {
			case keep:
			case chmod:
				err = os.Chmod(c.to, src.Mode()&keptMode)
			default:
				bytes, err = c.replace(ctx, src)
			}
			return err
		})
		if errors.Is(err, errExists) {
			f.record.Unchanged++ // since a moment ago
			return nil
		}
		if err != nil {
			return err
		}
	}
	f.record.Copied++
	f.record.Bytes += bytes
	if src.Mode().IsRegular() && hasLinks(src) {
		f.record.Linked++
	}
	return nil
}

// copied reports whether the destination has a copy of a file, as an earlier attempt made it.
func (f *filer) copied(rel string, src fs.FileInfo) bool {
	dst, err := os.Lstat(f.tree.to(rel))
	return err == nil && dst.Mode().Type() == src.Mode().Type() &&
		(!src.Mode().IsRegular() || compareFiles(src, dst) == keep)
}

// grow appends to one file what is new in its source. Bytes of an earlier attempt are counted, too.
func (f *filer) grow(ctx context.Context, rel string, src fs.FileInfo, from int64) error {
	if todo, err := f.tree.compare(ctx, src, rel); err != nil {
		return err
	} else if todo == create || todo == modify { // it was replaced since the scan
		return &fileError{errChanged}
	}
	to := src.Size()
	if !f.tree.DryRun {
		path := f.tree.to(rel)
		a := appender{
			source:   f.tree.source,
			path:     rel,
			to:       path,
			progress: func(done int64) { f.task.Progress(ctx, done, src.Size(), rel) },
		}
		_, name := split(path)
		err := f.tree.event(ctx, FileModify, path, func() (err error) {
			if err = f.pen.add(grownMark(name)); err != nil {
				return err
			}
			to, err = a.append(ctx, src)
			return err
		})
		if err != nil {
			return err
		}
	}
	f.record.Copied++
	f.record.Bytes += max(0, to-from)
	return nil
}

// chmod updates the mode of one file, but not its content.
func (f *filer) chmod(ctx context.Context, rel string, src fs.FileInfo) error {
	if !f.tree.DryRun {
		path := f.tree.to(rel)
		err := f.tree.event(ctx, FileModify, path, func() error {
			return os.Chmod(path, src.Mode()&keptMode)
		})
		if err != nil {
			return err
		}
	}
	f.record.Unchanged++
	f.record.Updated++
	return nil
}

// placing writes down a file that is about to be put in place.
func (f *filer) placing(ctx context.Context, rel string, index int, placed fs.FileInfo) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if f.pen == nil {
		return nil
	}
	temp := filepath.Join(f.tree.to(f.dir), tempName(f.task.ID, index))
	_, name := split(f.tree.to(rel))
	m, err := fileMark(name, placed, temp)
	if err != nil {
		return err
	}
	return f.pen.add(m)
}
