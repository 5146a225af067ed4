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

// What a task cannot say in numbers
//
// What a task did, and which files it could not sync, is added to counters and a list of its run, with its success; see
// counters. Which directories are to be closed in the end it notes in
// a file of its own, named by its ID, in a directory beside the destination. Mostly there is nothing to note. An
// attempt replaces what one before it noted. The children of an attempt that died never appear, so each
// note is of a task that exists; when all have ended the post-job hook reads them.

const noteSuffix = ".json"

// notes are those of one task, or of all.
type notes struct {
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

// write leaves the notes of a task, or nothing if there are none. It makes no directory: when the run
// is over, an attempt that does not know it must not leave anything.
func (n *notes) write(state, task string) error {
	path := filepath.Join(state, task+noteSuffix)
	if len(n.Closed) > 0 {
		return writeJSON(path, n)
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// writeJSON writes a file that is there as a whole or not at all.
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

// readNotes returns what all tasks of a run noted. A run that never began, or of which the notes
// were removed meanwhile, has none.
func readNotes(ctx context.Context, state string) (all notes, err error) {
	entries, err := os.ReadDir(state)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return notes{}, err
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), noteSuffix) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(state, entry.Name()))
		if err = errors.Join(err, ctx.Err()); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var n notes
		if err == nil {
			err = json.Unmarshal(content, &n)
		}
		if err != nil {
			return notes{}, fmt.Errorf("notes of task %s: %w", strings.TrimSuffix(entry.Name(), noteSuffix), err)
		}
		all.Closed = append(all.Closed, n.Closed...)
	}
	return all, nil
}
