package command

import (
	"context"

	"github.com/rollcall-go/rollcall/syncjob"
)

const redriveUsage = `ingest redrive NAME -store redis://HOST:PORT [-json]

Runs the failed tasks of the newest run of a job again, as a new run of it. Should it be
interrupted, give the command again: it goes on, and runs no task twice.`

// redrive is the command "redrive".
func redrive(ctx context.Context, args []string, io streams) error {
	return onRun(ctx, redriveUsage, args, io, func(o *operator, run *syncjob.Run) error {
		// The newest run may come from an interrupted redrive, with only a part of its tasks.
		state, err := run.State(ctx)
		if err != nil {
			return err
		}
		if state.RedriveOf != 0 && !state.Status.Final() {
			run = o.Run(o.name, state.RedriveOf)
		}
		again, err := run.Redrive(ctx, nil)
		if err != nil {
			return err
		}
		if state, err = again.State(ctx); err != nil {
			return err
		}
		if o.json {
			printJSON(io.out, newOutcome(state))
			return nil
		}
		say(
			io.out, "run %d of job %s: %d tasks of run %d again", state.Number, state.Job, state.Counts.Total,
			state.RedriveOf,
		)
		return nil
	})
}
