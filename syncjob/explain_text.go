package syncjob

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// maxExplained bounds how many running tasks are listed one by one.
const maxExplained = 20

// String returns sentences, one a line, the reasons first. Errors, reasons and names are made
// [Printable], so none of them can fake a line.
func (x Explanation) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(Printable(fmt.Sprintf(format, args...)) + "\n") }
	if x.Unreachable != "" {
		line("nothing can be said of run %d of job %q: %s", x.Run.Number, x.Run.Job, x.Unreachable)
		return b.String()
	}
	c := x.Run.Counts
	line("run %d of job %q is %s: %d of %d tasks done: %d succeeded, %d failed, %d cancelled",
		x.Run.Number, x.Run.Job, x.Run.Status, c.Done(), c.Total, c.Succeeded, c.Failed, c.Cancelled)
	x.explainState(line)
	said := map[string]bool{heldByRun: true, heldByReadOnly: true, heldByPreJob: true} // of the run
	for _, w := range x.Waiting {
		for _, reason := range w.HeldBack {
			if !said[reason] { // or it holds back another route, too
				line("%s", reason)
			}
			said[reason] = true
		}
		x.explainWaiting(line, &w)
	}
	for i, t := range x.Running {
		if i == maxExplained {
			line("%d more run", len(x.Running)-i)
			break
		}
		progress := ""
		if t.Progress != (states.Progress{}) {
			progress = ": " + t.Progress.String()
		}
		line(
			"task %s (%s on queue %s, retry %d) runs at %s for %s%s", t.ID, t.Kind, t.Queue, t.Retry, t.Worker,
			x.ago(t.Since), progress,
		)
	}
	for _, h := range x.Held {
		switch {
		case h.Unserved:
			line(
				"%d tasks of %s on queue %s are held by a worker that is gone, and no live worker serves them", h.Held, h.Kind,
				h.Queue,
			)
		case h.Lost:
			line(
				"%d tasks of %s on queue %s are held by a worker that is gone; they will be given to another", h.Held, h.Kind,
				h.Queue,
			)
		default:
			line("%d tasks of %s on queue %s are with worker %s", h.Held, h.Kind, h.Queue, h.Worker)
		}
	}
	if x.Problem != "" {
		line("the next run of the job does not begin: %s", x.Problem)
	}
	for _, d := range x.Disagreements {
		line("counts disagree: %s", d)
	}
	for _, d := range x.Damage {
		line("damaged: %s", d)
	}
	return b.String()
}

func (x Explanation) explainState(line func(string, ...any)) {
	switch {
	case x.Run.Status.Final():
		if x.Run.Reason != "" {
			line("it ended because: %s", x.Run.Reason)
		}
	case x.Run.Paused:
		line(heldByRun)
	}
	if x.ReadOnly {
		line(heldByReadOnly)
	}
	switch x.Run.Status {
	case statuses.Starting:
		line(heldByPreJob)
	case statuses.Finishing:
		if !x.Run.Held {
			line("its post-job hook has not completed")
		}
	case statuses.Stopping:
		line("it is being stopped (%s); %d handlers have not returned", x.Run.Reason, x.Run.Counts.Running)
	}
	if awaitsDeadline(&x.Run) {
		line("its deadline is %s: it is stopped then", x.Run.Deadline.UTC().Format(time.RFC3339))
	}
	for _, h := range x.Holds {
		switch {
		case h.Name == store.HoldOpen:
			line("it is open for %s: it cannot finish before it is sealed", x.ago(h.Since))
		case h.Name != store.HoldFailures:
			line("the hold %q keeps it open for %s", h.Name, x.ago(h.Since))
		case x.Run.Status == statuses.Finishing:
			line("it is held since its post-job hook gave up (%s): repeat the hook, or accept this", x.Run.HookErr)
		default:
			line("it cannot end before its %d failed tasks are retried, discarded or accepted", x.Run.Counts.Failed)
		}
	}
	if x.Run.RetryError != "" {
		line("an attempt failed and is tried again: %s", x.Run.RetryError)
	}
	if x.Run.LastError != "" {
		line("last error: %s", x.Run.LastError)
	}
}

func (x Explanation) explainWaiting(line func(string, ...any), w *WaitingTasks) {
	where := w.where()
	if ready := w.Waiting + w.Staged; ready > 0 {
		line("%d tasks of %s wait, the oldest for %s", ready, where, x.ago(w.Oldest))
	}
	if ready := w.Waiting + w.Recovered + w.Staged; ready > 0 && x.startable(w) {
		line("%d live workers serve %s: they start it when they have room and it is the job's turn", w.Workers, where)
	}
	if w.Recovered > 0 {
		line("%d tasks of %s wait to be tried one at a time: a worker died holding them", w.Recovered, where)
	}
	if w.Delayed > 0 {
		line("%d tasks of %s are delayed, the first until %s", w.Delayed, where, w.NextDue.UTC().Format(time.RFC3339))
	}
}

// startable reports whether nothing holds tasks back but limits.
func (x Explanation) startable(w *WaitingTasks) bool {
	return x.Run.Status == statuses.Running && len(w.HeldBack) == w.limits
}

func (x Explanation) ago(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return max(0, x.at.Sub(t)).Round(time.Millisecond).String()
}

// awaitsDeadline reports whether the run is to be stopped at its deadline.
func awaitsDeadline(r *states.Run) bool {
	return !r.Deadline.IsZero() && !r.Status.Final() && r.Reason != states.DeadlineReason
}
