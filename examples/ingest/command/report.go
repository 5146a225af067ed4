package command

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// outcome is the JSON object that says how a run ended, or how far it is.
type outcome struct {
	Name      string        `json:"name"`
	State     states.Status `json:"state"`
	Total     int64         `json:"total"` // tasks
	Succeeded int64         `json:"succeeded"`
	Failed    int64         `json:"failed"`
	Retried   int64         `json:"retried"`
	Cancelled int64         `json:"cancelled"`
	files
	Elapsed int64 `json:"elapsed_ms"`
}

// files holds the figures of the object.
type files struct {
	Copied    int64 `json:"files_copied"`
	Unchanged int64 `json:"files_unchanged"`
	Failed    int64 `json:"files_failed"`
	Changed   int64 `json:"files_changed,omitempty"`
	Deleted   int64 `json:"files_deleted,omitempty"`
	Linked    int64 `json:"files_linked,omitempty"`
	Bytes     int64 `json:"bytes"`
}

func newOutcome(s states.Run) outcome {
	f := mirror.Counted(s.Counters)
	return outcome{
		Name:      s.Job,
		State:     s.Status,
		Total:     s.Counts.Total,
		Succeeded: s.Counts.Succeeded,
		Failed:    s.Counts.Failed,
		Retried:   s.Retried,
		Cancelled: s.Counts.Cancelled,
		files: files{
			Copied:    f.Copied,
			Unchanged: f.Unchanged,
			Failed:    f.Failed,
			Changed:   f.Changed,
			Deleted:   f.Deleted,
			Linked:    f.Linked,
			Bytes:     f.Bytes,
		},
		Elapsed: s.Elapsed.Milliseconds(),
	}
}

// report prints how a run ended.
func report(io streams, s states.Run, f mirror.Figures, asJSON bool) {
	say(io.out, "%s: %s in %s", s.Status, counts(s), s.Elapsed.Round(time.Millisecond))
	if s.Reason != "" {
		say(io.out, "reason: %s", s.Reason)
	}
	if s.LastError != "" {
		say(io.out, "last error: %s", s.LastError)
	}
	if s.HookErr != "" {
		say(io.out, "the run was not completed: %s", s.HookErr)
	}
	printFigures(io.out, f)
	if asJSON {
		printJSON(io.out, newOutcome(s))
	}
}

// verdict returns an error if a run did not end as it should.
func verdict(s states.Run) error {
	if s.Status != states.Succeeded || s.HookErr != "" {
		return errNotSucceeded
	}
	return nil
}

func printFigures(out io.Writer, f mirror.Figures) {
	also := ""
	if f.Deleted > 0 {
		also += fmt.Sprintf(", %d deleted", f.Deleted)
	}
	if f.Changed > 0 {
		also += fmt.Sprintf(", %d changed while they were copied", f.Changed)
	}
	if f.Linked > 0 {
		also += fmt.Sprintf("; %d are hard links, copied as files of their own", f.Linked)
	}
	say(out, "files: %d copied (%d bytes), %d unchanged (%d with a new mode), %d failed%s",
		f.Copied, f.Bytes, f.Unchanged, f.Updated, f.Failed, also)
	listed := make(map[string]int64)
	for _, file := range f.List {
		what := cmp.Or(file.What, mirror.HasFailed)
		say(out, "  %s: %q: %s", what, file.Path, file.Reason)
		if !bytes.HasSuffix(file.Path, []byte("/")) { // a directory, which is not counted
			listed[what]++
		}
	}
	more := func(what string, count int64) {
		if count > listed[what] {
			say(out, "  and %d more: %s", count-listed[what], what)
		}
	}
	more(mirror.HasFailed, f.Failed)
	more(mirror.WasChanged, f.Changed)
	if listed[mirror.ToDelete] > 0 { // in a dry run
		more(mirror.ToDelete, f.Deleted)
	}
}
