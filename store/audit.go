package store

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// Actor is who makes a change, and why.
type Actor struct {
	Name   string // up to [bounds.MaxNoteLen] bytes
	Reason string // likewise; empty if not known
	// Operation is the same in all calls of one operation that needs several; empty for one call.
	Operation string
}

type actorKey struct{}

// WithActor returns a context for calls of a [Store] that this actor makes.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns the actor of a context, and whether it has one. Without a name, it is the host
// and the ID of the process.
func ActorOf(ctx context.Context) (a Actor, named bool) {
	a, _ = ctx.Value(actorKey{}).(Actor)
	if named = a.Name != ""; !named {
		a.Name = hostAndProcess()
	}
	return a, named
}

var hostAndProcess = sync.OnceValue(func() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown-host"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
})

// badActor returns a [*FieldError] for each bad field of the actor of a context, joined.
func badActor(ctx context.Context) error {
	a, _ := ctx.Value(actorKey{}).(Actor)
	if a == (Actor{}) {
		return nil
	}
	return JoinFields(
		ValidateNote("Actor.Name", a.Name), ValidateNote("Actor.Reason", a.Reason),
		ValidateNote("Actor.Operation", a.Operation),
	)
}

// Action is what an operation did.
type Action string

// The actions. Those of a run have AuditLine.Run.
const (
	ActionStart      Action = "start"      // a run; Subject is the number of RedriveOf
	ActionEnqueue    Action = "enqueue"    // tasks into a run; Subject is the ID of the first
	ActionStop       Action = "stop"       // a run
	ActionPause      Action = "pause"      // a run, or the scope that Subject names
	ActionResume     Action = "resume"     // likewise, or a worker
	ActionRelease    Action = "release"    // the hold of a run that Subject names; [HoldOpen] seals it
	ActionAccept     Action = "accept"     // the failures of a run, or the end of its post-job hook
	ActionRepeat     Action = "repeat"     // the post-job hook of a run
	ActionDelete     Action = "delete"     // a run, or a job
	ActionDeclare    Action = "declare"    // a job, for the first time or with another definition
	ActionEnable     Action = "enable"     // a job
	ActionDisable    Action = "disable"    // a job
	ActionConfigure  Action = "configure"  // a run, or the set that Subject names
	ActionEnd        Action = "end"        // leases of the semaphore that Subject names
	ActionCancel     Action = "cancel"     // the task of a run that Subject names
	ActionReschedule Action = "reschedule" // likewise: it is due at another time
	ActionRetry      Action = "retry"      // failures of a run; Subject is the ID of the only task that was selected
	ActionDiscard    Action = "discard"    // likewise
	ActionQuiet      Action = "quiet"      // the worker that Subject names; ActionResume undoes it
	ActionDrain      Action = "drain"      // likewise
)

// PauseAction is [ActionPause] or [ActionResume]. It is for implementers.
func PauseAction(pause bool) Action {
	if pause {
		return ActionPause
	}
	return ActionResume
}

// EnableAction is [ActionEnable] or [ActionDisable]. It is for implementers.
func EnableAction(enable bool) Action {
	if enable {
		return ActionEnable
	}
	return ActionDisable
}

// AuditLine says of one operation what it did, when, and who did it.
type AuditLine struct {
	// Number is the time of the store's clock in µs, or 1 more than that of the line before if that is
	// larger. So it is unique in a partition, and grows.
	Number    int64  `json:"n,omitempty"`
	Action    Action `json:"a"`
	Job       string `json:"j,omitempty"`
	Run       int64  `json:"r,omitempty"`
	Subject   string `json:"s,omitempty"`
	By        string `json:"b,omitempty"`
	Reason    string `json:"w,omitempty"`
	Operation string `json:"o,omitempty"` // see [Actor]
}

// Validate returns a [*FieldError] for each bad field, joined. Whether the job has the run only the
// store can tell.
func (l *AuditLine) Validate() error {
	return JoinFields(
		(&RunID{Job: l.Job, Number: l.Run}).validate(), ValidateNote("Subject", l.Subject),
		ValidateNote("By", l.By), ValidateNote("Reason", l.Reason), ValidateNote("Operation", l.Operation),
	)
}

// NewAuditLine is the line of an action by the actor of a context. It is for implementers.
func NewAuditLine(ctx context.Context, action Action, run RunID, subject, reason string) AuditLine {
	a, _ := ActorOf(ctx)
	if reason == "" {
		reason = a.Reason
	}
	return AuditLine{
		Action: action, Job: run.Job, Run: run.Number, Subject: subject, By: a.Name, Reason: reason,
		Operation: a.Operation,
	}
}

// AuditParams ask for a page of the audit of a partition.
type AuditParams struct {
	Partition int
	Before    int64 // only lines with lower numbers; 0 for all
	Limit     int   // 1 to [bounds.MaxAuditPage]
}

// Validate returns a [*FieldError] for each bad field, joined. Only the store knows its partitions.
func (p *AuditParams) Validate() error {
	var f faults
	f.add(p.Before < 0, "Before", "is negative")
	f.check(within("Limit", p.Limit, 1, bounds.MaxAuditPage), "")
	return f.err()
}

// Audit keeps, for each partition, who changed what. The step that makes a change also writes its
// line, so neither is there without the other. A step that changes nothing writes nothing: a repeat
// after a lost reply, or a stop of what is stopped.
//
// StartRun writes a line if the context has an actor, if the job is declared, or if the run has a
// RedriveOf; Enqueue and RedoFailures write the line of their parameters. StopRun, SetRunPaused,
// DeleteRun, ChangeTask, EnsureJob, SetJobDisabled, DeleteJob, Pause, Resume, SetWorkerStatus,
// WriteConfiguration and ForceReleaseSemaphore always do. What workers and the store do by
// themselves has no line.
//
// A partition keeps the newest [bounds.MaxAudit] lines. Whatever writes a line also removes those
// that are older than [bounds.AuditKept]. A line has the texts of the caller, of up to
// [bounds.MaxNoteLen] bytes each, so usually some 200 bytes and at most about 4 KiB. A server that
// loses acknowledged writes loses a line with its change.
type Audit interface {
	// Audit reads a page of the lines of a partition, the newest first. The page is the last one if it
	// is shorter than p.Limit.
	Audit(ctx context.Context, p AuditParams) ([]AuditLine, error)
}

// Audited reports whether StartRun writes a line. It is for implementers.
func (p *StartParams) Audited(ctx context.Context) (subject string, ok bool) {
	_, named := ActorOf(ctx)
	if p.RedriveOf != 0 {
		subject = fmt.Sprint(p.RedriveOf)
	}
	return subject, named || p.Declared || p.RedriveOf != 0
}

// Audited returns the action and the subject of the line of the audit. It is for implementers.
func (p *WorkerStatusParams) Audited() (action Action, subject string) {
	subject = "worker " + p.Worker
	switch p.Status {
	case WorkerQuiet:
		return ActionQuiet, subject
	case WorkerDraining:
		return ActionDrain, subject
	}
	return ActionResume, subject
}

// Action is that of the line of the audit. It is for implementers.
func (p *ChangeTaskParams) Action() Action {
	if p.Cancel {
		return ActionCancel
	}
	return ActionReschedule
}

// Audited is the action of the line of the audit.
func (a RedoAction) Audited() Action {
	switch a {
	case RedoDiscard:
		return ActionDiscard
	case RedoAccept:
		return ActionAccept
	case RedoPostJob:
		return ActionRepeat
	}
	return ActionRetry
}

// Changes reports whether the stop of a run that has not ended changes anything. It is for
// implementers.
func (p *StopParams) Changes(r *RunRecord) bool {
	return r.Status != StatusStopping || r.Graceful && !p.Graceful
}

// KeepAudit adds a line to those of a partition, oldest first, and drops those that are too many or
// too old. It is for implementers.
func KeepAudit(lines []AuditLine, l AuditLine, now time.Time) []AuditLine {
	l.Number = now.UnixMicro()
	if n := len(lines); n > 0 {
		l.Number = max(l.Number, lines[n-1].Number+1)
	}
	lines = append(lines, l)
	lines = lines[max(0, len(lines)-bounds.MaxAudit):]
	old := l.Number - bounds.AuditKept.Microseconds()
	first, _ := slices.BinarySearchFunc(lines, old, func(l AuditLine, n int64) int { return cmp.Compare(l.Number, n) })
	return lines[first:]
}

// AuditPage is a page of lines, oldest first, the newest first. It is for implementers.
func AuditPage(lines []AuditLine, p AuditParams) (page []AuditLine) {
	for _, l := range slices.Backward(lines) {
		if len(page) < p.Limit && (p.Before == 0 || l.Number < p.Before) {
			page = append(page, l)
		}
	}
	return page
}
