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

// maxListed is the largest length of the list of files that could not be synced. All of them are
// counted.
const maxListed = 100

// figures count what was done to files: to everything except directories. Each file that is not
// excluded is copied, unchanged, failed or changed, unless its task failed or was cancelled. A
// directory that cannot be read or made counts as one failed file. If only its mode or time cannot
// be set, because another user owns it, it is listed but not counted: its entries are synced.
type figures struct {
	Copied    int64
	Unchanged int64
	Updated   int64 // of the unchanged files: those with an updated mode
	Failed    int64 // unreadable, vanished, of a type that has no copy, or that the destination does not take
	Changed   int64 // files that changed each time that they were copied: their copies are as before
	Bytes     int64 // bytes of the copied regular files
	List      listed
}

// failed is one file that could not be synced.
type failed struct {
	Path   []byte `json:"path"` // in the source; need not be valid UTF-8
	Reason string `json:"reason"`
	What   string `json:"what,omitempty"` // empty, or one of the constants below
}

// What happened to a listed entry that did not fail.
const (
	changed = "changed"
	kept    = "not set" // mode and time of a directory
)

// listed holds files that could not be synced, up to the limit.
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

// filesListed is the name of a run's list.
const filesListed = "files_not_synced"

// counters hold the figures of a run. A task adds to them with its success. So they are exact, even
// if tasks are tried again, or workers are killed after the work and before the report. Work of a
// dead attempt is counted, too: the arguments of its task say which files had to be copied. See
// filesArgs.
type counters struct {
	copied, unchanged, updated, failed, changed, bytes handlers.Counter

	list   handlers.List[failed] // the first files of a run that could not be synced
	synced handlers.Map[[]byte]  // the cache, a value of the job
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

// record collects what one attempt of a task did.
type record struct {
	figures
	closed []closedDir
}

// fail counts a file, and lists it up to the limit.
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
	// The list already has the path.
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = fmt.Errorf("%s: %w", pe.Op, pe.Err)
	}
	r.List.add(failed{Path: []byte(path), Reason: err.Error(), What: what})
}

// tell adds the work of an attempt to the counters and the list of the run, with its success. It
// also records directories to close.
func (s *syncer) tell(ctx context.Context, a *handlers.Attempt, r *record) error {
	s.copied.Add(a, r.Copied)
	s.unchanged.Add(a, r.Unchanged)
	s.updated.Add(a, r.Updated)
	s.failed.Add(a, r.Failed)
	s.changed.Add(a, r.Changed)
	s.bytes.Add(a, r.Bytes)
	return errors.Join(s.list.Append(a, r.List...), noteClosed(ctx, a, r.closed))
}

// counted returns the figures from the counters of a run.
func counted(c map[string]int64) figures {
	return figures{
		Copied: c[filesCopied], Unchanged: c[filesUnchanged], Updated: c[filesUpdated],
		Failed: c[filesFailed], Changed: c[filesChanged], Bytes: c[bytesCopied],
	}
}

// figuresOf returns the figures of a run up to now, from its tasks that succeeded.
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
