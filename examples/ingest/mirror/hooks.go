package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

// preJob checks the two trees on the machine of a worker. If the run cannot succeed, it fails
// before any task starts.
func (s *syncer) preJob(_ context.Context, run *handlers.Run) error {
	t, err := loadTree(&run.RunRef)
	if err != nil {
		return err
	}
	if err := t.check(); err != nil {
		return handlers.Permanent(err)
	}
	return nil
}

func (t *tree) check() error {
	src, err := os.Stat(t.src)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if !src.IsDir() {
		return fmt.Errorf("source: %s is not a directory", t.src)
	}
	dst, err := os.Stat(t.dst)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("destination: %w", err)
	case !dst.IsDir():
		return fmt.Errorf("destination: %s is not a directory", t.dst)
	}
	from, err := resolve(t.src)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	to, err := resolve(t.dst)
	if err != nil {
		return fmt.Errorf("destination: %w", err)
	}
	switch {
	case contains(from, to): // the scan would never end
		return fmt.Errorf("the destination %s is inside the source %s", t.dst, t.src)
	case contains(to, from): // the source would be overwritten by parts of itself
		return fmt.Errorf("the source %s is inside the destination %s", t.src, t.dst)
	}
	return nil
}

// resolve follows the links of a path. The end of the path need not exist.
func resolve(path string) (string, error) {
	end, err := filepath.EvalSymlinks(path)
	if parent := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) && parent != path {
		if end, err = resolve(parent); err == nil {
			end = filepath.Join(end, filepath.Base(path))
		}
	}
	return end, err
}

// contains reports whether inner is equal to outer, or inside of it.
func contains(outer, inner string) bool {
	rel, err := filepath.Rel(outer, inner)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(os.PathSeparator))
}

// postJob closes directories. If its worker is killed before it is done, it is called again.
func (s *syncer) postJob(ctx context.Context, run *handlers.Run) error {
	t, err := loadTree(&run.RunRef)
	if err != nil {
		return err
	}
	m, _ := syncjob.FromContext(ctx) // a hook has one
	dirs, err := closedIn(ctx, m, run.ID())
	if err == nil {
		err = t.close(dirs)
	}
	if err != nil {
		return err
	}
	f := Counted(run.Counters)
	run.Log().InfoContext(ctx, "synced", "status", run.Status, "src", t.src, "dst", t.dst,
		"copied", f.Copied, "unchanged", f.Unchanged, "failed", f.Failed, "changed", f.Changed, "bytes", f.Bytes)
	return nil
}
