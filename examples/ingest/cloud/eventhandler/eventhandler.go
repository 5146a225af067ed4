// Package eventhandler lets a script decide and act for the tasks of a sync. Beside what every
// script may have (package [script]), it has any of
//
//	def include(path)        whether an entry of the source is synced
//	def target_path(path)    its path in the destination, which differs in the name only
//	def pre_EVENT(event)     around a change of the destination: file_create, file_modify,
//	def post_EVENT(event)    file_delete, directory_create, directory_modify, directory_delete
//	def max_retries(task)    of a task; its kind is sync, scan or files
//	def pre_job(run)         after both trees were checked
//
// A path is relative to the source; that of a directory ends with a slash. What is not included has
// not vanished, so nothing of it is deleted. The directory of a target path is that of the entry,
// or the one that it has in the destination: a scan knows all that belongs into one directory of
// the destination, and what lay there from elsewhere would look as if it had vanished.
// event.data["path"] is the full path of the copy.
//
// If a hook before a change fails, the change and the hook after it are skipped, and the file is
// listed as failed. An error of any other function fails the attempt, which is tried again: so a
// script can be corrected before the retries are used up. A script may count what it wants to:
// counter("noted").
//
// Names need not be valid UTF-8. Methods that change them, such as lower, put U+FFFD in place of
// bytes that are not.
package eventhandler

import (
	"context"
	"fmt"
	"strings"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/script"
)

// The functions of a script that the handlers call.
const (
	include    = "include"
	targetPath = "target_path"
)

// Config returns handlers that take scripts.
func Config() mirror.Config {
	return mirror.Config{
		NewSet: func(name string, c handlers.SetConfig) (*handlers.Set, error) {
			return script.NewSet(name, c, &script.Options{
				Functions: []string{include, targetPath}, Counters: []string{"noted"},
			})
		},
		Rules: rules,
		About: func(ctx context.Context, path string) context.Context {
			return script.WithData(ctx, map[string]string{"path": path})
		},
	}
}

// rules has what the script of an attempt defines.
func rules(ctx context.Context) (r mirror.Rules) {
	if script.Defines(ctx, include) {
		r.Include = func(ctx context.Context, path string) (bool, error) {
			return script.Call(ctx, include, true, path)
		}
	}
	if script.Defines(ctx, targetPath) {
		r.Rename = rename
	}
	return r
}

// rename returns the name of an entry whose directory is at a place in the destination.
func rename(ctx context.Context, path, at string) (string, error) {
	to, err := script.Call(ctx, targetPath, path, path)
	if err != nil {
		return "", err
	}
	dir, name := split(to)
	if is, _ := split(path); dir != is && dir != at {
		return "", fmt.Errorf("target_path: %q is in another directory than %q", to, path)
	}
	return name, nil
}

// split divides a path into its directory and its name, both without a slash at the end.
func split(path string) (dir, name string) {
	path = strings.TrimSuffix(path, "/")
	at := strings.LastIndexByte(path, '/')
	return path[:max(0, at)], path[at+1:]
}
