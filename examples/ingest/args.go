package main

import (
	"fmt"
	"path/filepath"

	"github.com/rollcall-go/rollcall/handlers"
)

// The queues of the three kinds, unless the command line names others.
const (
	restartQueue = "restart"
	pathQueue    = "path"
	fileQueue    = "file"
)

// Paths travel as bytes, which JSON carries as base64: a name need not be valid UTF-8, and
// a JSON string would quietly replace what is not.

// syncArgs are the arguments of the root task, and so of the run: every task reads them.
type syncArgs struct {
	Src          []byte   `json:"src"` // absolute
	Dst          []byte   `json:"dst"` // absolute
	FilesPerTask int      `json:"files_per_task"`
	PathQueue    string   `json:"path_queue"`
	FileQueue    string   `json:"file_queue"`
	IgnoreCache  bool     `json:"ignore_cache,omitempty"`
	DryRun       bool     `json:"dry_run,omitempty"`
	Exclude      excludes `json:"exclude,omitzero"`
}

// Kind implements enqueue.Args.
func (syncArgs) Kind() string { return "sync" }

// scanArgs name one directory to compare with its copy.
type scanArgs struct {
	Dir []byte `json:"dir"` // relative to the source; empty for the source itself
}

// Kind implements enqueue.Args.
func (scanArgs) Kind() string { return "scan" }

// filesArgs are files of one directory that need work. They were compared by the scan of the
// directory, once: that decision is part of the arguments, so an attempt that finds a
// file copied knows that one before it did it, in this run.
type filesArgs struct {
	Dir  []byte   `json:"dir"`
	Copy [][]byte `json:"copy,omitempty"` // names of files and links to be copied
	Mode [][]byte `json:"mode,omitempty"` // names of files of which only the mode differs
}

// Kind implements enqueue.Args.
func (filesArgs) Kind() string { return "files" }

func (f *filesArgs) len() int { return len(f.Copy) + len(f.Mode) }

// tree is the pair of trees that a run brings together.
type tree struct {
	syncArgs
	src, dst string
	exclude  *excluder
}

// loadTree reads the arguments of a run.
func loadTree(run *handlers.RunRef) (*tree, error) {
	t := &tree{}
	if err := run.DecodeArgs(&t.syncArgs); err != nil {
		return nil, err
	}
	exclude, err := t.Exclude.compile()
	if err != nil { // the command line has checked it
		return nil, handlers.Permanent(fmt.Errorf("arguments of the run: %w", err))
	}
	t.src, t.dst, t.exclude = string(t.Src), string(t.Dst), exclude
	return t, nil
}

// source and copied are the two ends of a relative path.
func (t *tree) source(rel string) string { return filepath.Join(t.src, rel) }
func (t *tree) copied(rel string) string { return filepath.Join(t.dst, rel) }
