package syncjob

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// Timeline tells what happened to the run, the oldest first.
//
// The moments that are constants are in the record of the run. So they are always there, as long as
// the run is. Everything else comes from the audit, as does who did it: pauses, releases of
// holds, changes of the configuration. It lacks what [Manager.Audit] lacks: starts, enqueue calls
// and seals by nobody in particular (see [WithActor]), and what is older than 90 days or than the
// newest 1,000 entries of the partition. Pauses of queues, sets and kinds are not in it.
//
// It is not read in one step: a change meanwhile may be missing. It makes one call, and one for
// each 100 entries that the partition's audit has since the run began. Errors: [ErrRunNotFound],
// [ErrStateLost], as for State.
func (r *Run) Timeline(ctx context.Context) ([]states.TimelineEntry, error) {
	rec, err := r.record(ctx)
	if err != nil {
		return nil, err
	}
	t := timeline{run: rec.ID.Number, entries: moments(&rec)}
	// A clock that went back makes numbers of entries that are too large, never too small.
	opts := &AuditOptions{Job: rec.ID.Job, Since: rec.Created.Add(-time.Second)}
	var audit []states.AuditEntry
	for e, err := range r.m.Audit(ctx, opts) {
		if err != nil {
			return nil, fmt.Errorf("read the timeline of run %d of job %.200q: %w", rec.ID.Number, rec.ID.Job, err)
		}
		audit = append(audit, e)
	}
	for _, e := range slices.Backward(audit) {
		t.add(e)
	}
	slices.SortStableFunc(t.entries, func(a, b states.TimelineEntry) int {
		return cmp.Or(whole(a.At).Compare(whole(b.At)), cmp.Compare(turn(&a), turn(&b)), a.At.Compare(b.At))
	})
	for i := range t.entries {
		t.entries[i].At = whole(t.entries[i].At)
	}
	return t.entries, nil
}

func whole(t time.Time) time.Time { return t.Truncate(time.Millisecond) }

// turn orders what happened in one millisecond, to which the record of the run tells times: an
// action may have ended the run in its own step, and failed tasks run again after the end.
func turn(e *states.TimelineEntry) int {
	switch {
	case e.What == states.MomentCreated:
		return -1
	case e.Run != 0:
		return 2
	case e.What == states.MomentTasksEnded || e.What == states.MomentEnded:
		return 1
	}
	return 0
}

// moments lists what the record of a run tells.
func moments(r *store.RunRecord) (all []states.TimelineEntry) {
	add := func(e states.TimelineEntry) {
		if !e.At.IsZero() {
			e.At = e.At.UTC()
			all = append(all, e)
		}
	}
	add(states.TimelineEntry{At: r.Created, What: states.MomentCreated})
	add(states.TimelineEntry{At: r.HookPassed, What: states.MomentHookPassed})
	add(states.TimelineEntry{At: r.Started, What: states.MomentStarted})
	add(states.TimelineEntry{At: r.StopBegan, What: states.MomentStopping, Reason: r.Reason})
	ended := states.TimelineEntry{At: r.Ended, What: states.MomentEnded, Status: r.Status}
	if !r.Status.Final() || r.Changed.After(r.Ended) {
		add(states.TimelineEntry{At: r.Ended, What: states.MomentTasksEnded})
		ended.At = r.Changed
	}
	if r.Status.Final() {
		switch r.Status {
		case statuses.Failed:
			ended.Reason = r.Error
		case statuses.Skipped:
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
	entries []states.TimelineEntry
}

// caused are the moments that an action leads to in the same step.
var caused = map[actions.Action]states.Moment{
	actions.Start: states.MomentCreated,
	actions.Stop:  states.MomentStopping,
}

// add adds an entry of the audit. The first start is that of the run, and the first stop is what
// made it stopping, unless the audit no longer has that one.
func (t *timeline) add(a states.AuditEntry) {
	e := states.TimelineEntry{At: a.At, What: states.Moment(a.Action), Subject: a.Subject, By: a.By, Reason: a.Reason}
	switch {
	case a.Action == actions.Start && a.Run != t.run && a.Subject == strconv.FormatInt(t.run, 10):
		e.Run, e.Subject = a.Run, ""
	case a.Run != t.run:
		return
	}
	for i := range t.entries {
		m := &t.entries[i]
		if e.Run == 0 && m.By == "" && m.What == caused[a.Action] && m.At.Sub(a.At).Abs() < time.Second {
			m.At, m.By, m.Subject, m.Reason = e.At, e.By, e.Subject, cmp.Or(e.Reason, m.Reason)
			return
		}
	}
	t.entries = append(t.entries, e)
}
