package rules

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// NewAuditLine is the line of an action by the actor of a context.
func NewAuditLine(ctx context.Context, action actions.Action, run store.RunID, subject, reason string) store.AuditLine {
	a, _ := store.ActorOf(ctx)
	if reason == "" {
		reason = a.Reason
	}
	return store.AuditLine{
		Action: action, Job: run.Job, Run: run.Number, Subject: subject, By: a.Name, Reason: reason,
		Operation: a.Operation,
	}
}

// KeepAudit adds a line to those of a partition, oldest first, and drops those that are too many or
// too old.
func KeepAudit(lines []store.AuditLine, l store.AuditLine, now time.Time) []store.AuditLine {
	l.Number = now.UnixMicro()
	if n := len(lines); n > 0 {
		l.Number = max(l.Number, lines[n-1].Number+1)
	}
	lines = append(lines, l)
	lines = lines[max(0, len(lines)-bounds.MaxAudit):]
	old := l.Number - bounds.AuditKept.Microseconds()
	first, _ := slices.BinarySearchFunc(lines, old, func(l store.AuditLine, n int64) int { return cmp.Compare(l.Number, n) })
	return lines[first:]
}

// AuditPage is a page of lines, oldest first, the newest first.
func AuditPage(lines []store.AuditLine, p store.AuditParams) (page []store.AuditLine) {
	for _, l := range slices.Backward(lines) {
		if len(page) < p.Limit && (p.Before == 0 || l.Number < p.Before) {
			page = append(page, l)
		}
	}
	return page
}
