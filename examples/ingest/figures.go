package main

import (
	"errors"
	"fmt"
	"io/fs"
)

// maxListed bounds the list of files that could not be synced; they are all counted.
const maxListed = 100

// figures are what was done to files, which is everything but directories. Each that is not
// excluded is copied, unchanged or failed, unless its task failed or was cancelled. A
// directory that cannot be read or made counts as one that failed.
type figures struct {
	Copied    int64    `json:"files_copied"`
	Unchanged int64    `json:"files_unchanged"`
	Updated   int64    `json:"files_updated"` // of the unchanged: those whose mode was brought up to date
	Failed    int64    `json:"files_failed"`  // unreadable, vanished, of a type that has no copy
	Bytes     int64    `json:"bytes"`         // of the copied regular files
	List      []failed `json:"list,omitempty"`
}

// failed is one file that could not be synced.
type failed struct {
	Path   []byte `json:"path"` // in the source; need not be valid UTF-8
	Reason string `json:"reason"`
}

// fail counts a file, and lists it while there is room.
func (f *figures) fail(path string, err error) {
	f.Failed++
	// The path is listed with it already.
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = fmt.Errorf("%s: %w", pe.Op, pe.Err)
	}
	f.list(failed{Path: []byte(path), Reason: err.Error()})
}

func (f *figures) list(files ...failed) {
	room := max(0, maxListed-len(f.List))
	f.List = append(f.List, files[:min(room, len(files))]...)
}

func (f *figures) add(g figures) {
	f.Copied += g.Copied
	f.Unchanged += g.Unchanged
	f.Updated += g.Updated
	f.Failed += g.Failed
	f.Bytes += g.Bytes
	f.list(g.List...)
}
