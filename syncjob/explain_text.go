package syncjob

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/internal/plural"
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
	line("run %d of job %q is %s: %d of %s done: %d succeeded, %d failed, %d cancelled",
		x.Run.Number, x.Run.Job, x.Run.Status, c.Done(), plural.Of(c.Total, "task"), c.Succeeded, c.Failed, c.Cancelled)
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
				"%s held by a worker that is gone, and no live worker serves %s",
				holds(h), plural.Verb(h.Held, "it", "them"),
			)
		case h.Lost:
			line(
				"%s held by a worker that is gone; %s will be given to another", holds(h), plural.Verb(h.Held, "it", "they"),
			)
		default:
			line("%s with worker %s", holds(h), h.Worker)
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
		line("it is being stopped (%s); %s not returned", x.Run.Reason,
			plural.Of(x.Run.Counts.Running, "handler")+plural.Verb(x.Run.Counts.Running, " has", " have"))
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
			line("it cannot end before its %s retried, discarded or accepted",
				plural.Of(x.Run.Counts.Failed, "failed task")+plural.Verb(x.Run.Counts.Failed, " is", " are"))
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
		line("%s of %s %s, the oldest for %s", plural.Of(ready, "task"), where, plural.Verb(ready, "waits", "wait"), x.ago(w.Oldest))
	}
	if ready := w.Waiting + w.Recovered + w.Staged; ready > 0 && x.startable(w) {
		line("%s %s: %s it when there is room and it is the job's turn", plural.Of(w.Workers, "live worker"),
			plural.Verb(w.Workers, "serves ", "serve ")+where, plural.Verb(w.Workers, "it starts", "they start"))
	}
	if w.Recovered > 0 {
		line("%s of %s %s to be tried one at a time: a worker died holding %s", plural.Of(w.Recovered, "task"), where,
			plural.Verb(w.Recovered, "waits", "wait"), plural.Verb(w.Recovered, "it", "them"))
	}
	if w.Delayed > 0 {
		line("%s of %s %s delayed, the first until %s", plural.Of(w.Delayed, "task"), where, plural.Verb(w.Delayed, "is", "are"),
			w.NextDue.UTC().Format(time.RFC3339))
	}
}

// holds begins a line about tasks that a worker has.
func holds(h HeldTasks) string {
	return fmt.Sprintf("%s of %s on queue %s %s", plural.Of(h.Held, "task"), h.Kind, h.Queue,
		plural.Verb(h.Held, "is", "are"))
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
