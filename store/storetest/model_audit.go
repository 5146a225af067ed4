package storetest

import (
	"cmp"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
)

// modelAudit has the lines that the audit of the partition should have, oldest first, without what
// the store adds.
type modelAudit struct{ lines []store.AuditLine }

func (a *modelAudit) note(action actions.Action, run store.RunID, subject, reason string) {
	a.lines = append(a.lines, store.AuditLine{
		Action: action, Job: run.Job, Run: run.Number, Subject: subject, Reason: reason,
	})
}

// said adds the line of an enqueue, or of nothing.
func (a *modelAudit) said(l *store.AuditLine) {
	if l != nil {
		a.note(l.Action, store.RunID{Job: l.Job, Number: l.Run}, l.Subject, l.Reason)
	}
}

// enqueued adds the line of an enqueue, if that added a task.
func (a *modelAudit) enqueued(l *store.AuditLine, reply store.EnqueueReply) {
	if slices.ContainsFunc(reply.Entries, func(r store.EnqueueResult) bool { return r.Err == nil && !r.Duplicate }) {
		a.said(l)
	}
}

// started adds the line of a run that nobody with a name started.
func (a *modelAudit) started(id store.RunID, p store.StartParams) {
	if p.Declared {
		a.note(actions.Start, id, "", "")
	}
}

// closed adds the line of the end of a hold, if it was open.
func (a *modelAudit) closed(l *store.AuditLine, open bool) {
	if open {
		a.said(l)
	}
}

// check compares the newest n lines.
func (a *modelAudit) check(s *scene, n int) {
	s.tb.Helper()
	want := slices.Clone(a.lines[max(0, len(a.lines)-n):])
	slices.Reverse(want)
	got, err := s.store.Audit(s.ctx, store.AuditParams{Limit: n})
	s.NoError(err)
	s.True(slices.IsSortedFunc(got, func(a, b store.AuditLine) int { return cmp.Compare(b.Number, a.Number) }))
	for i := range got {
		s.NotEmpty(got[i].By)
		got[i].Number, got[i].By = 0, ""
	}
	if len(want) > 0 || len(got) > 0 {
		s.Equal(want, got)
	}
}
