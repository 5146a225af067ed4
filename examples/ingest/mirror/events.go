package mirror

import (
	"context"
	"log/slog"

	"github.com/rollcall-go/rollcall/handlers"
)

// The events: changes of a file or a directory of the copy. Everything that is not a directory is a
// file.
const (
	FileCreate      = "file.create"
	FileModify      = "file.modify"
	DirectoryCreate = "directory.create"
	DirectoryModify = "directory.modify" // its mode or time
	FileDelete      = "file.delete"
	DirectoryDelete = "directory.delete"
)

// around registers hooks for every event. If Before returns an error, the event and After are
// skipped, and the file is listed as failed. If After returns an error, the task fails and is tried
// again.
//
// If a worker is killed between an event and the end of the task, the task is tried again. Then the
// hooks are called again for files that are already copied. So the hooks are called at least once
// for each change.
func around(hooks handlers.EventHooks) map[string]handlers.EventHooks {
	if before := hooks.Before; before != nil {
		hooks.Before = func(ctx context.Context, e handlers.Event) error {
			if err := before(ctx, e); err != nil {
				return &fileError{err}
			}
			return nil
		}
	}
	return map[string]handlers.EventHooks{
		FileCreate:      hooks,
		FileModify:      hooks,
		DirectoryCreate: hooks,
		DirectoryModify: hooks,
		FileDelete:      hooks,
		DirectoryDelete: hooks,
	}
}

type pathKey struct{}

// PathOf returns the path of the copy that an event is about. It need not be valid UTF-8.
func PathOf(ctx context.Context) string {
	path, _ := ctx.Value(pathKey{}).(string)
	return path
}

// event makes one change of the copy, within the hooks for it. The context is that of a task.
func event(ctx context.Context, name, path string, do func() error) error {
	a, _ := handlers.FromContext(ctx) // it is one
	return a.Event(context.WithValue(ctx, pathKey{}, path), name, func(context.Context) error { return ofEntry(do()) })
}

// LogEvents returns hooks that log every change of the copy, at level debug.
func LogEvents(log *slog.Logger) handlers.EventHooks {
	return handlers.EventHooks{After: func(ctx context.Context, e handlers.Event) error {
		log.DebugContext(ctx, "changed", "event", e.Name, "path", PathOf(ctx))
		return nil
	}}
}
