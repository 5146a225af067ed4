package command

import (
	"context"
	"fmt"

	"github.com/rollcall-go/rollcall/syncjob"
)

const explainUsage = `ingest explain NAME -store redis://HOST:PORT [-json]

Says why the newest run of a job is not done: what waits, what runs where and since when, and
what nobody works for.`

// explain is the command "explain".
func explain(ctx context.Context, args []string, io streams) error {
	return onRun(ctx, explainUsage, args, io, func(o *operator, run *syncjob.Run) error {
		why, err := run.Explain(ctx)
		if err != nil {
			return err
		}
		if o.json {
			printJSON(io.out, why)
			return nil
		}
		fmt.Fprint(io.out, why)
		return nil
	})
}
