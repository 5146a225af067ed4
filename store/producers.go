package store

import "context"

// Producers adds tasks to runs.
type Producers interface {
	// OpenProducer registers a stream. Opening a stream that exists changes
	// nothing. A stream is forgotten when it is closed, or was not used for a day.
	OpenProducer(ctx context.Context, partition int, stream string) error

	// CloseProducer forgets a stream that nobody uses any more: a call that still comes is answered with
	// [ErrResultUnknown]. Closing one that is not registered changes nothing, so it may be repeated. It needs no memory.
	CloseProducer(ctx context.Context, partition int, stream string) error

	// Enqueue applies the hold openings, adds the entries, then applies the hold
	// closings, in one step. Entries are judged one by one: a refused one does not keep
	// others out. Repeats with the same Number answer as the first time did.
	// [ErrResultUnknown] if the stream is not registered (any more): nothing
	// was written by this call. [ErrStale], [ErrOutOfMemory].
	Enqueue(ctx context.Context, p EnqueueParams) (EnqueueReply, error)
}

// EnqueueParams is one batch of a producer stream. All runs are of the partition.
type EnqueueParams struct {
	Partition int
	Stream    string
	Number    int64
	Holds     []HoldChange
	Entries   []Entry // at most MaxBatch
}

// Entry is one task for one run.
type Entry struct {
	Run  RunID
	Item Item
}

// HoldChange opens or closes a named hold. Opening one that is open and closing
// one that is not change nothing. Closing the last one of a run without unfinished tasks finishes it.
//
// A hold can carry a mark: what whoever adds in several calls has added so far. With Guarded a
// change goes through only from there, so a call never goes on from one that the server lost.
type HoldChange struct {
	Run   RunID
	Name  string
	Close bool
	// Mark is what the hold carries then, unless it is closed: a name as [ValidateName] allows. An
	// open hold keeps its mark if this is empty.
	Mark string
	// Guarded asks that the hold is open and carries the mark From. If not, the run takes nothing
	// of this call, and its entries and hold changes are answered with [ErrHoldLost].
	Guarded bool
	From    string
}

// EnqueueReply answers entry by entry, and hold change by hold change.
type EnqueueReply struct {
	Entries []EnqueueResult
	Holds   []error // nil, ErrRunNotFound, ErrRunFinished, ErrJobStopped or ErrHoldLost
}

// EnqueueResult is what became of one entry. Err is nil, [ErrRunNotFound], [ErrJobStopped], [ErrRunFinished] or [ErrHoldLost].
type EnqueueResult struct {
	Duplicate bool // the run holds an unsettled task of that claimed ID; nothing was added
	Err       error
}
