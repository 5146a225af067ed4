package store

import (
	"cmp"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// FailuresParams ask for a page of the failures of a run.
type FailuresParams struct {
	Run    RunID
	After  int64 // only those with a place above it
	Before int64 // only those with a place below it; 0 for all
	Newest bool  // the newest first; otherwise the oldest
	Limit  int   // at most so many; 1 to [bounds.MaxPage]
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *FailuresParams) Validate() error {
	return JoinFields(p.Run.validate(), within("Limit", p.Limit, 1, bounds.MaxPage))
}

// Has reports whether a failure with this place is asked for. It is for implementers.
func (p *FailuresParams) Has(place int64) bool {
	return place > p.After && (p.Before == 0 || place < p.Before)
}

// FailingRun is a run of which at least one failure is kept.
type FailingRun struct {
	Run  RunID
	Last time.Time // when a task of it failed last, by the store's clock
}

// FailingRunsParams ask for a page of the runs that keep failures.
type FailingRunsParams struct {
	Partition int
	After     FailingRun // the last one of the page before; zero for the first page
	Limit     int        // at most so many; 1 to [bounds.MaxPage]
}

// Validate returns a [*FieldError] for each bad field, joined, except the partition, which depends
// on the store.
func (p *FailingRunsParams) Validate() error {
	return JoinFields(ValidateTime("After.Last", p.After.Last), within("Limit", p.Limit, 1, bounds.MaxPage))
}

// Compare orders runs as FailingRuns lists them: by Last, the newest first, then by number, the
// highest first. It is for implementers.
func (r FailingRun) Compare(other FailingRun) int {
	return cmp.Or(other.Last.Compare(r.Last), cmp.Compare(other.Run.Number, r.Run.Number))
}

// Behind reports whether a run comes after another one, or that is zero. It is for implementers.
func (r FailingRun) Behind(other FailingRun) bool { return other.Last.IsZero() || r.Compare(other) > 0 }

// RedoParams retry, discard or accept failures of an active run. They belong to a producer stream.
type RedoParams struct {
	Partition int
	Stream    string
	Number    int64
	Run       RunID
	Action    actions.Redo
	IDs       []string // of the tasks; empty for all
	Kinds     []string // of the tasks; empty for all
	After     int64    // only failures with a place above it
	Before    int64    // only failures with a place below it; 0 for all
	Limit     int      // at most so many failures are looked at; 1 to [bounds.MaxBatch]
	// Audit is the line of the audit that the call adds if it moves or changes something; nil for none.
	Audit *AuditLine
}

// Validate returns a [*FieldError] for each bad field, joined, except the partition, which depends
// on the store.
func (p *RedoParams) Validate() error {
	var f faults
	f.name("Stream", p.Stream)
	f.check(validateNumber(p.Number), "")
	f.check(p.Run.validate(), "")
	f.add(!p.Action.Known(), "Action", "is unknown")
	f.check(validateNames("Kinds", p.Kinds), "")
	for i, id := range p.IDs {
		f.at(i, RenameFields(ValidateTaskID(id), func(string) string { return "" }), "IDs[%d]")
	}
	f.check(within("Limit", p.Limit, 1, bounds.MaxBatch), "")
	if p.Audit != nil {
		f.check(p.Audit.Validate(), "Audit.")
	}
	return f.err()
}

// Page asks for the failures that a call looks at. It is for implementers.
func (p *RedoParams) Page() FailuresParams {
	return FailuresParams{Run: p.Run, After: p.After, Before: p.Before, Limit: p.Limit}
}

// Matcher tells which of the failures that were looked at are to be moved. It is for implementers.
func (p *RedoParams) Matcher() func(*Failure) bool {
	ids := make(map[string]bool, len(p.IDs))
	for _, id := range p.IDs {
		ids[id] = true
	}
	return func(f *Failure) bool {
		return (len(p.Kinds) == 0 || slices.Contains(p.Kinds, f.Lane.Route.Kind)) && (len(ids) == 0 || ids[f.Task.ID])
	}
}

// RedoReply says what became of the failures that were looked at.
type RedoReply struct {
	Moved      int64 // retried or discarded by this call; 1 if it accepted, or repeated the hook
	InUse      int64 // not retried, because another task has claimed the ID since; they stay
	Unreadable int64 // not retried, because the stored task could not be decoded; they stay
	// Gone is how many failed tasks the run counts of which it keeps no failure: nobody can move them.
	Gone int64
	// Next is the place of the last failure that was looked at: After of the next call. It is 0 if
	// there were none.
	Next int64
}

// Redone is the task of a failure as it waits again: its retries, snoozes and crashes are counted
// anew, it keeps its attempts, and it does not expire any more. ok is false if it was never decoded.
// It is for implementers.
func (f *Failure) Redone() (t Task, ok bool) {
	t = f.Task
	t.Retry, t.Snoozes, t.Crashes, t.Recovered, t.Expires = 0, 0, 0, false, time.Time{}
	_, corrupt := t.Headers[HeaderCorrupt]
	return t, !corrupt
}
