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
	// DryRun compares and counts, but changes nothing.
	DryRun  bool     `json:"dry_run,omitempty"`
	Exclude Excludes `json:"exclude,omitzero"`
}

// Validate reports every problem of the options, each as a [*store.FieldError].
func (o *Options) Validate() error {
	_, err := o.compile()
	return err
}

// compile checks the options and returns what they leave out.
func (o *Options) compile() (*excluder, error) {
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
	exclude, err := o.Exclude.compile()
	return exclude, errors.Join(append(problems, err)...)
}
