package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rollcall-go/rollcall/handlers"
)

// filer runs one task of files.
type filer struct {
	*syncer
	tree   *tree
	task   *handlers.Task[filesArgs]
	record record
}

// files copies files of one directory, and sets the modes of others. A file that cannot be read, or
// that the destination does not accept, is Counted and listed. Any other error of the destination
// fails the attempt after the other files are done. The next attempt finds the finished files, and
// counts them as its own.
func (s *syncer) files(ctx context.Context, t *handlers.Task[filesArgs]) error {
	tr, err := loadTree(&t.Run)
	if err != nil {
		return err
	}
	f := &filer{syncer: s, tree: tr, task: t}
	err = f.all(ctx)
	return errors.Join(err, tr.keepTime(string(t.Args.Dir)), s.tell(ctx, t.Attempt, &f.record))
}

func (f *filer) all(ctx context.Context) error {
	var problem error // the first
	for i, name := range f.task.Args.Copy {
		err := f.one(ctx, name, func(rel string, src fs.FileInfo) error { return f.copy(ctx, rel, src, i) })
		problem = cmp.Or(problem, err)
	}
	for _, name := range f.task.Args.Mode {
		err := f.one(ctx, name, func(rel string, src fs.FileInfo) error { return f.chmod(ctx, rel, src) })
		problem = cmp.Or(problem, err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return problem
}

// one handles one file.
func (f *filer) one(ctx context.Context, name []byte, do func(rel string, src fs.FileInfo) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	rel := filepath.Join(string(f.task.Args.Dir), string(name))
	src, err := os.Lstat(f.tree.source(rel))
	if err != nil {
		f.record.fail(f.tree.source(rel), err)
		return nil
	}
	err = do(rel, src)
	if failed := (*fileError)(nil); errors.As(err, &failed) {
		f.record.fail(f.tree.source(rel), failed.cause)
		return nil
	}
	if err != nil {
		return fmt.Errorf("sync %q: %w", rel, err)
	}
	return nil
}

// copy copies one file or link, unless an earlier attempt has done so.
func (f *filer) copy(ctx context.Context, rel string, src fs.FileInfo, index int) error {
	todo, err := f.tree.compare(src, rel)
	if err != nil {
		return err
	}
	bytes := int64(0)
	if src.Mode().IsRegular() {
		bytes = src.Size()
	}
	if !f.tree.DryRun {
		c := copier{
			from: f.tree.source(rel),
			to:   f.tree.copied(rel),
			// The name depends on the task. So an attempt finds and removes the file that an earlier attempt
			// left when its worker was killed.
			progress: func(done int64) { f.task.Progress(ctx, done, bytes, rel) },
			temp: filepath.Join(
				f.tree.copied(string(f.task.Args.Dir)), fmt.Sprintf(".rollcall-%s-%d", f.task.ID, index),
			),
		}
		name := FileModify
		if todo == create {
			name = FileCreate
		}
		err := event(ctx, name, c.to, func() (err error) {
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
		if err != nil {
			return err
		}
	}
	f.record.Copied++
	f.record.Bytes += bytes
	return nil
}

// chmod updates the mode of one file, but not its content.
func (f *filer) chmod(ctx context.Context, rel string, src fs.FileInfo) error {
	if !f.tree.DryRun {
		path := f.tree.copied(rel)
		err := event(ctx, FileModify, path, func() error {
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
