package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/rollcall-go/rollcall/syncjob"
)

func (a *app) result() *cobra.Command {
	wait := false
	c := a.onRun(
		"result JOB TASK", "Show the result of one task", cobra.ExactArgs(2), false,
		func(ctx context.Context, r *syncjob.Run, args []string) error {
			read := r.Task(args[0]).Result
			if wait {
				read = r.Task(args[0]).Wait
			}
			var result json.RawMessage
			if err := read(ctx, &result); err != nil {
				return err
			}
			if a.output != "table" {
				return one(a, result, nil)
			}
			a.say("%s", string(result))
			return nil
		},
	)
	c.Flags().BoolVar(&wait, "wait", false, "wait for the end of the task")
	return c
}
