package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// MaxListed is the largest length of the list of files that could not be synced. All of them are
// Counted.
const MaxListed = 100

// Figures count what was done to files: to everything except directories. Each file that is not
// excluded is copied, unchanged, failed or changed, unless its task failed or was cancelled. A
// directory that cannot be read or made counts as one failed file. If only its mode or time cannot
// be set, because another user owns it, it is listed but not Counted: its entries are synced.
type Figures struct {
	Copied    int64
	Unchanged int64
	Updated   int64 // of the unchanged files: those with an updated mode
	Failed    int64 // unreadable, vanished, of a type that has no copy, or that the destination does not take
	Changed   int64 // files that changed each time that they were copied: their copies are as before
	Deleted   int64 // files of the destination that vanished from the source
	Linked    int64 // of the copied files: those with more names than one, each of which is copied by itself
	Bytes     int64 // bytes of the copied regular files
	List      []Listed
}

// Listed is one file that could not be synced, or that a dry run would delete.
type Listed struct {
	Path   []byte `json:"path"` // in the source, unless What says otherwise; need not be valid UTF-8
	Reason string `json:"reason"`
	What   string `json:"what,omitempty"` // empty, or one of the constants below
}

// What happened to a listed entry that did not fail.
const (
	HasFailed  = "failed" // the empty What, in print
	WasChanged = "changed"
	NotSet     = "not set"     // mode and time of a directory
	NotDeleted = "not deleted" // of the destination
	ToDelete   = "to delete"   // of the destination, in a dry run
)

// add lists files up to the limit.
func (f *Figures) add(files ...Listed) {
	room := max(0, MaxListed-len(f.List))
	f.List = append(f.List, files[:min(room, len(files))]...)
}

// The counters of a run.
const (
	filesCopied    = "files_copied"
	filesUnchanged = "files_unchanged"
	filesUpdated   = "files_updated"
	filesFailed    = "files_failed"
	filesChanged   = "files_changed"
	filesDeleted   = "files_deleted"
	filesLinked    = "files_linked"
	bytesCopied    = "bytes"
)

// filesListed is the name of a run's list.
const filesListed = "files_not_synced"

// counters hold the figures of a run. A task adds to them with its success. So they are exact, even
// if tasks are tried again, or workers are killed after the work and before the report. Work of a
// dead attempt is counted, too: the arguments of its task say which files had to be copied. See
// filesArgs.
type counters struct {
	copied, unchanged, updated, failed, changed, deleted, linked, bytes handlers.Counter

	list   handlers.List[Listed] // the first files of a run that could not be synced
	synced handlers.Map[[]byte]  // the cache, a value of the job
}

func newCounters(set *handlers.Set) counters {
	return counters{
		copied:    handlers.NewCounter(set, filesCopied),
		unchanged: handlers.NewCounter(set, filesUnchanged),
		updated:   handlers.NewCounter(set, filesUpdated),
		failed:    handlers.NewCounter(set, filesFailed),
		changed:   handlers.NewCounter(set, filesChanged),
		deleted:   handlers.NewCounter(set, filesDeleted),
		linked:    handlers.NewCounter(set, filesLinked),
		bytes:     handlers.NewCounter(set, bytesCopied),
		list:      handlers.NewList[Listed](set, filesListed, &handlers.ValueOptions{Cap: MaxListed}),
		synced:    handlers.NewMap[[]byte](set, cacheName, &handlers.ValueOptions{OfJob: true}),
	}
}

// record collects what one attempt of a task did.
type record struct {
	Figures
	closed []closedDir
}

// fail counts a file, and lists it up to the limit.
func (r *record) fail(path string, err error) {
	if errors.Is(err, errChanged) {
		r.Changed++
		r.list(path, WasChanged, err)
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
	r.add(Listed{Path: []byte(path), Reason: err.Error(), What: what})
}

// tell adds the work of an attempt to the counters and the list of the run, with its success. It
// also records directories to close.
func (s *syncer) tell(ctx context.Context, a *handlers.Attempt, r *record) error {
	s.copied.Add(a, r.Copied)
	s.unchanged.Add(a, r.Unchanged)
	s.updated.Add(a, r.Updated)
	s.failed.Add(a, r.Failed)
	s.changed.Add(a, r.Changed)
	s.deleted.Add(a, r.Deleted)
	s.linked.Add(a, r.Linked)
	s.bytes.Add(a, r.Bytes)
	return errors.Join(s.list.Append(a, r.List...), noteClosed(ctx, a, r.closed))
}

// Counted returns the figures from the counters of a run.
func Counted(c map[string]int64) Figures {
	return Figures{
		Copied: c[filesCopied], Unchanged: c[filesUnchanged], Updated: c[filesUpdated],
		Failed: c[filesFailed], Changed: c[filesChanged], Deleted: c[filesDeleted], Linked: c[filesLinked],
		Bytes: c[bytesCopied],
	}
}

// FiguresOf returns the figures of a run up to now, from its tasks that succeeded.
func FiguresOf(ctx context.Context, h *values.Client, s states.Run) (Figures, error) {
	f := Counted(s.Counters)
	list := values.NewList[Listed](h, store.RunScope(store.RunID{Job: s.Job, Number: s.Number}), filesListed)
	for file, err := range list.Range(ctx, 0) {
		if err != nil {
			return f, err
		}
		f.add(file)
	}
	return f, nil
}
