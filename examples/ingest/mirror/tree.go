package mirror

import (
	"context"
	"path/filepath"
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
}

// from and to return the two full paths of a path in the trees.
func (t *tree) from(path string) string { return join(t.shown, path) }
func (t *tree) to(path string) string   { return filepath.Join(t.dst, t.characters.name(path)) }

// event makes one change of the destination, within the hooks for it. If the destination stays as
// it is, only the hooks are called.
func (t *tree) event(ctx context.Context, name, path string, do func() error) error {
	if t.changesNothing() {
		do = func() error { return nil }
	}
	return event(ctx, name, path, do)
}

// recordPath returns where the run writes down what it puts into the destination.
func (t *tree) recordPath() string {
	if len(t.Record) > 0 {
		return string(t.Record)
	}
	dir, name := filepath.Split(t.dst)
	return filepath.Join(dir, "."+name+".rollcall")
}
