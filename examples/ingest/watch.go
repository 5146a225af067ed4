package main

import (
	"context"
	"errors"

	"github.com/rollcall-go/rollcall/syncjob"
)

const watchUsage = `ingest watch NAME -store redis://HOST:PORT [-json]

Follows the newest run of a job until it ends. Interrupt it to end the watching: the job goes
on. The exit status is 0 if the run succeeded, or the watching was interrupted.`

// watch is the command.
func watch(ctx context.Context, args []string, io streams) error {
	return onRun(ctx, watchUsage, args, io, func(o *operator, run *syncjob.Run) error {
		final, err := show(ctx, run, io.err)
		if errors.Is(err, context.Canceled) {
			return nil
		}
		if err != nil {
			return err
		}
		figures, err := figuresOf(final)
		if err != nil {
			return err
		}
		report(io, final, figures, o.json)
		return verdict(final)
	})
}
