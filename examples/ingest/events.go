package main

import (
	"context"
	"log/slog"
)

// eventName says what is about to happen to a file or a directory of the copy.
type eventName string

// The events. A file is everything that is not a directory.
const (
	fileCreate      eventName = "file.create"
	fileModify      eventName = "file.modify"
	directoryCreate eventName = "directory.create"
	directoryModify eventName = "directory.modify" // its mode or time
)

// event is one change of the copy.
type event struct {
	Name eventName
	Path string // of the copy; need not be valid UTF-8
}

// eventHooks are called around every event; either may be nil. An error of before skips
// the event, and after: the file is listed as failed. An error of the event skips after. An
// error of after fails the task, which is tried again.
//
// A task may be tried again after its worker was killed between an event and the end of the
// task; then the hooks are called again for files that are copied already. So each change is
// announced at least once.
type eventHooks struct {
	before func(ctx context.Context, e event) error
	after  func(ctx context.Context, e event) error
}

// around runs an event within its hooks.
func (h eventHooks) around(ctx context.Context, e event, do func() error) error {
	if h.before != nil {
		if err := h.before(ctx, e); err != nil {
			return &fileError{err}
		}
	}
	if err := do(); err != nil {
		return err
	}
	if h.after != nil {
		return h.after(ctx, e)
	}
	return nil
}

// logEvents returns hooks that log every change of the copy, at level debug.
func logEvents(log *slog.Logger) eventHooks {
	return eventHooks{after: func(ctx context.Context, e event) error {
		log.DebugContext(ctx, "changed", "event", e.Name, "path", e.Path)
		return nil
	}}
}

// fileError is an error that concerns one file of the source and no more: the file is
// counted and listed, and the task goes on. Any other error fails the attempt, as the
// destination is no better for the next file.
type fileError struct{ cause error }

// Error implements error.
func (e *fileError) Error() string { return e.cause.Error() }

// Unwrap returns what happened.
func (e *fileError) Unwrap() error { return e.cause }
