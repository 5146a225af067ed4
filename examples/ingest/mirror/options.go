package mirror

import (
	"errors"
	"fmt"

	"github.com/rollcall-go/rollcall/store"
)

// The queues of the three kinds, unless the options have others.
const (
	RestartQueue = "restart"
	PathQueue    = "path"
	FileQueue    = "file"
)

// MaxFilesPerTask keeps the arguments of a task far below the limit of a payload, even with the
// longest names.
const MaxFilesPerTask = 1000

// Options say how a tree is copied.
type Options struct {
	// FilesPerTask is how many files a task copies, from 1 to MaxFilesPerTask.
	FilesPerTask int    `json:"files_per_task"`
	PathQueue    string `json:"path_queue"` // of the scans
	FileQueue    string `json:"file_queue"` // of the copying
	// IgnoreCache copies every file, even if its copy seems to be equal.
	IgnoreCache bool `json:"ignore_cache,omitempty"`
	// DryRun compares, counts and lists what would be deleted, but changes nothing.
	DryRun  bool     `json:"dry_run,omitempty"`
	Exclude Excludes `json:"exclude,omitzero"`
	// CharacterMap replaces characters of names that the destination does not take. Of entries that
	// would have one name there, only the one that has it in the source is copied; the others are
	// listed. Defaults to none.
	CharacterMap []Replacement `json:"character_map,omitempty"`
	// Operation is what is done to the destination. Defaults to OperationSync.
	Operation Operation `json:"operation,omitempty"`
	// Initial copies everything without a look at the destination, for one that has nothing yet: this
	// saves the look. What is there is replaced.
	Initial bool `json:"initial,omitempty"`
	// Delete says what becomes of files and directories that a run with the same source put into the
	// destination, and that vanished from the source. What is excluded has not vanished. Defaults to
	// DeleteNone.
	Delete DeleteMode `json:"delete,omitempty"`
	// Trash is the directory, outside of both trees, that DeleteTrash moves them to: each run has a
	// directory of its own there, with the same paths as the destination.
	Trash []byte `json:"trash,omitempty"`
	// Record is the directory, outside of both trees, where a run that deletes writes down what it
	// puts there. Every worker must see it, as it sees the destination. Defaults to a hidden directory
	// beside the destination, of the same name and with the suffix ".rollcall".
	Record []byte `json:"record,omitempty"`
}

// Validate reports every problem of the options, each as a [*store.FieldError].
func (o *Options) Validate() error {
	_, err := o.compile()
	return err
}

// compiled is what is made of options once per task.
type compiled struct {
	exclude    *excluder
	characters characterMap
}

// compile checks the options.
func (o *Options) compile() (c compiled, err error) {
	var problems []error
	bad := func(field, reason string) {
		problems = append(problems, &store.FieldError{Field: field, Reason: reason})
	}
	if o.FilesPerTask < 1 || o.FilesPerTask > MaxFilesPerTask {
		bad("FilesPerTask", fmt.Sprintf("is not between 1 and %d", MaxFilesPerTask))
	}
	for field, queue := range map[string]string{"PathQueue": o.PathQueue, "FileQueue": o.FileQueue} {
		if err := store.ValidateName(field, queue); err != nil {
			problems = append(problems, err)
		}
	}
	problems = append(problems, o.checkOperation()...)
	c.exclude, err = o.Exclude.compile()
	problems = append(problems, err)
	c.characters, err = o.compileCharacters()
	return c, errors.Join(append(problems, err)...)
}
