package mirror

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
)

// SetName is the handler set of the jobs that copy trees.
const SetName = "ingest"

// syncer holds the handlers.
type syncer struct {
	counters
	open  Opener
	rules func(ctx context.Context) Rules                        // never nil
	about func(ctx context.Context, path string) context.Context // may be nil
}

// Opener opens the source of a run: that of [Args].
type Opener func(ctx context.Context, src string) (Source, error)

// Config configures the handlers.
type Config struct {
	// Hooks around every change of the copy. If Before returns an error, the change and After are
	// skipped, and the file is listed as failed. If After returns an error, the task fails and is
	// tried again. They are called at least once for each change: if a worker dies between the change
	// and After, the next attempt calls both again. Defaults to none.
	Hooks handlers.EventHooks
	// Open is called in each task. Defaults to DirectorySource.
	Open Opener
	// Middleware around every task, outermost first. Defaults to none.
	Middleware []handlers.Middleware
	// NewSet makes the handler set, for example one that takes scripts. Defaults to
	// handlers.NewSet.
	NewSet func(name string, c handlers.SetConfig) (*handlers.Set, error)
	// Rules is called once in each task, with its context. Defaults to no rules.
	Rules func(ctx context.Context) Rules
	// About returns the context for the hooks around a change; path is that of the copy. Defaults to
	// the context as it is: [PathOf] has the path anyway.
	About func(ctx context.Context, path string) context.Context
}

// NewRegistry returns the handlers of all three kinds.
func NewRegistry(c Config) (*handlers.Registry, error) {
	s := &syncer{open: c.Open, rules: c.Rules, about: c.About}
	if s.open == nil {
		s.open = func(_ context.Context, src string) (Source, error) { return DirectorySource(src), nil }
	}
	if s.rules == nil {
		s.rules = func(context.Context) Rules { return Rules{} }
	}
	if c.NewSet == nil {
		c.NewSet = func(name string, c handlers.SetConfig) (*handlers.Set, error) { return handlers.NewSet(name, c), nil }
	}
	set, err := c.NewSet(SetName, handlers.SetConfig{
		Attributes: handlers.Attributes{
			// A large file may take any time, so there is no timeout. If a task hangs with its worker, the
			// lease of the worker ends.
			Timeout: handlers.NoTimeout,
			Backoff: handlers.Exponential{First: 500 * time.Millisecond, Cap: time.Minute},
		},
		Hooks:      handlers.Hooks{PreJob: s.preJob, PostJob: s.postJob, Events: around(c.Hooks)},
		Middleware: c.Middleware,
	})
	if err != nil {
		return nil, err
	}
	s.counters = newCounters(set)
	handlers.Handle(set, s.sync, &handlers.KindOptions{Attributes: handlers.Attributes{Queue: RestartQueue}})
	handlers.Handle(set, s.scan, &handlers.KindOptions{Attributes: handlers.Attributes{Queue: PathQueue}})
	handlers.Handle(set, s.files, &handlers.KindOptions{Attributes: handlers.Attributes{Queue: FileQueue}})
	return handlers.NewRegistry(set)
}

// load reads the arguments of a run and opens its source, for a task about a directory.
func (s *syncer) load(ctx context.Context, run *handlers.RunRef, of scanArgs) (*tree, error) {
	t := &tree{stamp: of.Stamp, dir: string(of.Dir), at: string(of.To), moved: string(of.Moved), about: s.about}
	if err := run.DecodeArgs(&t.Args); err != nil {
		return nil, err
	}
	var err error
	if t.compiled, err = t.compile(); err != nil { // whoever started the run should have checked them
		return nil, handlers.Permanent(fmt.Errorf("arguments of the run: %w", err))
	}
	t.src, t.dst = string(t.Src), string(t.Dst)
	if t.at == "" {
		t.at = t.characters.name(t.dir)
	}
	if t.source, err = s.open(ctx, t.src); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	t.shown = t.src
	if named, ok := t.source.(fmt.Stringer); ok {
		t.shown = named.String()
	}
	if t.deletes() {
		t.ledger = newLedger(t.recordPath(), t.src)
	}
	return t, nil
}

// stampFormat makes the stamp of a run from its time.
const stampFormat = "2006-01-02T15-04-05.000000000"

// sync is the root task: it enqueues the scan of the source.
func (s *syncer) sync(ctx context.Context, t *handlers.Task[Args]) error {
	tr, err := s.load(ctx, &t.Run, scanArgs{Stamp: time.Now().UTC().Format(stampFormat)})
	if err != nil {
		return err
	}
	need, err := tr.needs(ctx, "")
	if failed := (*fileError)(nil); errors.As(err, &failed) {
		return handlers.Permanent(err) // without the root directory there is nothing to sync
	}
	if err != nil {
		return err
	}
	_, err = t.Enqueue(ctx, scanArgs{Stamp: tr.stamp, Need: need}, &enqueue.Options{Queue: tr.PathQueue})
	return err
}
