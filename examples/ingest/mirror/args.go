package mirror

// Paths are stored as bytes, in JSON as base64. A file name need not be valid UTF-8, and a JSON
// string would silently replace bytes that are not.

// Args are the arguments of the root task and of the run. Every task reads them.
type Args struct {
	Src []byte `json:"src"` // absolute path of a directory, or what the Opener of the registry takes
	Dst []byte `json:"dst"` // absolute path of a directory, which need not exist
	Options
}

// Kind implements enqueue.Args.
func (Args) Kind() string { return "sync" }

// scanArgs name a directory to compare with its copy.
type scanArgs struct {
	Dir []byte `json:"dir"` // relative to the source; empty for the source itself
	// To is the copy, relative to the destination. It is empty if it has the path of Dir, after
	// characters are replaced.
	To []byte `json:"to,omitempty"`
	// Need is what the copy needs before its entries are compared.
	Need need `json:"need,omitempty"`
	// Gone says that the source has no such directory any more, so that the copy has to go.
	Gone bool `json:"gone,omitempty"`
	// Moved is Dir, or a directory above it: what the source has there has another name in the
	// destination, so the copy under this name is gone.
	Moved []byte `json:"moved,omitempty"`
	// Stamp is the same for all tasks of a run, and greater than that of earlier runs.
	Stamp string `json:"stamp"`
}

// Kind implements enqueue.Args.
func (scanArgs) Kind() string { return "scan" }

// filesArgs are files of one directory that need work. The scan of the directory compared them
// once. Its decision is part of the arguments. So if an attempt finds that a file is copied, an
// earlier attempt in this run copied it.
type filesArgs struct {
	scanArgs
	Create [][]byte   `json:"create,omitempty"` // names of files and links that have no copy
	Copy   [][]byte   `json:"copy,omitempty"`   // names of those that have another one
	Mode   [][]byte   `json:"mode,omitempty"`   // names of files with a different mode only
	Grow   []growth   `json:"grow,omitempty"`   // files to append to
	Delete []deletion `json:"delete,omitempty"` // files and links of the destination
	// Renamed has the names in the destination of those of the files that the rules rename.
	Renamed []renaming `json:"renamed,omitempty"`
}

// renaming is a file with another name in the destination.
type renaming struct {
	Name []byte `json:"name"`
	To   []byte `json:"to"`
}

// growth is a file that is appended to.
type growth struct {
	Name []byte `json:"name"`
	From int64  `json:"from"` // the size of its copy when it was scanned
}

// deletion is a file of the destination that the source does not have any more.
type deletion struct {
	Name []byte `json:"name"`
	Mark mark   `json:"mark"` // of the file that was put there
	// Moved says that what the source has under this name has another one in the destination.
	Moved bool `json:"moved,omitempty"`
}

// Kind implements enqueue.Args.
func (filesArgs) Kind() string { return "files" }

func (f *filesArgs) len() int {
	return len(f.Create) + len(f.Copy) + len(f.Mode) + len(f.Grow) + len(f.Delete)
}
