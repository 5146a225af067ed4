package command

import (
	"context"
	"errors"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

const watchUsage = `ingest watch NAME -store redis://HOST:PORT [-json]

Follows the newest run of a job until it ends, and of a periodic job each run after that until
the job is stopped. Interrupt it to end the watching: the job goes on. The exit status is 0
if the last run succeeded, or the watching was interrupted.`

// watch is the command "watch".
func watch(ctx context.Context, args []string, io streams) error {
	o, err := newOperator(ctx, watchUsage, args, "NAME", io.err)
	if err != nil {
		return err
	}
	if err = o.watch(ctx, io); errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, o.Close())
}

func (o *operator) watch(ctx context.Context, io streams) error {
	job, err := o.State(ctx, o.name)
	if err != nil {
		return err
	}
	if job.Type == states.JobPeriodic {
		return followRuns(ctx, o.Manager, o.name, io, o.json)
	}
	run, err := o.Latest(ctx, o.name)
	if err != nil {
		return err
	}
	final, err := show(ctx, run, io.err)
	if err != nil {
		return err
	}
	figures, err := mirror.FiguresOf(ctx, o.Values(), final)
	if err != nil {
		return err
	}
	report(io, final, figures, o.json)
	return verdict(final)
}
