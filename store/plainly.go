package store

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-go/rollcall/store/verdicts"
)

// This file corrects some parameters before a backend sees them, where it would not help to refuse
// them: a worker must be able to settle a task with any error text. Parameters belong to the
// caller, so they are copied before a change.

// verdictOf returns the verdict to apply. A hook that was settled with a verdict for tasks still
// begins or ends its run. A cancelled hook is given back, so that a run never waits for a hook that
// no worker holds.
func verdictOf(o *Outcome) verdicts.Verdict {
	v := o.Verdict
	switch o.Lease.Lane.Route.Kind {
	case KindPreJob:
		switch v {
		case verdicts.Success:
			return verdicts.Begin
		case verdicts.Fail, verdicts.StopRun:
			return verdicts.Abort
		case verdicts.Cancel, verdicts.HookDone:
			return verdicts.Release
		}
	case KindPostJob:
		switch v {
		case verdicts.Success, verdicts.Fail, verdicts.StopRun:
			return verdicts.HookDone
		case verdicts.Cancel, verdicts.Begin, verdicts.Skip, verdicts.Abort:
			return verdicts.Release
		}
	}
	return v
}

// plainly returns the settlement for backends: verdicts fit the deliveries, and texts are valid
// UTF-8.
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

// plainly returns the description of a worker for backends.
func (w WorkerInfo) plainly() WorkerInfo {
	w.Name, w.Host, w.Version = validText(w.Name), validText(w.Host), validText(w.Version)
	w.Started = w.Started.UTC()
	return w
}

// plainly returns the heartbeat for backends.
func (p HeartbeatParams) plainly() HeartbeatParams {
	copied := false
	for i := range p.Running {
		t := p.Running[i]
		t.ID, t.Kind, t.Queue = validText(t.ID), validText(t.Kind), validText(t.Queue)
		t.Progress.Message = validText(t.Progress.Message)
		t.Since = t.Since.UTC() // JSON has not every zone
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

// validText replaces bytes that are not valid UTF-8.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
