package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// check reports why a run on these trees cannot succeed.
func (t *tree) check(ctx context.Context) error {
	src, err := t.source.Stat(ctx, "")
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
	places, err := t.places()
	if err != nil {
		return err
	}
	from, to := places[0], places[1]
	switch _, local := t.source.(directory); {
	case !local:
	case contains(from.path, to.path): // the scan would never end
		return fmt.Errorf("the destination %s is inside the source %s", t.dst, t.src)
	case contains(to.path, from.path): // the source would be overwritten by parts of itself
		return fmt.Errorf("the source %s is inside the destination %s", t.src, t.dst)
	}
	for _, beside := range places[2:] {
		for _, tree := range places[:2] {
			if tree.path != "" && contains(tree.path, beside.path) {
				return fmt.Errorf("the %s %s is inside the %s %s", beside.name, beside.path, tree.name, tree.path)
			}
		}
	}
	return t.checkRecord(dst)
}

// checkRecord checks that what the run puts into the destination can be written down.
func (t *tree) checkRecord(dst fs.FileInfo) error {
	if !t.deletes() || t.changesNothing() {
		return nil
	}
	if len(t.Record) == 0 && dst != nil {
		if parent, err := os.Stat(filepath.Dir(t.dst)); err == nil && !sameDevice(dst, parent) {
			return fmt.Errorf("the destination %s is a file system of its own, so no worker may expect the record "+
				"of what is put there beside it: say where it is", t.dst)
		}
	}
	if err := os.MkdirAll(t.recordPath(), 0o700); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// place is a directory of a run, with its links followed.
type place struct{ name, path string }

// places returns the source, the destination and those that lie outside of both. A source that is
// no directory has an empty path.
func (t *tree) places() (all []place, err error) {
	add := func(name, path string) {
		resolved, problem := resolve(path)
		if problem != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", name, problem))
		}
		all = append(all, place{name, resolved})
	}
	if d, local := t.source.(directory); local {
		add("source", string(d))
	} else {
		all = append(all, place{name: "source"})
	}
	add("destination", t.dst)
	if t.deletes() {
		add("record", t.recordPath())
	}
	if t.Delete == DeleteTrash {
		add("trash", string(t.Trash))
	}
	return all, err
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
