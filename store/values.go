package store

import (
	"context"
	"fmt"
	"time"
)

// Values keeps small data beside tasks: of a run, of a job, or of the namespace. Users hold typed
// references to them: see package values.
type Values interface {
	// WriteValues applies the writes of a batch in order, in one step. They are judged one by one: a
	// refused one does not keep others out. The batch belongs to a producer stream, opened by
	// OpenProducer: a repeat with the same Number answers as the first time did, so that also what is
	// added, appended or swapped is applied once. [ErrResultUnknown] if the stream is not registered
	// (any more): nothing was written by this call. [ErrStale]; [ErrOutOfMemory] if a write grows
	// something; a [*FieldError] for each write that no Store accepts, and nothing is written.
	WriteValues(ctx context.Context, p WriteParams) (WriteReply, error)

	// ReadValue reads one value, or a part of it, in one step. What is not there, with its run or its
	// job, is empty. A [*TypeError] if the name holds a value of another type.
	ReadValue(ctx context.Context, p ReadParams) (ReadReply, error)
}

// ValueScope says what a value belongs to, and so how long it is kept. Make one with [RunScope],
// [JobScope] or [NamespaceScope]: the zero ValueScope is none.
type ValueScope struct {
	Of     ScopeType
	Job    string        // of a run or job
	Run    int64         // of a run: its number
	Expiry time.Duration // of the namespace; 0 for ever
}

// ScopeType is what values can belong to.
type ScopeType uint8

// The types of scope.
const (
	ScopeRun ScopeType = iota + 1
	ScopeJob
	ScopeNamespace
)

// RunScope is for values of a run. They go with its summary: when its retention is over or it is
// deleted.
func RunScope(id RunID) ValueScope { return ValueScope{Of: ScopeRun, Job: id.Job, Run: id.Number} }

// JobScope is for values that a job keeps from one run to the next. They go with the job: when it
// is deleted, or with the last summary of a job that was not declared.
func JobScope(job string) ValueScope { return ValueScope{Of: ScopeJob, Job: job} }

// NamespaceScope is for values that belong to no job. One goes when it was not written to for the
// time of expiry, as it was given with the last write that had one, by the store's clock; 0 gives
// none.
func NamespaceScope(expiry time.Duration) ValueScope {
	return ValueScope{Of: ScopeNamespace, Expiry: expiry}
}

// String names the scope for errors and logs.
func (s ValueScope) String() string {
	switch s.Of {
	case ScopeRun:
		return fmt.Sprintf("run %d of job %.200q", s.Run, s.Job)
	case ScopeJob:
		return fmt.Sprintf("job %.200q", s.Job)
	case ScopeNamespace:
		return "the namespace"
	}
	return "no scope"
}

// InRecord reports whether a value of the type is kept in the record of a run, and not beside it:
// that is so for the counters of runs. They are those of [RunRecord], to which tasks add with their
// success, so their names are apart from those of a run's other values.
func (s ValueScope) InRecord(typ ValueType) bool { return s.Of == ScopeRun && typ == ValueCounter }

// PartitionOfValue returns the partition, 0 to n-1, of a value: that of its job or, for a value of
// the namespace, that of its name. It is part of the stored format, as [PartitionOf] is.
func PartitionOfValue(scope ValueScope, name string, n int) int {
	if scope.Of == ScopeNamespace {
		return PartitionOf(name, n)
	}
	return PartitionOf(scope.Job, n)
}

// ValueType is the type of a value. A name holds a value of one type until that is deleted; the
// counters of a run have names of their own: see [ValueScope.InRecord].
type ValueType string

// The types of value.
const (
	ValueCounter ValueType = "counter" // an int64
	ValueFloat   ValueType = "float"   // a float64
	ValueTime    ValueType = "time"    // RFC 3339 with nanoseconds
	ValueJSON    ValueType = "value"   // anything; references store JSON
	ValueList    ValueType = "list"    // of items
	ValueMap     ValueType = "map"     // of fields
)

// WriteOp is what a write does.
type WriteOp uint8

// The operations. All but WriteRemove and WriteDelete make the value if it is not there.
const (
	WriteSet    WriteOp = iota + 1 // sets the value, or fields of a map
	WriteAdd                       // adds a number, as text, to a counter or float
	WriteSwap                      // sets the value, or one field of a map, if Expect is what is there
	WriteAppend                    // appends items to a list
	WriteRemove                    // removes fields of a map; with the last the map goes
	WriteDelete                    // removes the value
)

// Write is one change of one value.
type Write struct {
	Scope ValueScope
	Name  string // see [ValidateName]
	Type  ValueType
	Op    WriteOp
	// Data are what is set, added, appended or removed. Only fields of a map have a name, only those
	// of a WriteRemove have no bytes.
	Data   []Datum
	Expect []byte // of a WriteSwap: what must be there; nil for nothing
	Cap    int64  // of a WriteAppend: items beyond that length of the list are dropped; 0 for no bound
}

// Datum is a value, an item of a list, or a field of a map.
type Datum struct {
	Field string
	Bytes []byte
}

// WriteParams is one batch of a producer stream. All values are of the partition; see
// [PartitionOfValue].
type WriteParams struct {
	Partition int
	Stream    string
	Number    int64
	Writes    []Write // at most MaxBatch
}

// WriteReply answers write by write.
type WriteReply struct {
	Results []WriteResult
}

// WriteResult is what became of one write. Err is nil, [ErrRunNotFound], [ErrJobNotFound], a
// [*TypeError], [ErrTooManyValues], [ErrOutOfRange] or [ErrCorrupt]; after an error nothing was
// written by this write.
type WriteResult struct {
	Swapped bool   // by a WriteSwap
	Sum     string // after a WriteAdd
	Err     error
}

// ReadParams asks for a value: of a map the fields, or with a Limit a page; of a list a page; of
// others the value. A list or map without either answers its length.
type ReadParams struct {
	Scope  ValueScope
	Name   string
	Type   ValueType
	Fields []string // of a map
	Offset int64    // of a list: the first item
	Cursor string   // of a map: where the page begins; "" for the start
	Limit  int      // of a page: about so many, fewer if they are large
}

// ReadReply is what was read.
type ReadReply struct {
	Data []Datum // without the fields that are not there; about [PageBytes], or one that has more
	// Looked is how many of the fields that were asked for were looked up: all, unless they are large.
	// The others are to be asked for again.
	Looked int
	Len    int64 // of a list or map
	// Cursor is where the next page of a map begins; "" at the end. Every field that is there from the
	// first page to the last is in one, or in several, of the pages.
	Cursor string
}

// TypeError reports that a name holds a value of another type than the reference has. It matches
// [ErrWrongType].
type TypeError struct {
	Scope      ValueScope
	Name       string
	Want, Have ValueType
}

// Error implements error.
func (e *TypeError) Error() string {
	return fmt.Sprintf("%.80q of %s is a %s and no %s", e.Name, e.Scope, e.Have, e.Want)
}

// Is reports whether target is [ErrWrongType].
func (e *TypeError) Is(target error) bool { return target == ErrWrongType }
