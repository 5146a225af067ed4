package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Values stores small data of a run, of a job, or of the namespace. Users have typed references to
// them: see package values.
type Values interface {
	// WriteValues applies the writes of a batch in order, in one step. Each write is checked on its
	// own: a refused one does not affect the others. The batch belongs to a producer stream, opened by
	// OpenProducer. A repeat with the same Number returns the same reply, so every write is applied
	// once. Errors: [ErrResultUnknown] if the stream is not registered, or no longer: this call wrote
	// nothing; [ErrStale]; [ErrOutOfMemory] if a write needs memory; a [*FieldError] for each write
	// that is not valid, and nothing is written.
	WriteValues(ctx context.Context, p WriteParams) (WriteReply, error)

	// ReadValue reads one value, or a part of it, in one step. If the value, its run or its job does
	// not exist, the reply is empty. Error: a [*TypeError] if the name has a value of another type.
	ReadValue(ctx context.Context, p ReadParams) (ReadReply, error)

	// ListValues lists values without their data: of a job or run all, with the counters of the run;
	// of the namespace those of p.Partition. They are sorted by name, then by type. The values of a
	// page are read at one moment, but each page at another: values that are made or removed meanwhile
	// may be missing, others come once. A page may be empty before the end. Errors: [ErrRunNotFound],
	// [ErrJobNotFound]; a [*FieldError], also if p.Partition is not that of the job.
	ListValues(ctx context.Context, p ValuesParams) (ValuesPage, error)
}

// ValueScope says what a value belongs to, and so how long it is kept. Make one with [RunScope],
// [JobScope] or [NamespaceScope]: the zero ValueScope is not valid.
type ValueScope struct {
	Of     ScopeType
	Job    string        // of a run or job
	Run    int64         // of a run: its number
	Expiry time.Duration // of the namespace; 0 means never
}

// ScopeType is what values can belong to.
type ScopeType uint8

// The types of scope.
const (
	ScopeRun ScopeType = iota + 1
	ScopeJob
	ScopeNamespace
)

// RunScope is for values of a run. They are removed with its summary: when its retention is over,
// or when it is deleted.
func RunScope(id RunID) ValueScope { return ValueScope{Of: ScopeRun, Job: id.Job, Run: id.Number} }

// JobScope is for values of a job. Its runs share them. They are removed with the job: when it is
// deleted, or with the last summary of a job that was not declared.
func JobScope(job string) ValueScope { return ValueScope{Of: ScopeJob, Job: job} }

// NamespaceScope is for values that belong to no job. A value is removed when it was not written
// for the time of expiry, by the store's clock. The last write with an expiry sets this time; 0
// sets none.
func NamespaceScope(expiry time.Duration) ValueScope {
	return ValueScope{Of: ScopeNamespace, Expiry: expiry}
}

// String returns the name of the scope for errors and logs.
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

// InRecord reports whether a value of the type is kept in the record of a run. This is so only for
// counters of runs: they are the counters of [RunRecord], to which tasks add with their success. So
// they may have the same names as other values of the run.
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
	ValueJSON    ValueType = "value"   // any bytes; references store JSON
	ValueList    ValueType = "list"    // of items
	ValueMap     ValueType = "map"     // of fields
)

// WriteOp says what a write does.
type WriteOp uint8

// The operations. All except WriteRemove and WriteDelete make the value if it does not exist.
const (
	WriteSet    WriteOp = iota + 1 // sets the value, or fields of a map
	WriteAdd                       // adds a number, as text, to a counter or float
	WriteSwap                      // sets the value, or one field of a map, if the stored bytes equal Expect
	WriteAppend                    // appends items to a list
	WriteRemove                    // removes fields of a map; with the last field also the map
	WriteDelete                    // removes the value
)

// Write is one change of one value.
type Write struct {
	Scope ValueScope
	Name  string // see [ValidateName]
	Type  ValueType
	Op    WriteOp
	// Data is what to set, add, append or remove. Only fields of a map have a name. Only a WriteRemove
	// has no bytes.
	Data   []Datum
	Expect []byte // of a WriteSwap: the bytes that must be stored; nil if there must be no value
	Cap    int64  // of a WriteAppend: items beyond this length of the list are dropped; 0 means no limit
}

// Datum is a value, an item of a list, or a field of a map.
type Datum struct {
	Field string
	Bytes []byte
}

// WriteParams is one batch of a producer stream. All values are in the partition; see
// [PartitionOfValue].
type WriteParams struct {
	Partition int
	Stream    string
	Number    int64
	Writes    []Write // at most MaxBatch
}

// WriteReply has one result for each write.
type WriteReply struct {
	Results []WriteResult
}

// WriteResult is the result of one write. Err is nil, [ErrRunNotFound], [ErrJobNotFound], a
// [*TypeError], [ErrTooManyValues], [ErrOutOfRange] or [ErrCorrupt]; after an error this write
// wrote nothing.
type WriteResult struct {
	Swapped bool   // by a WriteSwap
	Sum     string // after a WriteAdd
	Err     error
}

// ReadParams asks for a value: for fields of a map, or with Limit for a page; for a page of a list;
// for other values as a whole. Without Fields and Limit, the reply for a list or map has only its
// length.
type ReadParams struct {
	Scope  ValueScope
	Name   string
	Type   ValueType
	Fields []string // of a map
	Offset int64    // of a list: the first item
	Cursor string   // of a map: where the page begins; empty for the first page
	Limit  int      // of a page: about this many, fewer if they are large
}

// ReadReply is the result of a read.
type ReadReply struct {
	Data []Datum // without fields that do not exist; about [PageBytes], or one larger item
	// Looked is how many of the named fields were read: all, unless they are large. Ask for the others
	// again.
	Looked int
	Len    int64 // of a list or map
	// Cursor is where the next page of a map begins; empty at the end. Every field that exists from
	// the first page to the last is in at least one page.
	Cursor string
}

// TypeError reports that a name has a value of another type than the reference. It matches
// [ErrWrongType].
type TypeError struct {
	Scope      ValueScope
	Name       string
	Want, Have ValueType
}

// Error implements error.
func (e *TypeError) Error() string {
	return fmt.Sprintf("%.80q of %s is a %s, not a %s", e.Name, e.Scope, e.Have, e.Want)
}

// Is reports whether target is [ErrWrongType].
func (e *TypeError) Is(target error) bool { return target == ErrWrongType }

// ValuesParams ask for a page of the values of a run, of a job or of the namespace.
type ValuesParams struct {
	Scope     ValueScope // its Expiry is not used
	Partition int        // that of the job, or one of those that hold values of the namespace
	After     string     // Next of the page before; "" for the first page
	Limit     int        // at most so many are looked at; 1 to [bounds.MaxPage]
}

// ValuesPage is a page of values, sorted by name, and then by type.
type ValuesPage struct {
	Values []ValueRecord
	Next   string // After of the next page; "" at the end
}

// ValueRecord describes a value without its data.
type ValueRecord struct {
	Name    string
	Type    ValueType
	Size    int64     // items of a list, fields of a map; the bytes of any other value
	Expires time.Time // zero for never, or with its run or job
}

// Cursor returns the [ValuesParams].After of the page that begins behind the value.
func (v *ValueRecord) Cursor() string { return v.Name + "/" + string(v.Type) }

// Behind reports whether the value comes behind a cursor.
func (v *ValueRecord) Behind(cursor string) bool {
	name, typ, _ := strings.Cut(cursor, "/")
	return v.Name > name || v.Name == name && string(v.Type) > typ
}

// Fill sorts the values that come behind a cursor, and makes a page of the first ones, up to limit.
// It is for implementers.
func (p *ValuesPage) Fill(behind []ValueRecord, limit int) {
	slices.SortFunc(behind, func(a, b ValueRecord) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
	})
	p.Values = behind
	if len(behind) > limit {
		p.Values = behind[:limit]
		p.Next = p.Values[limit-1].Cursor()
	}
}
