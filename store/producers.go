package store

import "context"

// Producers adds tasks to runs.
type Producers interface {
	// OpenProducer registers a stream. Opening a stream that exists only counts as a use of it. A
	// stream is forgotten when it is closed, or was not used for [bounds.StreamKept]. A producer that
	// may have been quiet for so long opens its stream again before it goes on: then the next number
	// is applied, whether the stream was forgotten or not.
	OpenProducer(ctx context.Context, partition int, stream string) error

	// CloseProducer forgets a stream that is no longer used. A later call in the stream gets
	// [ErrResultUnknown]. If the stream is not registered, nothing changes, so the call may be
	// repeated. It needs no memory.
	CloseProducer(ctx context.Context, partition int, stream string) error

	// Enqueue opens holds, adds the entries, then closes holds, in one step. Each entry is checked on
	// its own: a refused one does not affect the others. Runs that are starting or running accept
	// tasks and holds. A run that is stopping or stopped refuses them with [ErrJobStopped], any other
	// with [ErrRunFinished]. A repeat with the same Number returns the same reply. Errors:
	// [ErrResultUnknown] if the stream is not registered, or no longer: this call wrote nothing;
	// [ErrStale]; [ErrOutOfMemory].
	Enqueue(ctx context.Context, p EnqueueParams) (EnqueueReply, error)

	// RedoFailures looks at a page of the failures of a run, by their places, and moves those that p
	// selects, in one step. A failure that is retried is gone, and its task waits again: Failed falls,
	// and Pending rises. Of one that is discarded Cancelled rises instead. The place of a failure is
	// its fence: of two calls one moves it. The last failure that is moved takes RunRecord.Error with
	// it. Runs that are starting or running accept the call; others answer as Enqueue does.
	//
	// With [actions.RedoAccept] no failure moves, but all of them, and later ones, no longer hold a run with
	// [OnFailureHold]. With [actions.RedoPostJob] its post-job hook that gave up waits again, begins anew, and
	// RunRecord.HookError is empty again. Accepting a hook that gave up ends the run. Of two such
	// calls one has an effect. To accept what was accepted changes nothing; any other call for a run
	// that nothing holds so gets [ErrNotHeld].
	//
	// A run whose last failure is moved or accepted by a call, and that has no unfinished tasks and no
	// holds, goes on in the same step: to its post-job hook, or its end.
	//
	// A retried task begins anew: its retries, snoozes and crashes are 0, and it keeps its Attempts.
	// It waits behind the other tasks of its lane, counts as one more of RunRecord.Retried, and has
	// its claimed ID again. A failure stays where another task has claimed that ID since.
	//
	// A repeat with the same Number returns the same reply. Errors: [ErrRunNotFound]; [ErrJobStopped];
	// [ErrRunFinished]; [ErrNotHeld]; [ErrResultUnknown] if the stream is not registered, or no
	// longer: this call wrote nothing; [ErrStale].
	RedoFailures(ctx context.Context, p RedoParams) (RedoReply, error)
}

// EnqueueParams is one batch of a producer stream. All runs must be in the partition.
type EnqueueParams struct {
	Partition int
	Stream    string
	Number    int64
	Holds     []HoldChange
	Entries   []Entry // at most MaxBatch
	// Audit is the line of the call in the audit, which is written if the call adds a task or closes a
	// hold. Then all of the call must be about its run. Nil writes none.
	Audit *AuditLine
}

// Entry is one task for one run.
type Entry struct {
	Run  RunID
	Item Item
}

// HoldChange opens or closes a named hold. Opening an open hold changes nothing, nor does closing a
// closed one. Closing the last hold of a run finishes the run if it has no unfinished tasks.
//
// A hold can have a mark. A producer that adds tasks in several calls changes the mark with each
// call. With Guarded, a call is applied only if the hold has the mark of the call before. So it
// fails if the server lost that call.
type HoldChange struct {
	Run   RunID
	Name  string
	Close bool
	// Mark is the new mark of the hold, unless it is closed: a name as [ValidateName] allows. If it
	// is empty, an open hold keeps its mark.
	Mark string
	// Guarded requires that the hold is open and has the mark From. If not, nothing of this call is
	// applied to the run, and its entries and hold changes get [ErrHoldLost].
	Guarded bool
	From    string
}

// EnqueueReply has one result for each entry, and one error for each hold change.
type EnqueueReply struct {
	Entries []EnqueueResult
	Holds   []error // nil, ErrRunNotFound, ErrRunFinished, ErrJobStopped or ErrHoldLost
}

// EnqueueResult is the result of one entry. Err is nil, [ErrRunNotFound], [ErrJobStopped],
// [ErrRunFinished] or [ErrHoldLost].
type EnqueueResult struct {
	Duplicate bool // the run has a task with that claimed ID; nothing was added
	Err       error
}
