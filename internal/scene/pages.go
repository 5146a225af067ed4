package scene

import (
	"net/url"
	"strconv"

	"github.com/rollcall-go/rollcall/syncjob"
)

// Pages returns the address of each page of the dashboard, by a name for files. failed has ended
// with failures, and task runs in busy.
func Pages(failed, busy *syncjob.Run, task string) map[string]string {
	return map[string]string{
		"home": "", "jobs": "jobs", "runs": "runs", "queues": "queues", "failing": "failing", "audit": "audit",
		"locks": "locks", "values": "values", "workers": "workers", "schedules": "schedules", "sets": "sets",
		"pauses": "pauses", "queue": "queue?queue=default", "set": "set?set=" + Set,
		"job": "job?job=" + url.QueryEscape(failed.Job()), "periodic": "job?job=nightly",
		"run-failed": "run?" + of(failed), "run-busy": "run?" + of(busy), "tasks": "tasks?" + of(busy),
		"task": "task?" + of(busy) + "&id=" + url.QueryEscape(task), "failures": "failures?" + of(failed),
		"results": "results?" + of(failed),
		"ask":     "act?action=stop-run&" + of(busy), "configure": "act?action=configure&set=" + Set, "ask-many": "act?action=stop-jobs&all=yes",
		"missing": "task?" + of(busy) + "&id=none",
	}
}

func of(r *syncjob.Run) string {
	return "job=" + url.QueryEscape(r.Job()) + "&run=" + strconv.FormatInt(r.Number(), 10)
}
