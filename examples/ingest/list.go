package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
)

const listUsage = `ingest list -store redis://HOST:PORT [-json]

Lists the jobs by groups: single-pass, periodic, and stopped ones. With -json each is an
object in a line of its own.`

// listGroups are the groups of the listing; a job that was stopped is listed as such only.
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
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if !o.json {
		fmt.Fprintln(table, "GROUP\tNAME\tSTATE\tTOTAL\tREMAINING\tFAILED\tRETRIED\tELAPSED\tSTARTED")
	}
	for _, group := range listGroups {
		for job, err := range o.Jobs(ctx, &syncjob.JobsOptions{Group: group}) {
			if err != nil {
				return err
			}
			if job.Run == nil || group != syncjob.GroupStopped && job.Run.Status == syncjob.StatusStopped {
				continue
			}
			if o.json {
				printJSON(out, newOutcome(*job.Run))
				continue
			}
			r := job.Run
			fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\n", group, job.Name, r.Status,
				r.Counts.Total, r.Counts.Remaining(), r.Counts.Failed, r.Retried,
				r.Elapsed.Round(time.Millisecond), r.Created.Format(time.DateTime))
		}
	}
	return table.Flush()
}
