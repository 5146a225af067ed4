package mirror

import (
	"context"
	"io/fs"
	"path/filepath"
	"strings"
)

// tree is the pair of trees of a run.
type tree struct {
	Args
	compiled
	src, dst string
	shown    string // the source, for people
	source   Source
	ledger   *ledger // nil if nothing is deleted
	stamp    string  // of the run, see [scanArgs]
	rules    Rules
	about    func(ctx context.Context, path string) context.Context // see Config.About; may be nil

	moved   string            // see [scanArgs]; empty for none
	dir, at string            // the directory that a task is about: its path in the source, and in the destination
	names   map[string]string // the names in the destination of entries in dir that the rules rename
}

// from and to return the two full paths of a path in the source.
func (t *tree) from(path string) string { return join(t.shown, path) }
func (t *tree) to(path string) string   { return filepath.Join(t.dst, t.place(path)) }

// place returns the path in the destination, relative to it, of a path in the source: that of the
// task's directory, of one above it, or of an entry in it. Who decided about the place of the
// directory made it, and the rules may be others now.
func (t *tree) place(path string) string {
	if len(path) <= len(t.dir) {
		at := t.at
		for dir := t.dir; len(dir) > len(path); dir, _ = split(dir) {
			at, _ = split(at)
		}
		return at
	}
	dir, name := split(path)
	to, renamed := t.names[name]
	if !renamed {
		to = t.characters.name(name)
	}
	return join(t.place(dir), to)
}

// stat describes what the source has for an entry of the destination.
func (t *tree) stat(ctx context.Context, path string) (fs.FileInfo, error) {
	if t.moved != "" && (path == t.moved || strings.HasPrefix(path, t.moved+"/")) {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
	}
	return t.source.Stat(ctx, path)
}

// event makes one change of the destination, within the hooks for it. If the destination stays as
// it is, only the hooks are called.
func (t *tree) event(ctx context.Context, name, path string, do func() error) error {
	if t.changesNothing() {
		do = func() error { return nil }
	}
	ctx = context.WithValue(ctx, pathKey{}, path)
	if t.about != nil {
		ctx = t.about(ctx, path)
	}
	return event(ctx, name, do)
}

// recordPath returns where the run writes down what it puts into the destination.
func (t *tree) recordPath() string {
	if len(t.Record) > 0 {
		return string(t.Record)
	}
	dir, name := filepath.Split(t.dst)
	return filepath.Join(dir, "."+name+".rollcall")
}

// rename sets the names that files of the task's directory get, and forgets others.
func (t *tree) rename(files []renaming) {
	t.names = nil
	if len(files) > 0 {
		t.names = make(map[string]string, len(files))
	}
	for _, f := range files {
		t.names[string(f.Name)] = string(f.To)
	}
}

// scanOf returns arguments about a directory with its place in the destination.
func (t *tree) scanOf(dir, at string) scanArgs {
	args := scanArgs{Dir: []byte(dir), Stamp: t.stamp}
	if t.moved != "" && len(dir) >= len(t.moved) {
		args.Moved = []byte(t.moved)
	}
	if at != t.characters.name(dir) {
		args.To = []byte(at)
	}
	return args
}
