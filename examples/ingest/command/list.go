package command

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

const listUsage = `ingest list -store redis://HOST:PORT [-json]

Lists the jobs by groups: single-pass, periodic, and stopped ones. With -json each is an
object in a line of its own.`

// jobLine is the JSON object of a job in a list. Before its first run, a periodic job has no state
// and no start.
type jobLine struct {
	Group     syncjob.Group `json:"group"`
	Remaining int64         `json:"remaining"` // tasks
	Started   time.Time     `json:"started,omitzero"`
	NextDue   time.Time     `json:"next_due,omitzero"` // of a periodic job
	outcome
}

// listGroups are the groups of the listing.
var listGroups = []syncjob.Group{syncjob.GroupSinglePass, syncjob.GroupPeriodic, syncjob.GroupStopped}

// listJobs is the command "list".
func listJobs(ctx context.Context, args []string, io streams) error {
	o, err := newOperator(ctx, listUsage, args, "", io.err)
	if err != nil {
		return err
	}
	return errors.Join(o.list(ctx, io.out), o.Close())
}

func (o *operator) list(ctx context.Context, out io.Writer) error {
	table := newTable(out)
	if !o.json {
		table.row("GROUP", "NAME", "STATE", "TOTAL", "REMAINING", "FAILED", "RETRIED", "ELAPSED", "STARTED", "NEXT")
	}
	for _, group := range listGroups {
		for job, err := range o.Jobs(ctx, &syncjob.JobsOptions{Group: group}) {
			if err != nil {
				return err
			}
			if groupOf(job) != group {
				continue
			}
			r := states.Run{Job: job.Name} // of a periodic job that never ran
			if job.Run != nil {
				r = *job.Run
			}
			if o.json {
				printJSON(
					out,
					jobLine{
						Group:     group,
						Remaining: r.Counts.Remaining(),
						Started:   r.Created,
						NextDue:   job.NextDue,
						outcome:   newOutcome(r),
					},
				)
				continue
			}
			table.row(group, job.Name, cmp.Or(r.Status, "-"),
				r.Counts.Total, r.Counts.Remaining(), r.Counts.Failed, r.Retried,
				r.Elapsed.Round(time.Millisecond), moment(r.Created), moment(job.NextDue))
		}
	}
	return table.Flush()
}

// groupOf returns the group in which a job is listed; empty if there is none. A periodic job counts
// as stopped if it is never due again, whatever the status of its last run.
func groupOf(job states.Job) syncjob.Group {
	switch {
	case job.Type == states.JobPeriodic && !job.Disabled:
		return syncjob.GroupPeriodic
	case job.Disabled || job.Run != nil && job.Run.Status == states.Stopped:
		return syncjob.GroupStopped
	case job.Run != nil:
		return syncjob.GroupSinglePass
	}
	return ""
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.DateTime)
}
