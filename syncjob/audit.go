package syncjob

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// AuditOptions select entries of the audit. Zero fields select everything.
type AuditOptions struct {
	Job    string
	Run    int64 // of the job
	By     string
	Action actions.Action
	Since  time.Time // entries of this time or later
	Until  time.Time // entries before this time
	After  string    // the Cursor of the last entry of the page before: older ones follow
}

// auditPage is how many lines of a partition are read at a time.
const auditPage = 100

// Audit yields who changed what, the newest first. It reads page by page while the caller consumes
// the entries. Nil options mean everything.
//
// An entry is written by the step that makes the change: neither is there without the other. A call
// that changes nothing leaves no entry, nor does a repeat after a lost reply. Entries are left by
// Stop, PauseJob, ResumeJob, Enable, Ensure, TriggerNow, Delete, Pause, Resume, SetMode, Configure
// ResetConfiguration and ReleaseSemaphores of the manager, and by StopAll and its like for each job
// that changed; by Quiet, Resume and Drain of a worker; by Stop, Pause, Resume, Retry, Discard,
// Accept, RepeatPostJob, Redrive and Delete of a run; by Cancel, RunNow and Reschedule of a task;
// by ForceRelease of a semaphore; and by Repair, for each run of which it fixed something, and for
// the rest. Start, Enqueue, EnqueueAll, Seal and ReleaseHold leave one
// only if the context has a name (see [WithActor]); EnqueueAll leaves one for its first tasks. What
// workers and the store do by themselves has none: tasks, due times, ends of runs, expiry. Writes
// of values have none either.
//
// Each partition of the store keeps its newest 1,000 entries, for 90 days. An operation on all
// partitions, such as Pause, is one entry, unless a page ends between its parts. Reading costs a
// round trip for 100 entries of a partition; with Job, only the job's partition is read.
//
// If partitions do not answer, a [*PartialError] comes behind the entries of the others. A
// [*FieldError] is yielded for bad options. Any error ends the sequence.
func (m *Manager) Audit(ctx context.Context, opts *AuditOptions) iter.Seq2[states.AuditEntry, error] {
	return func(yield func(states.AuditEntry, error) bool) {
		var o AuditOptions
		if opts != nil {
			o = *opts
		}
		lists, err := m.auditLists(o)
		if err != nil {
			yield(states.AuditEntry{}, fmt.Errorf("audit: %w", err))
			return
		}
		seen := make(map[store.AuditLine]bool) // operations on several partitions
		for l, err := range merge(ctx, m.poll(), lists, partitionLine.newer) {
			switch {
			case err != nil:
				yield(states.AuditEntry{}, fmt.Errorf("audit: %w", err))
				return
			case o.has(&l.AuditLine) && !repeats(seen, l.AuditLine) && !yield(auditEntry(l), nil):
				return
			}
		}
	}
}

// partitionLine is a line of the audit of a partition.
type partitionLine struct {
	store.AuditLine
	partition int
}

// newer is the order in which lines are listed. The numbers of two partitions may be the same.
func (l partitionLine) newer(o partitionLine) bool {
	return l.Number > o.Number || l.Number == o.Number && l.partition > o.partition
}

func auditEntry(l partitionLine) states.AuditEntry {
	return states.AuditEntry{
		At: time.UnixMicro(l.Number).UTC(), Action: l.Action, Job: l.Job, Run: l.Run, Subject: l.Subject, By: l.By,
		Reason: l.Reason, Operation: l.Operation, Cursor: fmt.Sprintf("%d-%d", l.Number, l.partition),
	}
}

// has reports whether the options select a line.
func (o *AuditOptions) has(l *store.AuditLine) bool {
	return (o.Job == "" || o.Job == l.Job) && (o.Run == 0 || o.Run == l.Run) && (o.By == "" || o.By == l.By) &&
		(o.Action == "" || o.Action == l.Action)
}

// auditLists checks options, and prepares to read.
func (m *Manager) auditLists(o AuditOptions) (map[int]pages[partitionLine], error) {
	number, partition, err := parseAuditCursor(o.After)
	if o.Job != "" {
		err = store.JoinFields(store.ValidateJobName(o.Job), err)
	}
	if err != nil {
		return nil, err
	}
	lists := make(map[int]pages[partitionLine])
	for _, p := range m.everyPartition() {
		if o.Job != "" && p != store.PartitionOf(o.Job, m.store.Partitions()) {
			continue
		}
		c := &auditList{store: m.store, partition: p, before: number}
		if number > 0 && p < partition { // see newer
			c.before = number + 1
		}
		if until := max(1, o.Until.UnixMicro()); !o.Until.IsZero() && (c.before == 0 || until < c.before) {
			c.before = until
		}
		if !o.Since.IsZero() {
			c.since = o.Since.UnixMicro()
		}
		lists[p] = c
	}
	return lists, nil
}

// parseAuditCursor reads "NUMBER-PARTITION".
func parseAuditCursor(s string) (number int64, partition int, err error) {
	if s == "" {
		return 0, 0, nil
	}
	n, p, _ := strings.Cut(s, "-")
	number, err = strconv.ParseInt(n, 10, 64)
	if err == nil {
		partition, err = strconv.Atoi(p)
	}
	if err != nil || number < 1 || partition < 0 {
		return 0, 0, &FieldError{Field: "After", Reason: "is not a cursor of an entry"}
	}
	return number, partition, nil
}

// repeats reports whether the line is of an operation that another partition had a line of.
func repeats(seen map[store.AuditLine]bool, l store.AuditLine) bool {
	if l.Operation == "" {
		return false
	}
	l.Number = 0
	known := seen[l]
	seen[l] = true
	return known
}

// auditList reads the audit of one partition.
type auditList struct {
	store         store.Audit
	partition     int
	before, since int64
}

func (c *auditList) next(ctx context.Context) (page []partitionLine, last bool, err error) {
	lines, err := c.store.Audit(ctx, store.AuditParams{Partition: c.partition, Before: c.before, Limit: auditPage})
	if err != nil {
		return nil, true, err
	}
	for _, l := range lines {
		if l.Number < c.since {
			return page, true, nil
		}
		page = append(page, partitionLine{l, c.partition})
		c.before = l.Number
	}
	return page, len(lines) < auditPage, nil
}
