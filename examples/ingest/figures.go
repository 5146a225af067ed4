package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob"
)

// maxListed bounds the list of files that could not be synced; they are all counted.
const maxListed = 100

// figures are what was done to files, which is everything but directories. Each that is not
// excluded is copied, unchanged, failed or changed, unless its task failed or was cancelled. A
// directory that cannot be read or made counts as one that failed, with all that is in it. One that
// cannot be given its mode or time, as it is somebody else's, is listed and not counted: what is in
// it is synced.
type figures struct {
	Copied    int64
	Unchanged int64
	Updated   int64 // of the unchanged: those whose mode was brought up to date
	Failed    int64 // unreadable, vanished, of a type that has no copy, or that the destination does not take
	Changed   int64 // each time that they were copied: they have the copy that they had
	Bytes     int64 // of the copied regular files
	List      listed
}

// failed is one file that could not be synced.
type failed struct {
	Path   []byte `json:"path"` // in the source; need not be valid UTF-8
	Reason string `json:"reason"`
	What   string `json:"what,omitempty"` // empty, or one of those below
}

// What is said of an entry that did not fail.
const (
	changed = "changed"
	kept    = "not set" // mode and time of a directory
)

// listed are files that could not be synced, as many as there is room for.
type listed []failed

func (l *listed) add(files ...failed) {
	room := max(0, maxListed-len(*l))
	*l = append(*l, files[:min(room, len(files))]...)
}

// The counters of a run.
const (
	filesCopied    = "files_copied"
	filesUnchanged = "files_unchanged"
	filesUpdated   = "files_updated"
	filesFailed    = "files_failed"
	filesChanged   = "files_changed"
	bytesCopied    = "bytes"
)

// filesListed is the list of a run.
const filesListed = "files_not_synced"

// counters hold the figures of a run. A task adds to them with its success, so they are exact
// though tasks are tried again, and workers are killed between doing their work and reporting it.
// What a dead attempt did is not lost either: the arguments of its task say which files had to be
// copied. See filesArgs.
type counters struct {
	copied, unchanged, updated, failed, changed, bytes handlers.Counter

	list   handlers.List[failed] // of files that could not be synced: the first of a run
	synced handlers.Map[[]byte]  // the cache, which the job keeps
}

func newCounters(set *handlers.Set) counters {
	return counters{
		copied:    handlers.NewCounter(set, filesCopied),
		unchanged: handlers.NewCounter(set, filesUnchanged),
		updated:   handlers.NewCounter(set, filesUpdated),
		failed:    handlers.NewCounter(set, filesFailed),
		changed:   handlers.NewCounter(set, filesChanged),
		bytes:     handlers.NewCounter(set, bytesCopied),
		list:      handlers.NewList[failed](set, filesListed, &handlers.ValueOptions{Cap: maxListed}),
		synced:    handlers.NewMap[[]byte](set, cacheName, &handlers.ValueOptions{OfJob: true}),
	}
}

// record is what one attempt of a task did.
type record struct {
	figures
	closed []closedDir
}

// fail counts a file, and lists it while there is room.
func (r *record) fail(path string, err error) {
	if errors.Is(err, errChanged) {
		r.Changed++
		r.list(path, changed, err)
		return
	}
	r.Failed++
	r.list(path, "", err)
}

func (r *record) list(path, what string, err error) {
	// The path is listed with it already.
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = fmt.Errorf("%s: %w", pe.Op, pe.Err)
	}
	r.List.add(failed{Path: []byte(path), Reason: err.Error(), What: what})
}

// tell adds what an attempt did to the counters and the list of its run, with its success, and
// notes directories to be closed.
func (s *syncer) tell(ctx context.Context, a *handlers.Attempt, r *record) error {
	s.copied.Add(a, r.Copied)
	s.unchanged.Add(a, r.Unchanged)
	s.updated.Add(a, r.Updated)
	s.failed.Add(a, r.Failed)
	s.changed.Add(a, r.Changed)
	s.bytes.Add(a, r.Bytes)
	return errors.Join(s.list.Append(a, r.List...), noteClosed(ctx, a, r.closed))
}

// counted are the figures that the counters of a run hold.
func counted(c map[string]int64) figures {
	return figures{
		Copied: c[filesCopied], Unchanged: c[filesUnchanged], Updated: c[filesUpdated],
		Failed: c[filesFailed], Changed: c[filesChanged], Bytes: c[bytesCopied],
	}
}

// figuresOf are what a run did so far, as its tasks committed it with their success.
func figuresOf(ctx context.Context, h *values.Client, s syncjob.RunState) (figures, error) {
	f := counted(s.Counters)
	list := values.NewList[failed](h, store.RunScope(store.RunID{Job: s.Job, Number: s.Number}), filesListed)
	for file, err := range list.Range(ctx, 0) {
		if err != nil {
			return f, err
		}
		f.List.add(file)
	}
	return f, nil
}
