package mirror

import (
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// Operation says what a run does to the destination.
type Operation string

// The operations. The empty operation is OperationSync.
const (
	// OperationSync makes the destination like the source.
	OperationSync Operation = "sync"
	// OperationPut copies what is not there, and never changes what is: neither files nor the modes of
	// directories.
	OperationPut Operation = "put"
	// OperationAppend is for files that grow. What the copy has must be how the source begins: this is
	// checked, byte by byte. Then the rest is appended in place. A file that is not there is copied. A
	// file whose copy is longer, or begins otherwise, is not changed, and counted as failed. So is a
	// link that leads elsewhere.
	OperationAppend Operation = "append"
	// OperationNone compares, and calls the hooks around the changes that OperationSync would make,
	// but makes none.
	OperationNone Operation = "none"
)

// DeleteMode says what becomes of what vanished from the source.
type DeleteMode string

// The modes. The empty mode is DeleteNone.
const (
	DeleteNone   DeleteMode = "none"   // it stays
	DeleteTrash  DeleteMode = "trash"  // it is moved to the trash
	DeleteDelete DeleteMode = "delete" // it is removed
)

// goTogether has the delete modes of each operation, and why it has no others.
var goTogether = map[Operation]struct {
	modes []DeleteMode
	why   string
}{
	OperationSync:   {modes: []DeleteMode{DeleteNone, DeleteTrash, DeleteDelete}},
	OperationAppend: {modes: []DeleteMode{DeleteNone, DeleteTrash, DeleteDelete}},
	OperationPut:    {modes: []DeleteMode{DeleteNone}, why: "it never changes what is in the destination"},
	OperationNone:   {modes: []DeleteMode{DeleteNone}, why: "it changes nothing"},
}

// checkOperation reports options that do not go together.
func (o *Options) checkOperation() (problems []error) {
	bad := func(field, format string, args ...any) {
		problems = append(problems, &store.FieldError{Field: field, Reason: fmt.Sprintf(format, args...)})
	}
	operation, mode := o.operation(), o.deleteMode()
	allowed, known := goTogether[operation]
	switch {
	case !known:
		bad("Operation", "%q is not sync, put, append or none", o.Operation)
	case !slices.Contains(goTogether[OperationSync].modes, mode):
		bad("Delete", "%q is not none, trash or delete", o.Delete)
	case !slices.Contains(allowed.modes, mode):
		bad("Delete", "%s does not go with the operation %s: %s", mode, operation, allowed.why)
	}
	switch trash := mode == DeleteTrash; {
	case trash && len(o.Trash) == 0:
		bad("Trash", "is missing, and what vanished is to be moved there")
	case !trash && len(o.Trash) > 0:
		bad("Trash", "is only for what is deleted to the trash")
	}
	if o.IgnoreCache && operation == OperationPut {
		bad("IgnoreCache", "copies over every file, and the operation put over none")
	}
	switch {
	case !o.Initial:
	case mode != DeleteNone:
		bad("Initial", "looks at nothing in the destination, so nothing there can be deleted")
	case operation == OperationAppend:
		bad("Initial", "looks at nothing in the destination, so nothing there can grow")
	}
	return problems
}

func (o *Options) operation() Operation {
	if o.Operation == "" {
		return OperationSync
	}
	return o.Operation
}

func (o *Options) deleteMode() DeleteMode {
	if o.Delete == "" {
		return DeleteNone
	}
	return o.Delete
}

// deletes reports whether the run deletes what vanished from its source.
func (o *Options) deletes() bool { return o.deleteMode() != DeleteNone }

// changesNothing reports whether the destination stays as it is.
func (o *Options) changesNothing() bool { return o.DryRun || o.operation() == OperationNone }
