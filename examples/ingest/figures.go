package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
)

// maxListed bounds the list of files that could not be synced; they are all counted.
const maxListed = 100

// figures are what was done to files, which is everything but directories. Each that is not
// excluded is copied, unchanged or failed, unless its task failed or was cancelled. A
// directory that cannot be read or made counts as one that failed.
type figures struct {
	Copied    int64
	Unchanged int64
	Updated   int64 // of the unchanged: those whose mode was brought up to date
	Failed    int64 // unreadable, vanished, of a type that has no copy
	Bytes     int64 // of the copied regular files
	List      listed
}

// failed is one file that could not be synced.
type failed struct {
	Path   []byte `json:"path"` // in the source; need not be valid UTF-8
	Reason string `json:"reason"`
}

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
	bytesCopied    = "bytes"
)

// filesListed is the list of a run.
const filesListed = "files_not_synced"

// counters hold the figures of a run. A task adds to them with its success, so they are exact though
// tasks are tried again, and workers are killed between doing their work and reporting it. What a dead attempt
// did is not lost either: the arguments of its task say which files had to be copied. See filesArgs.
type counters struct {
	copied, unchanged, updated, failed, bytes handlers.Counter

	list   handlers.List // of files that could not be synced: the first of a run
	synced handlers.Map  // the cache, which the job keeps
}

func newCounters(set *handlers.Set) counters {
	return counters{
		copied:    set.Counter(filesCopied),
		unchanged: set.Counter(filesUnchanged),
		updated:   set.Counter(filesUpdated),
		failed:    set.Counter(filesFailed),
		bytes:     set.Counter(bytesCopied),
		list:      set.List(filesListed, &handlers.ListOptions{Cap: maxListed}),
		synced:    set.Map(cacheName, &handlers.MapOptions{OfJob: true}),
	}
}

// record is what one attempt of a task did.
type record struct {
	figures
	closed []closedDir
}

// fail counts a file, and lists it while there is room.
func (r *record) fail(path string, err error) {
	r.Failed++
	// The path is listed with it already.
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = fmt.Errorf("%s: %w", pe.Op, pe.Err)
	}
	r.List.add(failed{Path: []byte(path), Reason: err.Error()})
}

// tell adds what an attempt did to the counters and the list of its run, with its success, and leaves its notes.
func (s *syncer) tell(a *handlers.Attempt, t *tree, r *record) error {
	a.Add(s.copied, r.Copied)
	a.Add(s.unchanged, r.Unchanged)
	a.Add(s.updated, r.Updated)
	a.Add(s.failed, r.Failed)
	a.Add(s.bytes, r.Bytes)
	items := make([]any, len(r.List))
	for i, file := range r.List {
		items[i] = file
	}
	n := notes{Closed: r.closed}
	return errors.Join(a.Append(s.list, items...), n.write(t.state, a.ID))
}

// counted are the figures that the counters of a run hold.
func counted(c map[string]int64) figures {
	return figures{Copied: c[filesCopied], Unchanged: c[filesUnchanged], Updated: c[filesUpdated], Failed: c[filesFailed], Bytes: c[bytesCopied]}
}

// figuresOf are what a run did so far, as its tasks committed it with their success.
func figuresOf(ctx context.Context, h *store.Handles, s syncjob.RunState) (figures, error) {
	f := counted(s.Counters)
	list := store.NewList[failed](h, store.RunScope(store.RunID{Job: s.Job, Number: s.Number}), filesListed)
	for file, err := range list.Range(ctx, 0) {
		if err != nil {
			return f, err
		}
		f.List.add(file)
	}
	return f, nil
}

// finalFigures are those of a run that has ended. A run that was stopped has no post-job hook: if the destination is
// seen from here, what its tasks noted is removed.
func finalFigures(ctx context.Context, h *store.Handles, s syncjob.RunState) (figures, error) {
	f, err := figuresOf(ctx, h, s)
	if err != nil || s.Status != syncjob.StatusStopped {
		return f, err
	}
	var root syncArgs
	if err := json.Unmarshal(s.Args, &root); err != nil {
		return f, fmt.Errorf("arguments of the run: %w", err)
	}
	return f, os.RemoveAll(root.stateOf(s.Number))
}
