package main

import (
	"context"
	"fmt"

	"github.com/rollcall-go/rollcall/syncjob"
)

const stopUsage = `ingest stop NAME -store redis://HOST:PORT [-json]

Stops a job: nothing that waits will start, and files that are being copied are
completed. It returns when they are. What was done is left as it is.`

// stop is the command.
func stop(ctx context.Context, args []string, io streams) error {
	return onRun(ctx, stopUsage, args, io, func(o *operator, run *syncjob.Run) error {
		if err := run.Stop(ctx, &syncjob.StopOptions{Graceful: true, Reason: "stopped by command"}); err != nil {
			return err
		}
		final, err := run.Wait(ctx)
		if err != nil {
			return err
		}
		figures, err := finalFigures(ctx, final)
		if err != nil {
			return fmt.Errorf("sum up: %w", err)
		}
		report(io, final, figures, o.json)
		return nil
	})
}
