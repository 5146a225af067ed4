package store

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// What callers say is made uniform here, before a backend sees it, where refusing it would help
// nobody: a worker must be able to settle a task whatever the text of its error is. Parameters are
// the caller's, so what changes is copied.

// verdictOf is the verdict to apply. A hook that was settled like a task begins or ends its run all
// the same, and one that was cancelled is given back, so that a run never waits for a hook that
// nobody holds.
func verdictOf(o *Outcome) Verdict {
	v := o.Verdict
	switch o.Lease.Lane.Route.Kind {
	case KindPreJob:
		switch v {
		case VerdictSuccess:
			return VerdictBegin
		case VerdictFail, VerdictStopRun:
			return VerdictAbort
		case VerdictCancel, VerdictHookDone:
			return VerdictRelease
		}
	case KindPostJob:
		switch v {
		case VerdictSuccess, VerdictFail, VerdictStopRun:
			return VerdictHookDone
		case VerdictCancel, VerdictBegin, VerdictSkip, VerdictAbort:
			return VerdictRelease
		}
	}
	return v
}

// plainly is the settlement as backends see it: verdicts that fit the deliveries, and texts of
// valid UTF-8.
func (p SettleParams) plainly() SettleParams {
	p.Worker = validText(p.Worker)
	copied := false
	for i := range p.Outcomes {
		o := &p.Outcomes[i]
		verdict, err, stack := verdictOf(o), validText(o.Error), validText(o.Stack)
		if verdict == o.Verdict && err == o.Error && stack == o.Stack {
			continue
		}
		if !copied {
			p.Outcomes, copied = slices.Clone(p.Outcomes), true
			o = &p.Outcomes[i]
		}
		o.Verdict, o.Error, o.Stack = verdict, err, stack
	}
	return p
}

// plainly is the description of a worker as backends see it.
func (w WorkerInfo) plainly() WorkerInfo {
	w.Name, w.Host = validText(w.Name), validText(w.Host)
	return w
}

// plainly is the heartbeat as backends see it.
func (p HeartbeatParams) plainly() HeartbeatParams {
	copied := false
	for i := range p.Running {
		t := p.Running[i]
		t.ID, t.Kind, t.Queue = validText(t.ID), validText(t.Kind), validText(t.Queue)
		t.Progress.Message = validText(t.Progress.Message)
		if t == p.Running[i] {
			continue
		}
		if !copied {
			p.Running, copied = slices.Clone(p.Running), true
		}
		p.Running[i] = t
	}
	return p
}

// validText replaces what is no UTF-8.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
