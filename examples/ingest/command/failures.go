package command

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
)

const failuresUsage = `ingest failures NAME -store redis://HOST:PORT [-json]

Lists the tasks of the newest run of a job that failed for good. With -json each is an object in
a line of its own.`

// failures is the command "failures".
func failures(ctx context.Context, args []string, io streams) error {
	return onRun(ctx, failuresUsage, args, io, func(o *operator, run *syncjob.Run) error {
		table := newTable(io.out)
		if !o.json {
			table.row("TASK", "KIND", "ATTEMPTS", "WORKER", "WHEN", "ERROR")
		}
		for f, err := range run.Failures(ctx, nil) {
			if err != nil {
				return err
			}
			if o.json {
				printJSON(io.out, f)
				continue
			}
			table.row(f.TaskID, f.Kind, f.Retry+1, f.Worker, f.At.Format(time.DateTime), f.Error)
		}
		return table.Flush()
	})
}
