package mirror

import (
	"context"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

// preJob checks the two trees on the machine of a worker. If the run cannot succeed, it fails
// before any task starts.
func (s *syncer) preJob(ctx context.Context, run *handlers.Run) error {
	t, err := s.load(ctx, &run.RunRef, scanArgs{})
	if err != nil {
		return err
	}
	if err := t.check(ctx); err != nil {
		return handlers.Permanent(err)
	}
	return t.claim(ctx, run.ID())
}

// postJob closes directories. If its worker is killed before it is done, it is called again.
func (s *syncer) postJob(ctx context.Context, run *handlers.Run) error {
	t, err := s.load(ctx, &run.RunRef, scanArgs{})
	if err != nil {
		return err
	}
	m, _ := syncjob.FromContext(ctx) // a hook has one
	dirs, err := closedIn(ctx, m, run.ID())
	if err == nil {
		err = t.close(dirs)
	}
	if err == nil {
		err = t.release(ctx, m, run.ID())
	}
	if err != nil {
		return err
	}
	f := Counted(run.Counters)
	run.Log().InfoContext(ctx, "synced", "status", run.Status, "src", t.src, "dst", t.dst,
		"copied", f.Copied, "unchanged", f.Unchanged, "deleted", f.Deleted, "failed", f.Failed,
		"changed", f.Changed, "bytes", f.Bytes)
	return nil
}
