package command

import (
	"context"
	"errors"
)

const stopUsage = `ingest stop NAME -store redis://HOST:PORT [-json]

Stops a job: nothing that waits will start, and files that are being copied are
completed. It returns when they are. What was done is left as it is. A periodic job is
due no more, until it is started again.`

// stop is the command "stop".
func stop(ctx context.Context, args []string, io streams) error {
	o, err := newOperator(ctx, stopUsage, args, "NAME", io.err)
	if err != nil {
		return err
	}
	return errors.Join(stopJob(ctx, o.Manager, o.name, "stopped by command", io, o.json), o.Close())
}
