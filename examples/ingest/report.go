package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
)

// outcome is the JSON object that tells how a run ended, or how far it is.
type outcome struct {
	Name      string         `json:"name"`
	State     syncjob.Status `json:"state"`
	Total     int64          `json:"total"` // tasks
	Succeeded int64          `json:"succeeded"`
	Failed    int64          `json:"failed"`
	Retried   int64          `json:"retried"`
	Cancelled int64          `json:"cancelled"`
	files
	Elapsed int64     `json:"elapsed_ms"`
	NextDue time.Time `json:"next_due,omitzero"` // of a periodic job, in a list
}

// files are the figures of the object.
type files struct {
	Copied    int64 `json:"files_copied"`
	Unchanged int64 `json:"files_unchanged"`
	Failed    int64 `json:"files_failed"`
	Bytes     int64 `json:"bytes"`
}

func newOutcome(s syncjob.RunState) outcome {
	f := counted(s.Counters)
	return outcome{
		Name:      s.Job,
		State:     s.Status,
		Total:     s.Counts.Total,
		Succeeded: s.Counts.Succeeded,
		Failed:    s.Counts.Failed,
		Retried:   s.Retried,
		Cancelled: s.Counts.Cancelled,
		files:     files{Copied: f.Copied, Unchanged: f.Unchanged, Failed: f.Failed, Bytes: f.Bytes},
		Elapsed:   s.Elapsed.Milliseconds(),
	}
}

// report tells how a run ended.
func report(io streams, s syncjob.RunState, f figures, asJSON bool) {
	fmt.Fprintf(io.out, "%s: %s in %s\n", s.Status, counts(s), s.Elapsed.Round(time.Millisecond))
	if s.Reason != "" {
		fmt.Fprintf(io.out, "reason: %s\n", s.Reason)
	}
	if s.LastError != "" {
		fmt.Fprintf(io.out, "last error: %s\n", s.LastError)
	}
	if s.HookErr != "" {
		fmt.Fprintf(io.out, "the run was not completed: %s\n", s.HookErr)
	}
	f.print(io.out)
	if asJSON {
		printJSON(io.out, newOutcome(s))
	}
}

// verdict is the error of a run that ended otherwise than it should.
func verdict(s syncjob.RunState) error {
	if s.Status != syncjob.StatusSucceeded || s.HookErr != "" {
		return errNotSucceeded
	}
	return nil
}

func (f *figures) print(out io.Writer) {
	fmt.Fprintf(out, "files: %d copied (%d bytes), %d unchanged (%d with a new mode), %d failed\n",
		f.Copied, f.Bytes, f.Unchanged, f.Updated, f.Failed)
	for _, file := range f.List {
		fmt.Fprintf(out, "  failed: %q: %s\n", file.Path, file.Reason)
	}
	if more := f.Failed - int64(len(f.List)); more > 0 {
		fmt.Fprintf(out, "  and %d more\n", more)
	}
}

// printJSON prints a value in one line.
func printJSON(out io.Writer, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // the types of this program all encode
	}
	fmt.Fprintf(out, "%s\n", text)
}
