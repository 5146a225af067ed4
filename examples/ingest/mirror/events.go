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

// around registers hooks for every event. What a task changes is decided, and stored, before the
// task begins. If its worker is killed between a change and the end of the task, the task is tried
// again, and the hooks are called again for what is already done, with the same event. So they are
// called at least once for each change, unless what was copied vanished from the source meanwhile.
func around(hooks handlers.EventHooks) map[string]handlers.EventHooks {
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

// event makes one change of the copy, within the hooks for it. The context is that of a task. An
// error before the change is one of the entry.
func event(ctx context.Context, name string, do func() error) error {
	a, _ := handlers.FromContext(ctx) // it is one
	begun := false
	err := a.Event(ctx, name, func(context.Context) error {
		begun = true
		return ofEntry(do())
	})
	if err != nil && !begun && ctx.Err() == nil {
		err = &fileError{err}
	}
	return err
}

// LogEvents returns hooks that log every change of the copy, at level debug.
func LogEvents(log *slog.Logger) handlers.EventHooks {
	return handlers.EventHooks{After: func(ctx context.Context, e handlers.Event) error {
		log.DebugContext(ctx, "changed", "event", e.Name, "path", PathOf(ctx))
		return nil
	}}
}
