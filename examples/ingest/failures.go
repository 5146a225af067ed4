package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
)

const failuresUsage = `ingest failures NAME -store redis://HOST:PORT [-json]

Lists the tasks of the newest run of a job that failed for good. With -json each is an object in
a line of its own.`

// failures is the command.
func failures(ctx context.Context, args []string, io streams) error {
	return onRun(ctx, failuresUsage, args, io, func(o *operator, run *syncjob.Run) error {
		table := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
		if !o.json {
			fmt.Fprintln(table, "TASK\tKIND\tATTEMPTS\tWORKER\tWHEN\tERROR")
		}
		for f, err := range run.Failures(ctx, nil) {
			if err != nil {
				return err
			}
			if o.json {
				printJSON(io.out, f)
				continue
			}
			fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\n", f.TaskID, f.Kind, f.Retry+1, f.Worker, f.At.Format(time.DateTime), f.Error)
		}
		return table.Flush()
	})
}
