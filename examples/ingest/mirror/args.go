package mirror

import (
	"fmt"
	"path/filepath"

	"github.com/rollcall-go/rollcall/handlers"
)

// Paths are stored as bytes, in JSON as base64. A file name need not be valid UTF-8, and a JSON
// string would silently replace bytes that are not.

// Args are the arguments of the root task and of the run. Every task reads them.
type Args struct {
	Src []byte `json:"src"` // absolute path of a directory
	Dst []byte `json:"dst"` // absolute path of a directory, which need not exist
	Options
}

// Kind implements enqueue.Args.
func (Args) Kind() string { return "sync" }

// scanArgs name a directory to compare with its copy.
type scanArgs struct {
	Dir []byte `json:"dir"` // relative to the source; empty for the source itself
}

// Kind implements enqueue.Args.
func (scanArgs) Kind() string { return "scan" }

// filesArgs are files of one directory that need work. The scan of the directory compared them
// once. Its decision is part of the arguments. So if an attempt finds that a file is copied, an
// earlier attempt in this run copied it.
type filesArgs struct {
	Dir  []byte   `json:"dir"`
	Copy [][]byte `json:"copy,omitempty"` // names of files and links to copy
	Mode [][]byte `json:"mode,omitempty"` // names of files with a different mode only
}

// Kind implements enqueue.Args.
func (filesArgs) Kind() string { return "files" }

func (f *filesArgs) len() int { return len(f.Copy) + len(f.Mode) }

// tree is the pair of trees of a run.
type tree struct {
	Args
	src, dst string
	exclude  *excluder
}

// loadTree reads the arguments of a run.
func loadTree(run *handlers.RunRef) (*tree, error) {
	t := &tree{}
	if err := run.DecodeArgs(&t.Args); err != nil {
		return nil, err
	}
	var err error
	if t.exclude, err = t.compile(); err != nil { // whoever started the run should have checked them
		return nil, handlers.Permanent(fmt.Errorf("arguments of the run: %w", err))
	}
	t.src, t.dst = string(t.Src), string(t.Dst)
	return t, nil
}

// source and copied return the two full paths of a relative path.
func (t *tree) source(rel string) string { return filepath.Join(t.src, rel) }
func (t *tree) copied(rel string) string { return filepath.Join(t.dst, rel) }
