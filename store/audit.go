package store

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
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

// AuditLine says of one operation what it did, when, and who did it.
type AuditLine struct {
	// Number is the time of the store's clock in µs, or 1 more than that of the line before if that is
	// larger. So it is unique in a partition, and grows.
	Number    int64          `json:"n,omitempty"`
	Action    actions.Action `json:"a"`
	Job       string         `json:"j,omitempty"`
	Run       int64          `json:"r,omitempty"`
	Subject   string         `json:"s,omitempty"`
	By        string         `json:"b,omitempty"`
	Reason    string         `json:"w,omitempty"`
	Operation string         `json:"o,omitempty"` // see [Actor]
}

// Validate returns a [*FieldError] for each bad field, joined. Whether the job has the run only the
// store can tell.
func (l *AuditLine) Validate() error {
	return JoinFields(
		(&RunID{Job: l.Job, Number: l.Run}).validate(), ValidateNote("Subject", l.Subject),
		ValidateNote("By", l.By), ValidateNote("Reason", l.Reason), ValidateNote("Operation", l.Operation),
	)
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
// WriteConfiguration and ForceReleaseSemaphore always do. Repair writes a line for each run of
// which it fixes something, and one for the rest, with the first fix. What workers and the store do
// by themselves has no line.
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
func (p *WorkerStatusParams) Audited() (action actions.Action, subject string) {
	subject = "worker " + p.Worker
	switch p.Status {
	case statuses.WorkerQuiet:
		return actions.Quiet, subject
	case statuses.WorkerDraining:
		return actions.Drain, subject
	}
	return actions.Resume, subject
}

// Action is that of the line of the audit. It is for implementers.
func (p *ChangeTaskParams) Action() actions.Action {
	if p.Cancel {
		return actions.Cancel
	}
	return actions.Reschedule
}

// Changes reports whether the stop of a run that has not ended changes anything. It is for
// implementers.
func (p *StopParams) Changes(r *RunRecord) bool {
	return r.Status != statuses.Stopping || r.Graceful && !p.Graceful
}
