package syncjob

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// Moment is what happened to a run: one of the constants, which its record tells, or the
// [store.Action] of somebody.
type Moment string

// The moments that the record of a run tells.
const (
	MomentCreated    Moment = "created"     // it was started: by a call, a schedule, or a redrive
	MomentHookPassed Moment = "hook passed" // its pre-job hook passed
	MomentStarted    Moment = "started"     // its first task was fetched
	MomentStopping   Moment = "stopping"    // it was stopped: by a call, by a task, or since it was idle
	MomentTasksEnded Moment = "tasks ended" // only its post-job hook was left, which took 1 ms or more
	MomentEnded      Moment = "ended"       // it came to a final status
)

// TimelineEntry says what happened to a run, and when.
type TimelineEntry struct {
	At   time.Time `json:"at"` // by the store's clock, to the millisecond
	What Moment    `json:"what"`
	// Run is the number of the run whose start this is, if it runs failed tasks of this one again;
	// otherwise 0.
	Run int64 `json:"run,omitempty"`
	// Status is the final status, with MomentEnded.
	Status Status `json:"status,omitempty"`
	// Subject is what else it is about; see [store.Action].
	Subject string `json:"subject,omitempty"`
	// By is who did it; empty if nobody did, or if the audit does not tell.
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"` // as the caller, the handler or the failure said
}

// Timeline tells what happened to the run, the oldest first.
//
// The moments that are constants are in the record of the run. So they are always there, as long as
// the run is. Everything else comes from the audit, as does who did it: pauses, releases of
// holds, changes of the configuration. It lacks what [Manager.Audit] lacks: starts, enqueue calls
// and seals by nobody in particular (see [WithActor]), and what is older than 90 days or than the
// newest 1,000 entries of the partition. Pauses of queues, sets and kinds are not in it.
//
// It is not read in one step: a change meanwhile may be missing. It makes one call, and one for each
// 100 entries that the partition's audit has since the run began. Errors: [ErrRunNotFound],
// [ErrStateLost], as for State.
func (r *Run) Timeline(ctx context.Context) ([]TimelineEntry, error) {
	rec, err := r.record(ctx)
	if err != nil {
		return nil, err
	}
	t := timeline{run: rec.ID.Number, entries: moments(&rec)}
	// A clock that went back makes numbers of entries that are too large, never too small.
	opts := &AuditOptions{Job: rec.ID.Job, Since: rec.Created.Add(-time.Second)}
	var audit []AuditEntry
	for e, err := range r.m.Audit(ctx, opts) {
		if err != nil {
			return nil, fmt.Errorf("read the timeline of run %d of job %.200q: %w", rec.ID.Number, rec.ID.Job, err)
		}
		audit = append(audit, e)
	}
	for _, e := range slices.Backward(audit) {
		t.add(e)
	}
	slices.SortStableFunc(t.entries, func(a, b TimelineEntry) int { return a.At.Compare(b.At) })
	return t.entries, nil
}

// moments lists what the record of a run tells.
func moments(r *store.RunRecord) (all []TimelineEntry) {
	add := func(e TimelineEntry) {
		if !e.At.IsZero() {
			e.At = e.At.UTC()
			all = append(all, e)
		}
	}
	add(TimelineEntry{At: r.Created, What: MomentCreated})
	add(TimelineEntry{At: r.HookPassed, What: MomentHookPassed})
	add(TimelineEntry{At: r.Started, What: MomentStarted})
	add(TimelineEntry{At: r.StopBegan, What: MomentStopping, Reason: r.Reason})
	ended := TimelineEntry{At: r.Ended, What: MomentEnded, Status: r.Status}
	if !r.Status.Final() || r.Changed.After(r.Ended) {
		add(TimelineEntry{At: r.Ended, What: MomentTasksEnded})
		ended.At = r.Changed
	}
	if r.Status.Final() {
		switch r.Status {
		case store.StatusFailed:
			ended.Reason = r.Error
		case store.StatusSkipped:
			ended.Reason = r.Reason
		}
		ended.Reason = cmp.Or(r.HookError, ended.Reason)
		add(ended)
	}
	return all
}

// timeline joins what the record of a run tells with the audit of its job.
type timeline struct {
	run     int64
	entries []TimelineEntry
}

// caused are the moments that an action leads to in the same step.
var caused = map[store.Action]Moment{store.ActionStart: MomentCreated, store.ActionStop: MomentStopping}

// add adds an entry of the audit. The first start is that of the run, and the first stop is what
// made it stopping, unless the audit no longer has that one.
func (t *timeline) add(a AuditEntry) {
	e := TimelineEntry{At: a.At, What: Moment(a.Action), Subject: a.Subject, By: a.By, Reason: a.Reason}
	switch {
	case a.Action == store.ActionStart && a.Run != t.run && a.Subject == strconv.FormatInt(t.run, 10):
		e.Run, e.Subject = a.Run, ""
	case a.Run != t.run:
		return
	}
	for i := range t.entries {
		m := &t.entries[i]
		if e.Run == 0 && m.By == "" && m.What == caused[a.Action] && m.At.Sub(a.At).Abs() < time.Second {
			m.By, m.Subject, m.Reason = e.By, e.Subject, cmp.Or(e.Reason, m.Reason)
			return
		}
	}
	t.entries = append(t.entries, e)
}
