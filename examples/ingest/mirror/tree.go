package mirror

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/rollcall-go/rollcall/handlers"
)

// tree is the pair of trees of a run.
type tree struct {
	Args
	src, dst string
	source   Source
	exclude  *excluder
	ledger   *ledger // nil if nothing is deleted
	stamp    string  // of the run, see [scanArgs]
}

// load reads the arguments of a run and opens its source.
func (s *syncer) load(ctx context.Context, run *handlers.RunRef, stamp string) (*tree, error) {
	t := &tree{stamp: stamp}
	if err := run.DecodeArgs(&t.Args); err != nil {
		return nil, err
	}
	var err error
	if t.exclude, err = t.compile(); err != nil { // whoever started the run should have checked them
		return nil, handlers.Permanent(fmt.Errorf("arguments of the run: %w", err))
	}
	t.src, t.dst = string(t.Src), string(t.Dst)
	if t.source, err = s.open(ctx, t.src); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	if t.deletes() {
		t.ledger = newLedger(t.recordPath(), t.src)
	}
	return t, nil
}

// from and to return the two full paths of a path in the trees.
func (t *tree) from(path string) string { return join(t.src, path) }
func (t *tree) to(path string) string   { return filepath.Join(t.dst, path) }

// event makes one change of the destination, within the hooks for it. If the destination stays as
// it is, only the hooks are called.
func (t *tree) event(ctx context.Context, name, path string, do func() error) error {
	if t.changesNothing() {
		do = func() error { return nil }
	}
	return event(ctx, name, path, do)
}
