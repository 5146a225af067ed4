package worker

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// A task that expires is not begun any more. Stores deliver it like any other, and the worker ends
// it, when a slot would begin it, or when its next attempt would begin too late. So the step that
// settles it counts it, frees its ID and ends its run, and a task that does not expire costs
// nothing. The worker goes by the store's clock as of its last replies.

// expired is the outcome of a task that has expired. It is cancelled; if attempts of it have
// failed, so has the task.
func expired(d *store.Delivery) *store.Outcome {
	out := &store.Outcome{Lease: d.Lease, Verdict: verdicts.Cancel, Task: d.Task}
	if d.Task.Retry > 0 {
		out.Verdict, out.Error = verdicts.Fail, lastError(d.Task.Attempts)
	}
	return out
}

// lastError says why a task has failed that expired before its next attempt.
func lastError(attempts []store.Attempt) string {
	const why = "expired before it was tried again"
	if len(attempts) == 0 {
		return why
	}
	return why + ": " + attempts[len(attempts)-1].Error
}

// heedExpiry changes the outcome of an attempt that ended now, by the store's clock, if the next
// one would begin too late: then the task has failed, or, if it only snoozed, is cancelled.
func heedExpiry(out *store.Outcome, now time.Time) {
	again := out.Verdict == verdicts.Retry || out.Verdict == verdicts.Snooze
	if !again || !out.Task.Expired(now.Add(out.Delay)) {
		return
	}
	switch {
	case out.Verdict == verdicts.Retry:
		out.Verdict = verdicts.Fail
		out.Task.Retry-- // it counts the attempts before this one
	case out.Task.Retry > 0:
		out.Verdict, out.Error = verdicts.Fail, lastError(out.Task.Attempts)
	default:
		out.Verdict = verdicts.Cancel
	}
	out.Delay = 0
}
