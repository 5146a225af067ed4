package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// How the figures are exact
//
// Tasks are tried again, and workers are killed between doing their work and reporting it.
// So a task does not add to a sum: it leaves its figures in a file of its own, named by its
// ID, in a directory beside the destination. An attempt replaces what one before it left. The
// children of an attempt that died never appear, so the tasks that exist are exactly
// those whose figures count; when all have ended the post-job hook sums them up.
//
// What a dead attempt of a task did is not lost either: its arguments say which files had to
// be copied. See filesArgs.

// What is in the state directory of a run.
const (
	recordsDir   = "tasks"
	recordSuffix = ".json"
	summaryFile  = "summary.json"
)

func recordsIn(state string) string { return filepath.Join(state, recordsDir) }
func summaryIn(state string) string { return filepath.Join(state, summaryFile) }

// record is what one task leaves.
type record struct {
	figures
	// Closed are directories of which the owner may not write, read or enter the copy. They
	// get their mode when nothing more has to be written into them.
	Closed []closedDir `json:"closed,omitempty"`
}

// closedDir is a directory and the mode that it will have.
type closedDir struct {
	Dir  []byte      `json:"dir"` // relative to the destination
	Mode fs.FileMode `json:"mode"`
}

// stateFor returns a directory beside the destination: on the file system that every worker
// sees, and removed with the end of the run. If the destination is still to
// be created, with directories above it, it is beside the first that is missing.
func stateFor(dst, token string) string {
	for parent := filepath.Dir(dst); parent != filepath.Dir(parent); parent = filepath.Dir(dst) {
		if _, err := os.Lstat(parent); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		dst = parent
	}
	return dst + ".rollcall-" + token
}

// write leaves the record of a task.
func (r *record) write(state, task string) error {
	return writeJSON(filepath.Join(recordsIn(state), task+recordSuffix), r)
}

// writeJSON writes a file that is there as a whole or not at all. It makes no directory: when the
// run is over, an attempt that does not know it must not leave anything.
func writeJSON(path string, v any) error {
	content, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func readJSON(path string, v any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// total is the sum of the records of a run.
type total struct {
	record
	tasks int64 // that left one
}

// sum adds up what the tasks of a run left.
func sum(ctx context.Context, state string) (total, error) {
	var t total
	dir := recordsIn(state)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return t, err
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), recordSuffix) {
			continue
		}
		var r record
		if err := errors.Join(ctx.Err(), readJSON(filepath.Join(dir, entry.Name()), &r)); err != nil {
			return t, err
		}
		t.tasks++
		t.add(r.figures)
		t.Closed = append(t.Closed, r.Closed...)
	}
	return t, nil
}

// takeSummary returns the figures of a run that has ended, and removes what it left. A run that
// never began has none; of one that was stopped there is no summary, so they are
// added up here.
func takeSummary(ctx context.Context, state string) (figures, error) {
	var f figures
	err := readJSON(summaryIn(state), &f)
	if errors.Is(err, fs.ErrNotExist) {
		var t total
		t, err = sum(ctx, state)
		f = t.figures
	}
	if errors.Is(err, fs.ErrNotExist) {
		return figures{}, nil
	}
	return f, errors.Join(err, os.RemoveAll(state))
}
